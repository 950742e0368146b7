"""Files to Markdown. Pure: no database, no network, nothing written; one file in, text out.

    document = parse(data, filename="handbook.pdf")

or, for a job that keeps its progress, page by page:

    for page in parse_pages(data, filename="handbook.pdf", first=len(kept)):
        save(page.to_json())                    # page.index + 1 of page.total
    document = assemble(map(RawPage.from_json, kept), filename="handbook.pdf")

Both give the same document. A file that gives none raises ``UnsupportedDocument`` (the type) or
``UnreadableDocument`` (this file), both ``ParsingError`` with ``code`` and ``message``:

- unsupported: ``unsupported_type``, ``type_mismatch``
- unreadable: ``broken``, ``empty``, ``encrypted``, ``nothing_readable``, ``ocr_failed``,
  ``ocr_missing``, ``scanned``, ``too_deep``, ``too_large``, ``too_many_entries``,
  ``too_many_pages``, ``unsafe_path``, ``unsafe_xml``; and from the process that parses
  (``knowledge.parsing.apart``) ``crashed``, ``memory``, ``timeout``

Uploads are hostile until proven otherwise: the type is told by content before name, archives
are measured before they are opened, XML declares no entities, no address is ever fetched.
Memory and time beyond that are limited by ``knowledge.parsing.apart``, which does the same in a
process of its own; Acervo reads uploads only through it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from knowledge.parsing import _assemble
from knowledge.parsing._archives import check_zip
from knowledge.parsing._faults import empty
from knowledge.parsing._formats import CONTAINERS, EXTENSIONS, PICTURES, Format, detect_format
from knowledge.parsing._walk import Place, Walk, too_large
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import (
    Limits,
    Ocr,
    PageSpan,
    ParsedDocument,
    ParsingError,
    UnreadableDocument,
    UnsupportedDocument,
)

__all__ = [
    "CONTAINERS",
    "EXTENSIONS",
    "PICTURES",
    "Format",
    "Limits",
    "Ocr",
    "PageSpan",
    "ParsedDocument",
    "ParsingError",
    "Place",
    "RawPage",
    "UnreadableDocument",
    "UnsupportedDocument",
    "assemble",
    "assemble_file",
    "check_upload",
    "detect_format",
    "parse",
    "parse_file",
    "parse_pages",
]

_DEFAULT = Limits()
assemble_file = _assemble.assemble_file


def parse(
    data: bytes | Path,
    *,
    filename: str,
    content_type: str | None = None,
    limits: Limits = _DEFAULT,
    ocr: Ocr | None = None,
) -> ParsedDocument:
    """The document that a file is. ``content_type`` is only asked where content and name say
    nothing."""
    return parse_file(data, filename=filename, content_type=content_type, limits=limits, ocr=ocr)[0]


def parse_file(
    data: bytes | Path,
    *,
    filename: str,
    content_type: str | None = None,
    limits: Limits = _DEFAULT,
    ocr: Ocr | None = None,
) -> list[ParsedDocument]:
    """The document that a file is, and those that it holds (ZIP, mailbox, attachments)."""
    pages = parse_pages(data, filename=filename, content_type=content_type, limits=limits, ocr=ocr)
    return assemble_file(pages, filename=filename, limits=limits)


def parse_pages(
    data: bytes | Path,
    *,
    filename: str,
    content_type: str | None = None,
    first: int = 0,
    limits: Limits = _DEFAULT,
    ocr: Ocr | None = None,
    walk: Walk | None = None,
) -> Iterator[RawPage]:
    """The pages, sheets or slides with ``index >= first``, each as soon as it is read.

    PDF pages before ``first`` are skipped, not read. Formats without pages give one page; those
    that hold documents give the pages of all of them, and a ``walk`` begins anywhere in it.
    The file is checked before the first page is given.
    """
    content = _content(data, limits)
    after = Place("", first - 1) if first else None
    walk = walk or Walk(limits, ocr, after)
    yield from walk.pages(content, filename, content_type)


def assemble(
    pages: Iterable[RawPage], *, filename: str, limits: Limits = _DEFAULT
) -> ParsedDocument:
    """The document made of all its raw pages, in any order."""
    return _assemble.assemble(pages, filename=filename, limits=limits)


def check_upload(
    data: bytes, filename: str, content_type: str | None = None, limits: Limits = _DEFAULT
) -> Format:
    """The format of an upload; what can be known of a file at once is told here, by exceptions.

    ``data`` is the whole of an archive; of anything else its beginning will do.
    """
    found = detect_format(data, filename, content_type)
    if found is Format.ZIP:
        check_zip(data, limits)
    return found


def _content(data: bytes | Path, limits: Limits) -> bytes:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.input_bytes:
        raise too_large(limits.input_bytes)
    if size == 0:
        raise empty()
    return data.read_bytes() if isinstance(data, Path) else data
