"""Files to Markdown. Pure: no database, no network, nothing written; one file in, text out.

    document = parse(data, filename="handbook.pdf")

or, for a job that keeps its progress, page by page:

    for page in parse_pages(data, filename="handbook.pdf", first=len(kept)):
        save(page.to_json())                    # page.index + 1 of page.total
    document = assemble(map(RawPage.from_json, kept), filename="handbook.pdf")

Both give the same document. A file that gives none raises ``UnsupportedDocument`` (the type) or
``UnreadableDocument`` (this file), both ``ParsingError`` with ``code`` and ``message``:

- unsupported: ``unsupported_type``, ``type_mismatch``
- unreadable: ``broken``, ``empty``, ``encrypted``, ``scanned``, ``too_large``,
  ``too_many_pages``, ``unsafe_xml``

Uploads are hostile until proven otherwise: the type is told by content before name, archives
are measured before they are opened, XML declares no entities, no address is ever fetched.
Memory and time beyond that are for the worker to limit.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _

from knowledge.parsing import _assemble, _office, _pdf, _plain, _tables
from knowledge.parsing._archives import check_archive
from knowledge.parsing._faults import empty
from knowledge.parsing._formats import EXTENSIONS, Format, detect_format
from knowledge.parsing._text import clean, json_value
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import (
    Limits,
    PageSpan,
    ParsedDocument,
    ParsingError,
    UnreadableDocument,
    UnsupportedDocument,
)

__all__ = [
    "EXTENSIONS",
    "Format",
    "Limits",
    "PageSpan",
    "ParsedDocument",
    "ParsingError",
    "RawPage",
    "UnreadableDocument",
    "UnsupportedDocument",
    "assemble",
    "detect_format",
    "parse",
    "parse_pages",
]

_READERS: dict[Format, Callable[[bytes, Limits], Iterator[RawPage]]] = {
    Format.MARKDOWN: _plain.read_markdown,
    Format.TEXT: _plain.read_text,
    Format.HTML: _plain.read_html,
    Format.EML: _plain.read_eml,
    Format.DOCX: _office.read_docx,
    Format.PPTX: _office.read_pptx,
    Format.XLSX: _tables.read_xlsx,
    Format.CSV: _tables.read_csv,
    Format.JSON: _tables.read_json,
}
_ARCHIVES = frozenset({Format.DOCX, Format.PPTX, Format.XLSX})
_DEFAULT = Limits()


def parse(
    data: bytes | Path,
    *,
    filename: str,
    content_type: str | None = None,
    limits: Limits = _DEFAULT,
) -> ParsedDocument:
    """The whole document. ``content_type`` is only asked where content and name say nothing."""
    pages = parse_pages(data, filename=filename, content_type=content_type, limits=limits)
    return assemble(pages, filename=filename, limits=limits)


def parse_pages(
    data: bytes | Path,
    *,
    filename: str,
    content_type: str | None = None,
    first: int = 0,
    limits: Limits = _DEFAULT,
) -> Iterator[RawPage]:
    """The pages, sheets or slides with ``index >= first``, each as soon as it is read.

    PDF pages before ``first`` are skipped, not read. Formats without pages give one page.
    The file is checked before the first page is given.
    """
    content = _content(data, limits)
    found = detect_format(content, filename, content_type)
    if found is Format.HTML and len(content) > limits.html_bytes:
        raise _too_large(limits.html_bytes)
    if found in _ARCHIVES:
        check_archive(content, limits)
    if found is Format.PDF:
        pages = _pdf.read_pdf(content, limits, first=first)
    else:
        pages = _READERS[found](content, limits)
    for page in pages:
        if page.index >= first:
            yield replace(
                page,
                label=clean(page.label),
                markdown=clean(page.markdown),
                info=json_value({**page.info, "format": found.value}),
            )


def assemble(
    pages: Iterable[RawPage], *, filename: str, limits: Limits = _DEFAULT
) -> ParsedDocument:
    """The document made of all its raw pages, in any order."""
    return _assemble.assemble(pages, filename=filename, limits=limits)


def _content(data: bytes | Path, limits: Limits) -> bytes:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.input_bytes:
        raise _too_large(limits.input_bytes)
    if size == 0:
        raise empty()
    return data.read_bytes() if isinstance(data, Path) else data


def _too_large(limit: int) -> UnreadableDocument:
    message = _("The file is larger than %(limit)s MB.")
    return UnreadableDocument("too_large", message % {"limit": limit // 2**20})
