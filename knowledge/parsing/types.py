"""What parsing takes and gives: documents, pages, limits and refusals."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What one upload may cost. Sizes in bytes unless a name says otherwise."""

    input_bytes: int = 100 * 1024 * 1024
    html_bytes: int = 20 * 1024 * 1024
    unpacked_bytes: int = 300 * 1024 * 1024  # of a zip-based file, all members together
    unpacked_ratio: int = 200  # unpacked ÷ packed, of a file that unpacks to more than 10 MB
    archive_files: int = 5_000
    entries: int = 2_000  # documents in a ZIP file or mailbox, all levels together
    depth: int = 3  # archives, mailboxes and messages within each other
    pixels: int = 60_000_000  # of a picture, before it is decoded
    pages: int = 2_000
    rows: int = 20_000  # of a sheet or CSV file; more are left out with a warning
    columns: int = 200
    cell_characters: int = 5_000
    output_characters: int = 10_000_000
    archive_characters: int = 30_000_000  # of all documents in a ZIP file or mailbox


@dataclass(frozen=True, slots=True)
class PageSpan:
    """Page, sheet or slide ``label`` is ``markdown[start:end]``.

    ``page`` counts from 1 for PDF pages and slides, and is None for sheets. Spans follow each
    other in order; together with the white space between them they cover the document.
    """

    page: int | None
    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as clean Markdown.

    ``pages`` is empty for formats without pages. ``metadata`` holds JSON values: what the file
    says about itself (author, dates, front matter) and ``format``. ``warnings`` are sentences
    for the person who uploaded it: what was left out, and why. ``entry`` says where in a ZIP file,
    mailbox or message the document was; empty for the file itself.
    """

    title: str
    markdown: str
    pages: list[PageSpan]
    language: str
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Ocr:
    """How text is read from pictures: tesseract's path, and the languages to read in."""

    program: str
    languages: tuple[str, ...] = ("eng",)
    seconds: int = 120  # a page


class ParsingError(Exception):
    """A file that gives no document. ``code`` is for programs, ``message`` for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UnsupportedDocument(ParsingError):
    """The type is not read here, or the name promises another type than the content is."""


class UnreadableDocument(ParsingError):
    """The type is known, but this file is broken, locked, too large or without text."""
