"""Text from pictures, by the program tesseract: its words come with their places.

The lines it finds take the way of a PDF's printed lines (``_pdf_blocks``), so in scanned pages,
too, paragraphs are joined, running heads left out and tables seen. No shell, no file: the picture
goes in by a pipe. Memory and network are those of the process that calls (``_sandbox``).
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from knowledge.parsing._speech import gettext as _
from knowledge.parsing._text import clean
from knowledge.parsing.pages import Line
from knowledge.parsing.types import Ocr, UnreadableDocument

DPI = 300
LONGEST_SIDE = 4000  # pixels; a page of A4 at 300 dpi has 3508
BODY = 11.0  # points: what the usual line of a scanned page counts as
_LARGER = 1.5  # times the usual height, from which a line is of larger type
_LEAST_SURE = 25.0  # percent: words below are noise of the picture
_WORD_LEVEL = "5"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of a picture; ``confidence`` is the mean of its words, 0 to 100."""

    lines: list[Line]
    confidence: float

    @property
    def characters(self) -> int:
        """How much it is."""
        return sum(len(line.text) for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Word:
    place: tuple[str, str, str]  # block, paragraph, line
    left: int
    top: int
    right: int
    bottom: int
    sure: float
    text: str


def missing() -> UnreadableDocument:
    """The refusal of pictures where there is no tesseract."""
    message = _(
        "The text in pictures is read by the program tesseract, which this server does not have. "
        "Its operator can install it (Debian, Ubuntu: apt-get install tesseract-ocr "
        "tesseract-ocr-por); then try again."
    )
    return UnreadableDocument("ocr_missing", message)


def read_picture(gray: bytes, width: int, height: int, ocr: Ocr) -> Seen:
    """Read ``width`` x ``height`` gray pixels. Raises ``UnreadableDocument`` (``ocr_failed``)."""
    command = [
        ocr.program, "stdin", "stdout", "-l", "+".join(ocr.languages), "--dpi", str(DPI),
        "--psm", "3", "-c", "tessedit_create_tsv=1", "-c", "debug_file=/dev/null",
    ]  # fmt: skip
    picture = b"P5\n%d %d\n255\n" % (width, height) + gray
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "TESSDATA_PREFIX", "LD_LIBRARY_PATH")
    } | {"OMP_THREAD_LIMIT": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - the operator's program, no shell
            command, input=picture, capture_output=True, timeout=ocr.seconds, env=environment,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        message = _("Reading the text of a picture took more than %(seconds)s seconds.")
        raise UnreadableDocument("ocr_failed", message % {"seconds": ocr.seconds}) from None
    except OSError as fault:
        raise UnreadableDocument("ocr_failed", _failed(str(fault.strerror))) from None
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UnreadableDocument("ocr_failed", _failed(told[-1] if told else str(done.returncode)))
    return _seen(done.stdout.decode("utf-8", "replace"), height)


def _failed(why: str) -> str:
    message = _("The program tesseract could not read a picture: %(why)s.")
    return message % {"why": clean(why)[:200].rstrip(".")}


def _seen(table: str, height: int) -> Seen:
    words = list(_words(table))
    if not words:
        return Seen([], 0.0)
    lines = [list(group) for _place, group in groupby(words, key=lambda word: word.place)]
    usual = median(_height(line) for line in lines)
    scale = 72 / DPI
    return Seen(
        [
            Line(
                text=" ".join(word.text for word in line),
                x=round(line[0].left * scale, 1),
                y=round((height - max(word.bottom for word in line)) * scale, 1),
                size=_size(_height(line) / usual),
            )
            for line in lines
        ],
        sum(word.sure for word in words) / len(words),
    )


def _words(table: str) -> Iterator[_Word]:
    for row in table.splitlines():
        cells = row.split("\t")
        if len(cells) < 12 or cells[0] != _WORD_LEVEL:
            continue
        text = clean(cells[11]).strip()
        sure = float(cells[10])
        if text and sure >= _LEAST_SURE:
            left, top, width, height = (int(cell) for cell in cells[6:10])
            place = (cells[2], cells[3], cells[4])
            yield _Word(place, left, top, left + width, top + height, sure, text)


def _height(line: list[_Word]) -> float:
    """From the highest letter to the lowest: much the same for all lines of one type size."""
    return max(word.bottom for word in line) - min(word.top for word in line) or 1


def _size(ratio: float) -> float:
    """Points. A line without high or low letters looks smaller than it is: no type is smaller."""
    return BODY if ratio < _LARGER else round(BODY * min(ratio, 4.0), 1)
