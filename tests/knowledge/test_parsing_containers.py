"""Archives, mailboxes and attachments: many documents in a file, and what some files try."""

import io
import json
import zipfile
from dataclasses import replace

import pytest

from knowledge.parsing import Limits, ParsedDocument, ParsingError, Place, check_upload, parse_file
from knowledge.parsing._walk import Walk
from tests.support.files import make_docx, make_eml, make_mbox, make_pdf, make_zip

PAGES = make_pdf([["The first page of the plan."], ["The second page of the plan."]])
LETTER = make_eml("Ferry delayed", "The ferry is late.\n", attachment=("plan.pdf", PAGES))


def read(data: bytes, filename: str, **limits: int) -> list[ParsedDocument]:
    return parse_file(data, filename=filename, limits=replace(Limits(), **limits))


def code_of(data: bytes, filename: str, **limits: int) -> str:
    with pytest.raises(ParsingError) as raised:
        read(data, filename, **limits)
    assert raised.value.message
    return raised.value.code


def test_an_archive_gives_its_documents_each_with_its_place() -> None:
    inner = make_zip({"deep/note.txt": "A note that lies deep."})
    data = make_zip(
        {
            "plan.pdf": PAGES,
            "mail/letter.eml": LETTER,
            "more.zip": inner,
            "same.pdf": PAGES,
            "run.exe": b"MZ\x90\0",
            "empty.md": "",
            "__MACOSX/._plan.pdf": b"x",
        }
    )
    whole, *found = read(data, "hand over.zip")
    assert [each.entry for each in found] == [
        "mail/letter.eml",
        "mail/letter.eml/plan.pdf",
        "more.zip/deep/note.txt",
    ]
    assert whole.title == "hand over"
    told = dict(each.split(": ", 1) for each in whole.warnings)
    assert sorted(told) == ["empty.md", "plan.pdf", "run.exe", "same.pdf"]
    assert told["plan.pdf"] == "It is the same as mail/letter.eml/plan.pdf."
    plan = next(each for each in found if each.entry.endswith("plan.pdf"))
    assert [span.page for span in plan.pages] == [1, 2]
    assert plan.pages[1].label == "mail/letter.eml/plan.pdf · page 2"
    assert plan.metadata["entry"] == plan.entry


def test_a_mailbox_gives_messages_by_their_identifiers() -> None:
    other = make_eml("Fares", "They rise.\n\n>From June on.\n").replace(
        b"Subject:", b"Message-ID: <42@example.org>\nSubject:"
    )
    whole, *found = read(make_mbox(LETTER, other), "team.mbox")
    assert [each.title for each in found] == ["Ferry delayed", "plan", "Fares"]
    assert found[2].entry == "42@example.org"
    assert "\nFrom June on." in found[2].markdown
    assert found[0].pages[0].label == "message of 2026-11-20"
    assert found[1].entry == f"{found[0].entry}/plan.pdf"
    assert whole.warnings == []
    again = read(make_mbox(other, LETTER), "team.mbox")
    assert {each.entry for each in again} == {each.entry for each in [whole, *found]}


def test_a_message_is_a_document_and_so_is_what_is_attached() -> None:
    message, plan = read(LETTER, "letter.eml")
    assert (message.entry, message.title) == ("", "Ferry delayed")
    assert (plan.entry, plan.pages[0].label) == ("plan.pdf", "plan.pdf · page 1")


@pytest.mark.parametrize("encoding", ["cp437", "cp850", "cp1252", "utf-8"])
def test_names_are_read_in_the_encoding_of_whoever_wrote_them(encoding: str) -> None:
    name = "Relatório anual.md" if encoding == "cp437" else "Relatório de ações.md"
    raw = name.encode(encoding)
    data = make_zip({"X" * len(raw): "Text."}).replace(b"X" * len(raw), raw)
    assert read(data, "a.zip")[1].entry == name


def locked(data: bytes) -> bytes:
    """The archive with every member marked as encrypted."""
    out = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            out[member.header_offset + 6] |= 1
    at = -1
    while (at := out.find(b"PK\x01\x02", at + 1)) >= 0:
        out[at + 8] |= 1
    return bytes(out)


NESTED = make_zip({"c.zip": make_zip({"d.zip": make_zip({"e.md": "Too deep."})})})


@pytest.mark.parametrize(
    ("data", "filename", "limits", "code"),
    [
        (make_zip({}), "a.zip", {}, "empty"),
        (make_zip({"a.exe": "MZ"}), "a.zip", {}, "nothing_readable"),
        (locked(make_zip({"a.md": "text", "b.md": "text"})), "a.zip", {}, "encrypted"),
        (make_zip({"../a.md": "text"}), "a.zip", {}, "unsafe_path"),
        (make_zip({"/etc/passwd": "text"}), "a.zip", {}, "unsafe_path"),
        (make_zip({"c:\\..\\..\\a.md": "text"}), "a.zip", {}, "unsafe_path"),
        (make_zip({f"{n}.md": "a" for n in range(9)}), "a.zip", {"archive_files": 8}, "too_large"),
        (make_zip({f"{n}.md": f"{n}" for n in range(9)}), "a.zip", {"entries": 8},
         "too_many_entries"),
        (make_zip({"a.md": b"a" * 9000}), "a.zip", {"unpacked_bytes": 8000}, "too_large"),
        (
            make_zip({"in.zip": make_zip({f"{n}.md": b"%d" % n + bytes(3000) for n in range(4)})}),
            "a.zip",
            {"unpacked_bytes": 8000},
            "nothing_readable",
        ),
        (make_zip({f"{n}.md": f"{n} text" * 9 for n in range(9)}), "a.zip",
         {"archive_characters": 400}, "too_large"),
        (make_zip({"b.zip": NESTED}), "a.zip", {}, "nothing_readable"),
        (make_zip({"a.md": "text"})[:-30], "a.zip", {}, "broken"),
        (b"no mail at all", "a.mbox", {}, "broken"),
        (b"no mail at all", "a.eml", {}, "broken"),
        (make_mbox(*(make_eml(f"{n}", "text") for n in range(9))), "a.mbox", {"entries": 8},
         "too_many_entries"),
        (b'{"a": 1}\nnot json\n', "a.jsonl", {}, "broken"),
    ],
)  # fmt: skip
def test_files_that_are_refused_say_why(
    data: bytes, filename: str, limits: dict[str, int], code: str
) -> None:
    assert code_of(data, filename, **limits) == code


def test_a_bomb_within_an_archive_leaves_the_others_readable() -> None:
    bomb = make_docx(["text"], extra={"word/media/x.bin": bytes(30_000_000)})
    whole, note = read(make_zip({"bomb.docx": bomb, "note.md": "A note."}), "a.zip")
    assert note.entry == "note.md"
    assert whole.warnings == ["bomb.docx: The file unpacks to more than may be read."]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make_zip({"../a.md": "text"}), "unsafe_path"),
        (locked(make_zip({"a.md": "text"})), "encrypted"),
        (make_zip({}), "empty"),
    ],
)
def test_an_upload_is_refused_for_what_its_list_of_files_says(data: bytes, code: str) -> None:
    with pytest.raises(ParsingError) as raised:
        check_upload(data, "a.zip")
    assert raised.value.code == code


def test_reading_goes_on_after_any_page_that_was_kept() -> None:
    data = make_zip({"a.pdf": PAGES, "b.eml": LETTER, "c.exe": "MZ", "d.md": "The end."})
    pages = list(Walk(Limits()).pages(data, "a.zip", None))
    shares = [page.share for page in pages]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    for number, page in enumerate(pages):
        after = Place(page.entry, page.index, "error" in page.info)
        rest = list(Walk(Limits(), after=after).pages(data, "a.zip", None))
        assert rest == pages[number + 1 :]


def test_lines_of_json_are_a_table_or_a_section_each() -> None:
    plain = "\n".join(json.dumps({"city": f"C{n}", "ferries": n}) for n in range(3))
    (table,) = read(plain.encode(), "a.jsonl")
    assert table.markdown.startswith("| city | ferries |\n| --- | --- |\n| C0 | 0 |")
    nested = "\n".join(json.dumps({"title": f"C{n}", "lines": [1, 2]}) for n in range(2))
    (sections,) = read(nested.encode(), "a.ndjson")
    assert sections.markdown.startswith("## C0\n\n- **title**: C0\n- **lines**:\n  - 1")
    (tabs,) = read(b"name\tsaid\nAna\tHello, Bruno; yes\n", "a.tsv")
    assert "| Ana | Hello, Bruno; yes |" in tabs.markdown
