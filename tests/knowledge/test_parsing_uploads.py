"""What an upload may not be, and how it is told."""

import io
import zipfile

import pytest

from knowledge.parsing import (
    Format,
    Limits,
    ParsingError,
    UnreadableDocument,
    UnsupportedDocument,
    detect_format,
    parse,
)
from tests.support.files import make_docx, make_pdf, make_xlsx, make_zip


def refusal(data: bytes, filename: str, limits: Limits | None = None) -> tuple[type, str]:
    with pytest.raises(ParsingError) as raised:
        parse(data, filename=filename, limits=limits or Limits())
    assert raised.value.message
    return type(raised.value), raised.value.code


@pytest.mark.parametrize(
    ("data", "filename", "code"),
    [
        (b"MZ\x90\0\3\0\0\0", "setup.exe", "unsupported_type"),
        (b"MZ\x90\0\3\0\0\0", "report.pdf", "type_mismatch"),
        (b"\x7fELF\2\1\1", "notes.txt", "type_mismatch"),
        (b"#!/bin/sh\nrm -rf /\n", "run.sh", "unsupported_type"),
        (b"\x89PNG\r\n\x1a\n", "photo.jpg", "type_mismatch"),
        (b"GIF89a", "photo.png", "type_mismatch"),
        (b"just text", "photo.png", "type_mismatch"),
        (b"{\\rtf1 text}", "old.rtf", "unsupported_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "old.doc", "unsupported_type"),
        (b"7z\xbc\xaf", "files.zip", "type_mismatch"),
        (make_docx(["text"]), "files.zip", "type_mismatch"),
        (make_zip({"a.txt": "text"}), "report.pdf", "type_mismatch"),
        (make_docx(["text"]), "report.pdf", "type_mismatch"),
        (make_docx(["text"]), "report.md", "type_mismatch"),
        (make_pdf([["text"]]), "report.docx", "type_mismatch"),
        (b"just text", "report.pdf", "type_mismatch"),
        (b"just text", "report.docx", "type_mismatch"),
        (bytes(range(32)) * 20, "notes.md", "type_mismatch"),
        (b"just text", "program.bas", "unsupported_type"),
    ],
)
def test_the_content_decides_and_the_name_must_agree(data: bytes, filename: str, code: str) -> None:
    assert refusal(data, filename) == (UnsupportedDocument, code)


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (make_pdf([["text"]]), "text/plain", Format.PDF),
        (make_docx(["text"]), None, Format.DOCX),
        (b"<!DOCTYPE html><p>x", None, Format.HTML),
        (b"From: a@b.c\r\nSubject: x\r\n\r\ntext", None, Format.EML),
        (b"From a@b.c Fri Nov 20 09:30:00 2026\nFrom: a@b.c\nTo: d\n\nx", None, Format.MBOX),
        (make_zip({"a.txt": "text"}), None, Format.ZIP),
        (b"RIFF\0\0\0\0WEBPVP8 ", None, Format.WEBP),
        (b"# x", "text/markdown; charset=utf-8", Format.MARKDOWN),
        (b"plain", None, Format.TEXT),
    ],
)
def test_a_file_without_a_name_is_told_by_its_content(
    data: bytes, content_type: str | None, expected: Format
) -> None:
    assert detect_format(data, "upload", content_type) is expected


@pytest.mark.parametrize("filename", ["a.md", "a.txt", "a.html", "a.pdf", "a.docx", "a.json"])
def test_nothing_in_a_file_is_said_so(filename: str) -> None:
    assert refusal(b"", filename) == (UnreadableDocument, "empty")


def test_a_locked_office_file_says_so() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100) + "EncryptedPackage".encode("utf-16-le")
    assert refusal(data, "secret.docx") == (UnreadableDocument, "encrypted")


def test_an_archive_that_unpacks_to_too_much_is_not_opened() -> None:
    bomb = make_docx(["text"], extra={"word/media/x.bin": bytes(30_000_000)})
    assert refusal(bomb, "a.docx") == (UnreadableDocument, "too_large")
    big = make_docx(["text"], extra={"x.bin": bytes(2_000_000)})
    assert refusal(big, "a.docx", Limits(unpacked_bytes=1_000_000)) == (
        UnreadableDocument,
        "too_large",
    )
    many = make_docx(["text"], extra={f"x{n}": b"" for n in range(30)})
    assert refusal(many, "a.docx", Limits(archive_files=30)) == (UnreadableDocument, "too_large")


def test_an_archive_that_lies_about_its_sizes_is_found_out() -> None:
    data = bytearray(make_docx(["text"], extra={"x.bin": bytes(3_000_000)}))
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"x.bin"))
    data[directory + 24 : directory + 28] = (100).to_bytes(4, "little")  # its unpacked size
    kind, code = refusal(bytes(data), "a.docx", Limits(unpacked_bytes=1_000_000))
    assert (kind, code in ("too_large", "broken")) == (UnreadableDocument, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_entities_is_refused(encoding: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    xml = (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        f'<!DOCTYPE d [<!ENTITY l0 "lol">{laughs}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&l8;&f;</w:t></w:r></w:p></w:body></w:document>"
    )
    data = make_docx(["text"], extra={"word/document.xml": xml.encode(encoding)})
    assert refusal(data, "a.docx") == (UnreadableDocument, "unsafe_xml")
    sheet = make_zip({"xl/workbook.xml": xml.encode(encoding)})
    assert refusal(sheet, "a.xlsx") == (UnreadableDocument, "unsafe_xml")


def test_a_name_that_leaves_the_archive_is_refused() -> None:
    data = make_docx(["text"], extra={"../../etc/cron.d/x": "boo"})
    assert refusal(data, "a.docx") == (UnreadableDocument, "unsafe_path")


@pytest.mark.parametrize(
    "make", [lambda: make_docx(["Some text here."]), lambda: make_xlsx({"A": [[1, 2]]})]
)
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_half_an_office_file_is_broken(make: object, cut: float) -> None:
    assert callable(make)
    data: bytes = make()
    name = "a.docx" if b"word/" in data else "a.xlsx"
    assert refusal(data[: int(len(data) * cut)], name) == (UnreadableDocument, "broken")


def test_an_office_file_whose_parts_are_nonsense_is_broken() -> None:
    for part in ("word/document.xml", "[Content_Types].xml", "word/_rels/document.xml.rels"):
        data = make_docx(["text"], extra={part: "<not-closed"})
        assert refusal(data, "a.docx") == (UnreadableDocument, "broken")


def test_a_locked_member_says_so() -> None:
    data = bytearray(make_docx(["text"]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        first = archive.infolist()[0]
    directory = data.index(b"PK\x01\x02")
    data[first.header_offset + 6] |= 1
    data[directory + 8] |= 1
    assert refusal(bytes(data), "a.docx") == (UnreadableDocument, "encrypted")


def test_json_nested_beyond_reason_is_broken() -> None:
    assert refusal(b"[" * 200_000, "a.json") == (UnreadableDocument, "broken")
    assert refusal(b"{not json}", "a.json") == (UnreadableDocument, "broken")
