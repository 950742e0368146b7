"""Raw pages to a document: Markdown, page spans, title, language."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from knowledge.parsing._faults import empty
from knowledge.parsing._ocr import missing
from knowledge.parsing._pdf_blocks import Block, blocks
from knowledge.parsing._pdf_margins import without_margins
from knowledge.parsing._pictures import LEAST_SURE
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._speech import ngettext
from knowledge.parsing._text import clean, tidy
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import (
    Limits,
    PageSpan,
    ParsedDocument,
    ParsingError,
    UnreadableDocument,
)
from project.markdown import plain_text

_HEADING = re.compile(r"^#{1,2} +(\S.*)$", re.MULTILINE)
_PROGRAM_TITLE = re.compile(
    r"(?:microsoft \w+ - )|\.(?:docx?|xlsx?|pptx?|odt|indd|pdf|tex|dvi)$", re.I
)
_WORD = re.compile(r"\w")
_LISTED_PAGES = 10
_EMPTY_CONTAINERS = frozenset({"zip", "mbox"})
_PICTURES = frozenset({"png", "jpeg", "tiff", "webp"})


Detect = Callable[[str], str]
"""Tells the language of a text."""


def language_told(text: str) -> str:
    """The language of a text; what tells it is loaded here, as the process that parses lacks it."""
    from knowledge.languages import detect_language

    return detect_language(text)


def assemble_file(
    pages: Iterable[RawPage], *, filename: str, limits: Limits, detect: Detect = language_told
) -> list[ParsedDocument]:
    """All documents of a file: itself, and those that it holds, in order.

    The first of a ZIP file or mailbox has no text. What could not be read is told in its warnings.
    Raises ``UnreadableDocument``, also where nothing in a container could be read.
    """
    by_entry: dict[str, list[RawPage]] = {}
    for page in pages:
        by_entry.setdefault(page.entry, []).append(page)
    own = by_entry.pop("", [])
    if not own:
        raise empty()
    found: list[ParsedDocument] = []
    unread: list[tuple[str, str]] = []
    for entry, parts in by_entry.items():
        error = next((page.info["error"] for page in parts if "error" in page.info), None)
        if error is not None:
            unread.append((entry, error["message"]))
            continue
        name = PurePath(entry).name
        try:
            document = assemble(parts, filename=name, limits=limits, detect=detect)
        except ParsingError as refused:
            unread.append((entry, refused.message))
        else:
            found.append(_placed(document, entry))
    if own[0].info.get("format") in _EMPTY_CONTAINERS:
        if not found:
            raise _nothing(unread)
        whole = ParsedDocument(
            title=_title(own[0].info, "", filename),
            markdown="",
            pages=[],
            language=found[0].language,
            metadata={"format": own[0].info["format"]},
        )
    else:
        whole = assemble(own, filename=filename, limits=limits, detect=detect)
    told = [f"{entry}: {why}" for entry, why in unread]
    return [replace(whole, warnings=[*whole.warnings, *told]), *found]


def _placed(document: ParsedDocument, entry: str) -> ParsedDocument:
    """A document of a container: its pages are named after its place, too."""
    shown = entry
    if document.metadata.get("format") == "eml":
        shown = document.pages[0].label if document.pages else entry
        spans = document.pages
    elif document.pages:
        spans = [replace(span, label=f"{entry} · {_page_label(span)}") for span in document.pages]
    else:
        spans = [PageSpan(None, shown, 0, len(document.markdown))]
    metadata = {**document.metadata, "entry": entry}
    return replace(document, pages=spans, entry=entry, metadata=metadata)


def _page_label(span: PageSpan) -> str:
    if span.label and not span.label.isdigit():
        return span.label
    return _("page %(page)s") % {"page": span.page or span.label}


def _nothing(unread: list[tuple[str, str]]) -> UnreadableDocument:
    if not unread:
        return UnreadableDocument("empty", _("The archive holds no files."))
    message = _("Nothing in the file can be read. %(entry)s: %(why)s")
    values = {"entry": unread[0][0], "why": unread[0][1]}
    return UnreadableDocument("nothing_readable", message % values)


def assemble(
    pages: Iterable[RawPage], *, filename: str, limits: Limits, detect: Detect = language_told
) -> ParsedDocument:
    """The document of all ``pages``. Raises ``UnreadableDocument`` (``empty``, ``scanned``,
    ``ocr_missing``, ``too_large``)."""
    parts = sorted(pages, key=lambda page: page.index)
    if not parts:
        raise empty()
    told_format = parts[0].info.get("format")
    is_pdf = told_format == "pdf" or told_format in _PICTURES
    markdown, spans = _pdf_markdown(parts) if is_pdf else _joined(parts)
    if not _WORD.search(markdown):
        raise _scanned(parts) if any(page.has_images for page in parts) else empty()
    if len(markdown) > limits.output_characters:
        raise UnreadableDocument("too_large", _("The file has more text than can be read."))
    info = parts[0].info
    warnings = [text for page in parts for text in page.info.get("warnings", [])]
    metadata = {**info.get("metadata", {}), "format": info.get("format", "")}
    if is_pdf:
        warnings += _picture_warnings(parts)
        if read := [page.info["ocr"] for page in parts if "ocr" in page.info]:
            metadata |= {"ocr_pages": len(read), "ocr_confidence": round(sum(read) / len(read))}
    return ParsedDocument(
        title=_title(info, markdown, filename),
        markdown=markdown,
        pages=spans if told_format == "pdf" or len(parts) > 1 or parts[0].label else [],
        language=detect(language_sample(markdown)),
        metadata=metadata,
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


def language_sample(markdown: str) -> str:
    """Enough of the text to tell its language, from its beginning, middle and end."""
    if len(markdown) > 6_000:
        middle = len(markdown) // 2
        parts = [markdown[:2_000], markdown[middle : middle + 2_000], markdown[-2_000:]]
        markdown = "\n\n".join(parts)
    return plain_text(markdown)


def _scanned(parts: Sequence[RawPage]) -> UnreadableDocument:
    if not any(page.info.get("has_ocr") for page in parts):
        return missing()
    message = _("The pages are pictures in which no text was found.")
    return UnreadableDocument("scanned", message)


def _picture_warnings(parts: Sequence[RawPage]) -> list[str]:
    unread = [page for page in parts if page.has_images and not page.lines]
    unsure = [page for page in parts if page.info.get("ocr", 100) < LEAST_SURE]
    warnings = []
    if unread:
        text = ngettext(
            "Page %(pages)s is a picture without text and was left out.",
            "Pages %(pages)s are pictures without text and were left out.",
            len(unread),
        )
        warnings.append(text % {"pages": _numbers(unread)})
        if not any(page.info.get("has_ocr") for page in parts):
            warnings.append(missing().message)
    if unsure:
        text = ngettext(
            "The text of page %(pages)s was hard to read in its picture: look it through.",
            "The text of pages %(pages)s was hard to read in their pictures: look it through.",
            len(unsure),
        )
        warnings.append(text % {"pages": _numbers(unsure)})
    return warnings


def _numbers(pages: Sequence[RawPage]) -> str:
    more = ", …" if len(pages) > _LISTED_PAGES else ""
    return ", ".join(str(page.number) for page in pages[:_LISTED_PAGES]) + more
