"""Reading the pages of a PDF: lines of text with their place and type size (pypdf)."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from knowledge.parsing._faults import readable
from knowledge.parsing._pictures import PagePictures
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._text import clean
from knowledge.parsing.pages import Line, RawPage
from knowledge.parsing.types import Limits, Ocr, UnreadableDocument

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_GLYPHS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " ",
     "\x7f": "•"}  # the last: WinAnsi's spare codes mean a bullet, and some writers use this one
)  # fmt: skip
_UNTOLD = frozenset({"anonymous", "unspecified", "untitled", "unknown", "none", "null"})
_FEW = 40  # characters: a page of less (a number, a stamp) around a picture is one
_BOLD = re.compile(r"bold|black|heavy|demi|cmbx", re.IGNORECASE)
_MONO = re.compile(r"mono|courier|consol|menlo|code|cmtt|typewriter", re.IGNORECASE)


def read_pdf(
    data: bytes, limits: Limits, *, first: int = 0, ocr: Ocr | None = None
) -> Iterator[RawPage]:
    """The pages from index ``first`` on. Nothing but text and a few facts is read of each.

    With ``ocr``, the text of a page that is a picture is read, too. Raises ``UnreadableDocument``:
    ``encrypted``, ``broken``, ``too_many_pages``, ``ocr_failed``.
    """
    import pypdf
    from pypdf.errors import PyPdfError

    with readable(PyPdfError):
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not _unlocked(reader):
            message = _("The PDF is protected with a password. Save it without one.")
            raise UnreadableDocument("encrypted", message)
        total = len(reader.pages)
        info = _document_info(reader)
    if total > limits.pages:
        message = _("The PDF has %(total)s pages; at most %(limit)s can be read.")
        values = {"total": total, "limit": limits.pages}
        raise UnreadableDocument("too_many_pages", message % values)
    pictures = PagePictures(data, ocr) if ocr is not None else None
    for index in range(first, total):
        with readable(PyPdfError):
            page = reader.pages[index]
            lines, has_images = page_lines(page), _has_images(page)
        facts = info if index == 0 else {}
        if has_images:
            facts = {**facts, "has_ocr": ocr is not None}
        if pictures is not None and has_images and _characters(lines) < _FEW:
            seen = pictures.read(index)
            if seen.characters > _characters(lines):
                lines, facts = seen.lines, {**facts, "ocr": round(seen.confidence)}
        yield RawPage(
            index=index,
            total=total,
            number=index + 1,
            label=str(index + 1),
            lines=lines,
            has_images=has_images,
            info=facts,
        )


def _characters(lines: list[Line]) -> int:
    return sum(len(line.text) for line in lines)


def _unlocked(reader: "PdfReader") -> bool:
    """A PDF that only restricts printing and copying opens with the empty password."""
    return bool(reader.decrypt(""))


def _document_info(reader: "PdfReader") -> dict[str, Any]:
    found = reader.metadata
    if found is None:
        return {}
    metadata = {"author": found.author, "subject": found.subject, "keywords": found.keywords}
    kept = {key: text for key, value in metadata.items() if (text := _told(value))}
    return {"title": _told(found.title), "metadata": kept}


def _told(value: object) -> str:
    """A value of the document information; what a writer puts there for lack of one is none."""
    text = clean(" ".join(str(value or "").split()))
    return "" if text.lower().strip("()") in _UNTOLD else text


def page_lines(page: "PageObject") -> list[Line]:
    """The lines of a page in the order of its content, as pypdf separates them."""
    pieces: list[tuple[str, float, float, float, str]] = []

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], font: Any, size: float) -> None:
        if text:
            scale = math.hypot(tm[2], tm[3]) * math.hypot(cm[2], cm[3])
            x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
            y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            pieces.append((text, x, y, abs(size * scale), _font_name(font)))

    page.extract_text(visitor_text=visit)
    lines: list[Line] = []
    current: list[tuple[str, float, float, float, str]] = []
    for text, *place in pieces:
        for number, part in enumerate(text.split("\n")):
            if number:
                _close(current, lines)
                current = []
            if part:
                current.append((part, *place))  # type: ignore[arg-type]
    _close(current, lines)
    return lines


def _font_name(font: Any) -> str:
    return str(font.get("/BaseFont", "")) if font else ""


def _close(pieces: list[tuple[str, float, float, float, str]], lines: list[Line]) -> None:
    """Make a line of its pieces: placed by the first, sized by the widest."""
    text = "".join(piece[0] for piece in pieces).translate(_GLYPHS)
    text = " ".join(clean(text).split())
    if not text:
        return
    printed = [piece for piece in pieces if piece[0].strip()]
    _, x, y, _size, _name = printed[0]
    widest = max(printed, key=lambda piece: len(piece[0]))
    lines.append(
        Line(
            text=text,
            x=round(x, 1),
            y=round(y, 1),
            size=round(widest[3], 1),
            is_bold=all(_BOLD.search(piece[4]) for piece in printed),
            is_mono=all(_MONO.search(piece[4]) for piece in printed),
        )
    )


def _has_images(page: "PageObject") -> bool:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    if objects is None:
        return False
    values = islice(objects.get_object().values(), 50)
    return any(value.get_object().get("/Subtype") == "/Image" for value in values)
