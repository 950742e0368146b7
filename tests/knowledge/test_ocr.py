"""Text in pictures: what tesseract is asked, what becomes of its words, what is said without it.

The real program takes part where it is installed; a small stand-in that speaks its command line
does everywhere.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from knowledge.ocr import ocr_for, tesseract
from knowledge.parsing import Limits, Ocr, UnreadableDocument, parse
from knowledge.parsing.apart import Apart
from tests.support.files import make_picture, make_picture_pdf, make_scanned_pdf

NOTICE = ["The ferry leaves at nine.", "Every member travels", "at half price on Mondays."]
TABLE = """\
1\t1\t0\t0\t0\t0\t0\t0\t1500\t390\t-1\t
4\t1\t1\t1\t1\t0\t60\t60\t800\t50\t-1\t
5\t1\t1\t1\t1\t1\t60\t60\t120\t50\t96.1\tFerry
5\t1\t1\t1\t1\t2\t200\t62\t160\t48\t91.5\tnotice
5\t1\t1\t1\t1\t3\t400\t62\t160\t48\t3.0\t~~|
5\t1\t1\t1\t2\t1\t60\t150\t120\t50\t88.0\tNine
5\t1\t1\t1\t2\t2\t200\t150\t120\t50\t90.0\to'clock.
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """An executable that answers as tesseract does; what it was asked is in `asked` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "tesseract"
    table = folder / "table"
    table.write_text(TABLE)
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "--version) echo 'tesseract 5.3.0';;\n"
        '--list-langs) printf "List of available languages (3):\\neng\\nosd\\npor\\n";;\n'
        f"*) head -c 2 | grep -q P5 && cat >/dev/null && cat {table};;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return program


def test_words_become_lines_without_noise(stand_in: Path) -> None:
    ocr = Ocr(str(stand_in), ("eng", "por"))
    document = parse(make_picture(NOTICE), filename="notice.png", ocr=ocr)
    assert document.markdown == "Ferry notice Nine o'clock.\n"
    assert document.metadata == {"format": "png", "ocr_pages": 1, "ocr_confidence": 91}
    pages = parse(make_scanned_pdf(2, text_pages=1), filename="a.pdf", ocr=ocr)
    assert pages.metadata["ocr_pages"] == 2
    assert [span.page for span in pages.pages] == [1, 2, 3]


def test_the_program_is_asked_in_the_languages_of_the_space(stand_in: Path, settings: Any) -> None:
    settings.ACERVO_OCR = str(stand_in)
    found = tesseract()
    assert found is not None
    assert (found.version, found.languages) == ("5.3.0", ("eng", "por"))
    assert ocr_for("pt-br") == Ocr(str(stand_in), ("por", "eng"))
    assert ocr_for("en") == Ocr(str(stand_in), ("eng", "por"))
    assert ocr_for("de") == Ocr(str(stand_in), ("eng", "por"))
    settings.ACERVO_OCR = "off"
    assert ocr_for("en") is None
    settings.ACERVO_OCR = "/nowhere/tesseract"
    assert ocr_for("en") is None


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "webp"])
def test_a_picture_without_the_program_says_how_to_install_it(kind: str) -> None:
    with pytest.raises(UnreadableDocument) as raised:
        parse(make_picture(NOTICE, kind.upper()), filename=f"a.{kind}")
    assert raised.value.code == "ocr_missing"
    assert "apt-get install tesseract-ocr" in raised.value.message


def test_a_flood_of_pixels_is_refused_before_it_is_decoded() -> None:
    small = make_picture(NOTICE)
    at = small.index(b"IHDR") + 4
    flood = small[:at] + (60_000).to_bytes(4) * 2 + small[at + 8 :]
    import struct
    import zlib

    flood = (
        flood[: at + 13] + struct.pack(">I", zlib.crc32(flood[at - 4 : at + 13])) + flood[at + 17 :]
    )
    ocr = Ocr("/nowhere")
    for data, limits, code in [
        (flood, Limits(), "too_large"),
        (small, Limits(pixels=1000), "too_large"),
        (make_picture(["page {page}"], "TIFF", pages=3), Limits(pages=2), "too_many_pages"),
        (small[:400], Limits(), "broken"),
    ]:
        name = "a.tiff" if data.startswith((b"II", b"MM")) else "a.png"
        with pytest.raises(UnreadableDocument) as raised:
            parse(data, filename=name, limits=limits, ocr=ocr)
        assert raised.value.code == code


def test_a_program_that_fails_or_hangs_is_told_of(tmp_path: Path) -> None:
    program = tmp_path / "tesseract"
    for script, seconds, told in [
        ("#!/bin/sh\necho 'no data for klingon' >&2; exit 1\n", 10, "klingon"),
        ("#!/bin/sh\nexec sleep 60\n", 1, "more than 1 seconds"),
    ]:
        program.write_text(script)
        program.chmod(0o755)
        with pytest.raises(UnreadableDocument) as raised:
            parse(make_picture(NOTICE), filename="a.png", ocr=Ocr(str(program), seconds=seconds))
        assert (raised.value.code, told in raised.value.message) == ("ocr_failed", True)


@pytest.fixture
def real_program() -> None:
    """Leave a test out where tesseract is missing; the build machine has it, and lacks no test."""
    if shutil.which("tesseract") is None:
        wanted = "tesseract is not installed (Debian: apt install tesseract-ocr tesseract-ocr-por)"
        (pytest.fail if "CI" in os.environ else pytest.skip)(wanted)


@pytest.mark.usefixtures("real_program")
def test_the_real_program_reads_pictures_and_scanned_pages_apart(tmp_path: Path) -> None:
    ocr = ocr_for("en")
    path = tmp_path / "scan"
    path.write_bytes(make_picture_pdf(NOTICE, ["Plan of the second page."]))
    with Apart(path, filename="scan.pdf", ocr=ocr) as reading:
        first, second = reading.pages()
    assert [line.text for line in first.lines] == NOTICE
    assert [line.text for line in second.lines] == ["Plan of the second page."]
    document = parse(make_picture(NOTICE, "TIFF", pages=2), filename="a.tiff", ocr=ocr)
    assert "The ferry leaves at nine." in document.markdown
    assert [span.label for span in document.pages] == ["1", "2"]
