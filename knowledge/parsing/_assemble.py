"""Raw pages to a document: Markdown, page spans, title, language."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.languages import detect_language
from knowledge.parsing._faults import empty
from knowledge.parsing._pdf_blocks import Block, blocks
from knowledge.parsing._pdf_margins import without_margins
from knowledge.parsing._text import clean, tidy
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits, PageSpan, ParsedDocument, UnreadableDocument
from project.markdown import plain_text

_HEADING = re.compile(r"^#{1,2} +(\S.*)$", re.MULTILINE)
_PROGRAM_TITLE = re.compile(
    r"(?:microsoft \w+ - )|\.(?:docx?|xlsx?|pptx?|odt|indd|pdf|tex|dvi)$", re.I
)
_WORD = re.compile(r"\w")
_LISTED_PAGES = 10


def assemble(pages: Iterable[RawPage], *, filename: str, limits: Limits) -> ParsedDocument:
    """The document of all ``pages``. Raises ``UnreadableDocument`` (``empty``, ``scanned``,
    ``too_large``)."""
    parts = sorted(pages, key=lambda page: page.index)
    if not parts:
        raise empty()
    is_pdf = parts[0].info.get("format") == "pdf"
    markdown, spans = _pdf_markdown(parts) if is_pdf else _joined(parts)
    if not _WORD.search(markdown):
        raise _scanned() if any(page.has_images for page in parts) else empty()
    if len(markdown) > limits.output_characters:
        raise UnreadableDocument("too_large", _("The file has more text than can be read."))
    info = parts[0].info
    warnings = [text for page in parts for text in page.info.get("warnings", [])]
    if is_pdf:
        warnings += _picture_warnings(parts)
    return ParsedDocument(
        title=_title(info, markdown, filename),
        markdown=markdown,
        pages=spans if is_pdf or len(parts) > 1 or parts[0].label else [],
        language=detect_language(plain_text(_sample(markdown))),
        metadata={**info.get("metadata", {}), "format": info.get("format", "")},
        warnings=warnings,
    )


def _joined(parts: Sequence[RawPage]) -> tuple[str, list[PageSpan]]:
    """Finished Markdown parts, one after the other."""
    texts: list[str] = []
    spans: list[PageSpan] = []
    at = 0
    for page in parts:
        text = tidy(page.markdown)
        if not text:
            continue
        if texts:
            texts.append("\n")
            at += 1
        spans.append(PageSpan(page.number, page.label, at, at + len(text)))
        texts.append(text)
        at += len(text)
    return "".join(texts), spans


def _pdf_markdown(parts: Sequence[RawPage]) -> tuple[str, list[PageSpan]]:
    """The blocks of all pages; a page begins where its first line does."""
    found = blocks(without_margins(parts))
    texts: list[str] = []
    begins: list[tuple[int, int]] = []  # (page index, offset)
    at = 0
    for before, block in pairwise([None, *found]):
        assert block is not None
        separator = _separator(before, block)
        text, prefix = block.markdown()
        at += len(separator)
        begins += [(page, at + (prefix + place if place else 0)) for page, place in block.pages]
        texts += [separator, text]
        at += len(text)
    markdown = "".join(texts)
    if not markdown:
        return "", []
    ends = [offset for _page, offset in begins[1:]] + [len(markdown)]
    spans = [
        PageSpan(parts[page].number, parts[page].label, start, end)
        for (page, start), end in zip(begins, ends, strict=True)
    ]
    return markdown + "\n", spans


def _separator(before: Block | None, block: Block) -> str:
    if before is None:
        return ""
    return "\n" if before.kind == block.kind == "item" else "\n\n"


def _title(info: dict[str, Any], markdown: str, filename: str) -> str:
    """What the file calls itself, else its first heading, else its name."""
    told = clean(" ".join(str(info.get("title") or "").split()))
    if told and not _PROGRAM_TITLE.search(told):
        return told[:300]
    heading = _HEADING.search(markdown, 0, 20_000)
    if heading is not None and info.get("format") not in ("xlsx", "csv", "json"):
        text = " ".join(plain_text(heading[1]).split())
        if text:
            return text[:300]
    stem = re.sub(r"[_\s]+", " ", clean(PurePath(filename.replace("\\", "/")).stem)).strip()
    return stem[:300] or _("Untitled document")


def _sample(markdown: str) -> str:
    """Enough of the text to tell its language, from its beginning, middle and end."""
    if len(markdown) <= 6_000:
        return markdown
    middle = len(markdown) // 2
    return "\n\n".join([markdown[:2_000], markdown[middle : middle + 2_000], markdown[-2_000:]])


def _scanned() -> UnreadableDocument:
    message = _(
        "The pages are pictures without text. Run text recognition (OCR) on the file first."
    )
    return UnreadableDocument("scanned", message)


def _picture_warnings(parts: Sequence[RawPage]) -> list[str]:
    numbers = [str(page.number) for page in parts if page.has_images and not page.lines]
    if not numbers:
        return []
    text = ngettext(
        "Page %(pages)s is a picture without text and was left out.",
        "Pages %(pages)s are pictures without text and were left out.",
        len(numbers),
    )
    more = ", …" if len(numbers) > _LISTED_PAGES else ""
    return [text % {"pages": ", ".join(numbers[:_LISTED_PAGES]) + more}]
