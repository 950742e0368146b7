"""Which format a file has: its first bytes decide, then its name; the claimed type comes last."""

import re
from enum import StrEnum
from pathlib import PurePath

from knowledge.parsing._archives import member_names
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._text import looks_binary
from knowledge.parsing.types import UnreadableDocument, UnsupportedDocument


class Format(StrEnum):
    """The formats that can be read."""

    MARKDOWN = "markdown"
    TEXT = "text"
    HTML = "html"
    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    EML = "eml"
    MBOX = "mbox"
    ZIP = "zip"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    WEBP = "webp"


EXTENSIONS: dict[str, Format] = {
    "md": Format.MARKDOWN,
    "markdown": Format.MARKDOWN,
    "txt": Format.TEXT,
    "text": Format.TEXT,
    "log": Format.TEXT,
    "html": Format.HTML,
    "htm": Format.HTML,
    "xhtml": Format.HTML,
    "pdf": Format.PDF,
    "docx": Format.DOCX,
    "xlsx": Format.XLSX,
    "pptx": Format.PPTX,
    "csv": Format.CSV,
    "tsv": Format.TSV,
    "json": Format.JSON,
    "jsonl": Format.JSONL,
    "ndjson": Format.JSONL,
    "eml": Format.EML,
    "mbox": Format.MBOX,
    "zip": Format.ZIP,
    "png": Format.PNG,
    "jpg": Format.JPEG,
    "jpeg": Format.JPEG,
    "tif": Format.TIFF,
    "tiff": Format.TIFF,
    "webp": Format.WEBP,
}
PICTURES = frozenset({Format.PNG, Format.JPEG, Format.TIFF, Format.WEBP})
CONTAINERS = frozenset({Format.ZIP, Format.MBOX, Format.EML})
"""Formats that may hold several documents."""
_CONTENT_TYPES: dict[str, Format] = {
    "text/markdown": Format.MARKDOWN,
    "text/x-markdown": Format.MARKDOWN,
    "text/plain": Format.TEXT,
    "text/html": Format.HTML,
    "application/xhtml+xml": Format.HTML,
    "text/csv": Format.CSV,
    "text/tab-separated-values": Format.TSV,
    "application/json": Format.JSON,
    "application/x-ndjson": Format.JSONL,
    "application/jsonl": Format.JSONL,
    "message/rfc822": Format.EML,
    "application/mbox": Format.MBOX,
}
_OFFICE_PARTS = {
    "word/document.xml": Format.DOCX,
    "xl/workbook.xml": Format.XLSX,
    "ppt/presentation.xml": Format.PPTX,
}
_BINARY = frozenset({Format.PDF, Format.ZIP, *_OFFICE_PARTS.values(), *PICTURES})
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Types that are told by their first bytes and never read here.
_REFUSED = (
    b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe", b"#!", b"GIF8", b"RIFF", b"BM6", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ",
    b"7z\xbc\xaf", b"Rar!", b"{\\rtf", b"OggS", b"ID3", b"\0asm", b"SQLite format 3",
)  # fmt: skip
_HTML_START = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_MAIL_START = re.compile(rb"(?:[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2}")
_PICTURE_STARTS = {
    b"\x89PNG\r\n\x1a\n": Format.PNG,
    b"\xff\xd8\xff": Format.JPEG,
    b"II*\0": Format.TIFF,
    b"MM\0*": Format.TIFF,
}
_MAILBOX_START = re.compile(
    rb"\s*From \S[^\n]*\d{2}:\d{2}[^\n]*\n(?:[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2}"
)
_MAIL_FIELDS = re.compile(rb"^(?:from|received|message-id|subject):", re.I | re.M)


def detect_format(data: bytes, filename: str, content_type: str | None = None) -> Format:
    """The format of ``data``.

    Raises ``UnsupportedDocument`` (``unsupported_type``, ``type_mismatch``) or
    ``UnreadableDocument`` (``encrypted``, ``broken``, ``empty``).
    """
    extension = PurePath(filename).suffix.lower().removeprefix(".")
    named = EXTENSIONS.get(extension)
    found = _by_content(data, named)
    if found is not None:
        if extension and named is not found:
            raise _mismatch(extension, found)
        return found
    if named in _BINARY or looks_binary(data):
        raise _mismatch(extension, None) if named else _unsupported(extension)
    if named is not None:
        return named
    if extension:
        raise _unsupported(extension)
    claimed = (content_type or "").partition(";")[0].strip().lower()
    return _by_text(data) or _CONTENT_TYPES.get(claimed, Format.TEXT)


def _by_content(data: bytes, named: Format | None) -> Format | None:
    """The format that the first bytes prove; None for text."""
    if b"%PDF-" in data[:1024]:
        return Format.PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _by_members(data, named)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Format.WEBP
    for start, picture in _PICTURE_STARTS.items():
        if data.startswith(start):
            return picture
    if data.startswith(_OLE):
        if named in _BINARY and "EncryptedPackage".encode("utf-16-le") in data:
            message = _("The file is protected with a password.")
            raise UnreadableDocument("encrypted", message)
        message = _("Files of old Office versions cannot be read: save it as DOCX, XLSX or PPTX.")
        raise UnsupportedDocument("unsupported_type", message)
    if data.startswith(_REFUSED):
        raise _mismatch(named, None) if named else _unsupported("")
    return None


def _by_members(data: bytes, named: Format | None) -> Format:
    names = member_names(data)
    for part, office_format in _OFFICE_PARTS.items():
        if part in names and (named is not Format.ZIP or "[Content_Types].xml" in names):
            return office_format
    if named in _OFFICE_PARTS.values():
        raise _mismatch(named, None)  # promises an office file, and has not its parts
    return Format.ZIP


def _by_text(data: bytes) -> Format | None:
    start = data[:4096].replace(b"\r\n", b"\n")
    if _MAILBOX_START.match(start):
        return Format.MBOX
    if _HTML_START.match(start):
        return Format.HTML
    if _MAIL_START.match(start) and _MAIL_FIELDS.search(start):
        return Format.EML
    return None


def _unsupported(extension: str) -> UnsupportedDocument:
    known = ", ".join(sorted({name.upper() for name in Format}))
    shown = f".{extension}" if extension else _("this type")
    message = _("Files of %(type)s cannot be read. Readable are: %(known)s.")
    return UnsupportedDocument("unsupported_type", message % {"type": shown, "known": known})


def _mismatch(extension: str | None, found: Format | None) -> UnsupportedDocument:
    if found is None:
        message = _("The file is named .%(named)s, but its content is of another type.")
        return UnsupportedDocument("type_mismatch", message % {"named": extension})
    message = _("The file is named .%(named)s, but its content is %(found)s.")
    values = {"named": extension, "found": found.upper()}
    return UnsupportedDocument("type_mismatch", message % values)
