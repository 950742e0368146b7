"""PDF: sentences as they were written, with the page they stand on."""

import io
import json

import pypdf
import pytest

from knowledge.chunking import chunk
from knowledge.parsing import (
    Limits,
    ParsedDocument,
    RawPage,
    UnreadableDocument,
    assemble,
    parse,
    parse_pages,
)
from tests.support.files import make_lines_pdf, make_pdf, make_placed_pdf, make_scanned_pdf

LONG = (
    "Every member of the cooperative is entitled to thirty days of rest each year, which may be "
    "taken in up to three parts, provided that one of them is no shorter than fourteen days and "
    "that the request reaches the office before the end of the previous month."
)
HANDBOOK = [
    ["# Staff Handbook", LONG, "Short paragraph of page one."],
    ["# Travel", LONG.replace("rest", "travel"), "Tickets are booked by the office."],
    ["# Last things", "The secret word of the last page is sunflower seventy-seven."],
]


def page_text(document: ParsedDocument, page: int) -> str:
    span = next(span for span in document.pages if span.page == page)
    return document.markdown[span.start : span.end]


def test_a_wrapped_sentence_is_one_line_again() -> None:
    document = parse(make_pdf(HANDBOOK), filename="handbook.pdf")
    assert LONG in document.markdown
    assert "\n\nShort paragraph of page one.\n\n" in document.markdown


def test_large_type_is_a_heading() -> None:
    document = parse(make_pdf(HANDBOOK), filename="handbook.pdf")
    assert document.markdown.startswith("# Staff Handbook\n\nEvery member")
    assert "\n\n# Last things\n\n" in document.markdown
    assert document.title == "Staff Handbook"
    assert document.language == "en"


def test_every_page_knows_its_text() -> None:
    document = parse(make_pdf(HANDBOOK), filename="handbook.pdf")
    assert [span.page for span in document.pages] == [1, 2, 3]
    assert "Tickets are booked" in page_text(document, 2)
    assert "sunflower seventy-seven" in page_text(document, 3)
    assert document.pages[0].start == 0
    assert document.pages[-1].end >= len(document.markdown.rstrip())


def test_a_passage_of_the_last_page_is_cited_with_that_page() -> None:
    document = parse(make_pdf(HANDBOOK), filename="handbook.pdf")
    passage = chunk(document.markdown, pages=document.pages)[-1]
    assert "sunflower seventy-seven." in passage.text
    assert passage.page == 3
    assert passage.heading_path == ("Last things",)


def test_running_heads_and_page_numbers_are_left_out() -> None:
    pages = [[LONG, f"Point {n} of the list matters."] for n in range(1, 6)]
    data = make_pdf(pages, header="ACME Handbook 2026", footer="Page {page} of 5")
    markdown = parse(data, filename="a.pdf").markdown
    assert "ACME" not in markdown
    assert "of 5" not in markdown
    assert all(f"Point {n} of the list matters." in markdown for n in range(1, 6))


def test_a_sentence_over_two_pages_is_whole() -> None:
    words = LONG.split()
    first, second = " ".join(words[:20]), " ".join(words[20:])
    data = make_pdf([["Opening words.", first], [second, "Other text."]], header="ACME Handbook",
                    footer="{page}")  # fmt: skip
    document = parse(data, filename="a.pdf")
    assert LONG in document.markdown
    assert page_text(document, 2).startswith(second)


def test_a_line_alone_on_a_page_stays_on_it() -> None:
    pages = [[f"Page {n} tells of {word} without a stop"] for n, word in enumerate("abc", start=1)]
    document = parse(make_pdf(pages), filename="a.pdf")
    found = chunk(document.markdown, pages=document.pages)
    assert [(each.text[:6], each.page) for each in found] == [
        ("Page 1", 1),
        ("Page 2", 2),
        ("Page 3", 3),
    ]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_pages_that_look_alike_lose_nothing(count: int) -> None:
    pages = [[f"# Chapter {n}", f"The code for page {n} is XYZ{n}."] for n in range(1, count + 1)]
    markdown = parse(make_pdf(pages), filename="a.pdf").markdown
    for number in range(1, count + 1):
        assert f"# Chapter {number}\n" in markdown
        assert f"The code for page {number} is XYZ{number}." in markdown


def test_a_word_divided_at_the_end_of_a_line_is_put_together() -> None:
    lines = [
        "The regulation of the cooperative concerns the reim-",
        "bursement of costs, a well-known matter, and a well-",
        "known one. In Portuguese the decision torna-",
        "se final after a period of thirty days.",
    ]
    markdown = parse(make_lines_pdf([lines]), filename="a.pdf").markdown
    assert "the reimbursement of costs" in markdown
    assert "and a well-known one" in markdown
    assert "torna-se final" in markdown


def test_bullets_and_numbers_are_lists() -> None:
    lines = [
        "What to bring:",
        "• a passport",
        "• two photographs",
        "1. Fill in the form",
        "2. Sign it",
    ]
    markdown = parse(make_lines_pdf([lines]), filename="a.pdf").markdown
    assert "- a passport\n- two photographs\n1. Fill in the form\n2. Sign it" in markdown


def test_cells_that_stand_side_by_side_are_a_table() -> None:
    rows = [["Figure", "2024", "2025"], ["Passengers", "590,200", "618,400"], ["Museum", "68,300"]]
    cells = [
        (70 + 120 * column, 640 - 30 * row, text)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
    ]
    document = parse(
        make_placed_pdf(
            [
                (70, 700, "The figures of the year in a table:"),
                (70, 680, "1."),
                (86, 680, "First point."),
                *cells,
                (190, 567, "visitors"),
                (70, 530, "Text after the table goes on."),
            ]
        ),
        filename="a.pdf",
    )
    assert document.markdown == (
        "The figures of the year in a table:\n\n1. First point.\n\n| Figure | 2024 | 2025 |\n"
        "| --- | --- | --- |\n| Passengers | 590,200 | 618,400 |\n"
        "| Museum | 68,300 visitors |  |\n\nText after the table goes on.\n"
    )


def test_two_columns_of_prose_are_no_table() -> None:
    left = "In the left column the sentences go on for long, much longer than any cell of a table"
    right = "and in the right column they do the same, so that nobody takes them for one at all."
    pieces = [(40.0, 700.0 - 13 * n, left) for n in range(3)]
    pieces += [(500.0, 700.0 - 13 * n, right) for n in range(3)]
    both = sorted(pieces, key=lambda piece: (-piece[1], piece[0]))
    assert "| ---" not in parse(make_placed_pdf(both), filename="a.pdf").markdown


def test_text_that_looks_like_markup_stays_text() -> None:
    markdown = parse(make_lines_pdf([["# is the number sign.", "> is greater."]]), filename="a.pdf")
    assert markdown.markdown.startswith("\\# is the number sign.")


def test_the_title_comes_from_the_file_if_it_says_one() -> None:
    pages = [["# Heading", "Text of the page."]]
    assert parse(make_pdf(pages, title="Real title"), filename="a.pdf").title == "Real title"
    data = make_pdf(pages, title="Microsoft Word - draft3.doc")
    assert parse(data, filename="a.pdf").title == "Heading"
    assert parse(make_pdf([["Text."]]), filename="my_report-2.pdf").title == "my report-2"


def test_pages_can_be_kept_and_continued() -> None:
    data = make_pdf(HANDBOOK, header="ACME", footer="{page}")
    kept = []
    for page in parse_pages(data, filename="a.pdf"):
        kept.append(json.dumps(page.to_json()))
        if page.index == 0:
            break
    rest = list(parse_pages(data, filename="a.pdf", first=len(kept)))
    assert [page.index for page in rest] == [1, 2]
    assert rest[0].total == 3
    pages = [RawPage.from_json(json.loads(page)) for page in kept] + rest
    assert assemble(pages, filename="a.pdf") == parse(data, filename="a.pdf")


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(UnreadableDocument) as refusal:
        parse(data, filename="a.pdf", limits=limits or Limits())
    assert refusal.value.message
    return refusal.value.code


def test_a_lock_on_printing_alone_is_none_on_reading() -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf([["The tide turns."]])))
    writer.encrypt("", "owner's password", algorithm="AES-256")
    writer.write(restricted := io.BytesIO())
    assert b"/Encrypt" in restricted.getvalue()
    found = parse(restricted.getvalue(), filename="a.pdf")
    assert found.markdown.strip() == "The tide turns."


def test_files_that_cannot_be_read_say_why() -> None:
    whole = make_pdf(HANDBOOK)
    assert code_of(make_pdf(HANDBOOK, password="secret")) == "encrypted"
    assert code_of(make_scanned_pdf(2)) == "ocr_missing"
    assert code_of(make_pdf([[]])) == "empty"
    assert code_of(b"%PDF-1.7\ngarbage") == "broken"
    assert code_of(whole[:300]) == "broken"
    assert code_of(whole, Limits(pages=2)) == "too_many_pages"
    assert code_of(whole, Limits(output_characters=100)) == "too_large"
    assert code_of(whole, Limits(input_bytes=100)) == "too_large"


def test_a_page_without_text_among_others_is_a_warning() -> None:
    document = parse(make_scanned_pdf(1, text_pages=1), filename="a.pdf")
    assert "Text of page 1 goes here." in document.markdown
    assert document.warnings[0] == "Page 2 is a picture without text and was left out."
    assert "apt-get install tesseract-ocr" in document.warnings[1]


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.8, 0.95])
def test_a_damaged_file_gives_text_or_a_reason(cut: float) -> None:
    data = make_pdf(HANDBOOK)
    at = int(len(data) * cut)
    damaged = data[:at] + b"\xff" * 40 + data[at + 40 :]
    try:
        outcome = parse(damaged, filename="a.pdf").markdown
    except UnreadableDocument as refusal:
        outcome = refusal.code
    assert "Handbook" in outcome or "Travel" in outcome or outcome in ("broken", "empty")
