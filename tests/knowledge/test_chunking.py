"""Passages: exact slices, whole thoughts, sizes a small model can read."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import Passage, chunk, estimate_tokens
from knowledge.parsing import PageSpan

SENTENCES = [
    f"Rule {n} says that members of group {n} may travel at half price." for n in range(60)
]


def texts(passages: list[Passage]) -> list[str]:
    return [passage.text for passage in passages]


@pytest.mark.parametrize("markdown", ["", "  \n\n", "---\n\n***\n", "#\n"])
def test_a_text_without_words_has_no_passages(markdown: str) -> None:
    assert chunk(markdown) == []


def test_a_short_section_is_one_passage_with_its_heading() -> None:
    markdown = "# Refunds\n\nFive days.\n\n## Late\n\nTen days.\n"
    passages = chunk(markdown)
    assert texts(passages) == ["# Refunds\n\nFive days.", "## Late\n\nTen days."]
    assert [p.heading_path for p in passages] == [("Refunds",), ("Refunds", "Late")]
    assert [p.context for p in passages] == ["", "Refunds"]
    assert passages[1].indexed_text("Guide") == "Guide\nRefunds\nLate\nTen days."


def test_a_long_section_is_cut_at_sentences_without_tiny_tails() -> None:
    markdown = "# Travel\n\n" + " ".join(SENTENCES)
    passages = chunk(markdown)
    assert len(passages) > 3
    assert all(p.text.endswith(".") for p in passages)
    assert all(p.heading_path == ("Travel",) for p in passages)
    assert min(p.tokens for p in passages) > 30
    assert passages[1].context == "Travel"


def test_a_heading_without_text_goes_with_what_follows_it() -> None:
    assert texts(chunk("# Guide\n\n## Refunds\n\nFive days.")) == [
        "# Guide\n\n## Refunds\n\nFive days."
    ]


def test_a_last_heading_without_text_goes_with_what_stands_before_it() -> None:
    assert texts(chunk("# A\n\nFive days.\n\n## To do\n")) == ["# A\n\nFive days.\n\n## To do"]


def test_a_text_of_headings_only_is_still_found() -> None:
    assert texts(chunk("# Closed on Sundays\n\n## And on Mondays\n")) == [
        "# Closed on Sundays\n\n## And on Mondays"
    ]


def test_hundreds_of_bare_headings_do_not_make_one_endless_passage() -> None:
    markdown = "\n\n".join(f"## Heading number {n} of the list" for n in range(300)) + "\n\nEnd."
    assert max(p.tokens for p in chunk(markdown)) < 250


def test_underlined_headings_count_and_headings_in_code_do_not() -> None:
    markdown = (
        "Refunds\n=======\n\nFive days.\n\n```sh\n# not a heading\nls\n```\n\nLate\n---\n\nTen."
    )
    assert [p.heading_path for p in chunk(markdown)] == [("Refunds",), ("Refunds", "Late")]


def test_the_heading_path_is_plain_text() -> None:
    assert chunk("# The **new** [[Fares|fares]] & `code`\n\nText.")[0].heading_path == (
        "The new fares & code",
    )


def test_a_row_cut_off_its_table_keeps_the_header_as_context() -> None:
    rows = "".join(f"| Line {n} | {n} euros and {n} cents | Mondays |\n" for n in range(60))
    passages = chunk(f"# Fares\n\n| Line | Price | Day |\n|---|---:|---|\n{rows}\nAfter the table.")
    assert len(passages) > 3
    assert passages[0].context == ""
    assert all(p.context == "Fares\nLine | Price | Day" for p in passages[1:])
    assert all(p.text.startswith("| Line ") for p in passages[1:])


def test_a_code_block_that_fits_is_not_cut() -> None:
    code = "```python\n" + "".join(f"value_{n} = call({n})\n\n" for n in range(8)) + "```"
    markdown = "\n\n".join([" ".join(SENTENCES[:9]), code, " ".join(SENTENCES[9:18])])
    assert sum(code in text for text in texts(chunk(markdown))) == 1


def test_a_long_code_block_leaves_no_crumbs() -> None:
    code = "```python\n" + "".join(f"value_{n} = call({n})\n" for n in range(200)) + "```"
    assert all(p.tokens >= 25 for p in chunk("Before.\n\n" + code))


def test_a_passage_has_the_page_that_holds_most_of_it() -> None:
    markdown = "# A\n\nFirst page.\n\n# B\n\nB begins here, and goes on for long on the next page."
    split = markdown.index("here")
    pages = [PageSpan(1, "1", 0, split), PageSpan(2, "2", split, len(markdown))]
    assert [p.page for p in chunk(markdown, pages=pages)] == [1, 2]
    assert [p.page for p in chunk(markdown)] == [None, None]


def test_overlap_repeats_whole_sentences() -> None:
    markdown = " ".join(SENTENCES)
    plain, overlapping = chunk(markdown), chunk(markdown, overlap=40)
    assert [p.end for p in plain] == [p.end for p in overlapping]
    for before, after in pairwise(overlapping):
        assert 0 < before.end - after.start < 300
        assert after.text.startswith("Rule ")


def test_a_tokenizer_may_be_given() -> None:
    passages = chunk(" ".join(SENTENCES), count_tokens=lambda text: len(text.split()))
    assert all(p.tokens == len(p.text.split()) for p in passages)
    assert 100 < max(p.tokens for p in passages) <= 216


@pytest.mark.parametrize("text", ["x" * 50_000, "語" * 9_000, "1234567890" * 2_000, "-+" * 9_000])
def test_text_without_spaces_is_cut_all_the_same(text: str) -> None:
    passages = chunk(text + " end")
    assert max(p.tokens for p in passages) < 260 or "-+" in text


def test_ten_megabytes_take_seconds() -> None:
    part = "\n\n".join([f"## Part\n\n{' '.join(SENTENCES)}", " ".join(SENTENCES[:20])])
    markdown = "\n\n".join([part] * (10_000_000 // len(part)))
    began = time.process_time()
    passages = chunk(markdown)
    assert time.process_time() - began < 60
    assert len(passages) > 10_000


def test_sizes_that_make_no_sense_are_refused() -> None:
    for size in ({"max_tokens": 5}, {"max_tokens": 100, "overlap": 60}, {"overlap": -1}):
        with pytest.raises(ValueError, match="max_tokens"):
            chunk("text", **size)


MARKDOWN = st.lists(
    st.sampled_from(
        ["# A heading\n", "## Another *one*\n", "\n", "\n\n", "word ", "Sentence one. ", "- item\n",
         "1. step\n", "```\n", "~~~\n", "    code\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "> q\n",
         "=====\n", "---\n", "long" * 40, "é ", "語語語", "\r\n", "\t", " ".join(SENTENCES[:6])]
    )
    | st.text(max_size=30),
    max_size=60,
).map("".join)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(MARKDOWN, st.integers(20, 200), st.sampled_from([0, 8]))
def test_passages_are_slices_in_order_that_lose_no_word(
    markdown: str, max_tokens: int, overlap: int
) -> None:
    passages = chunk(markdown, max_tokens=max_tokens, overlap=overlap)
    covered = bytearray(len(markdown))
    for position, passage in enumerate(passages):
        assert passage.position == position
        assert markdown[passage.start : passage.end] == passage.text
        assert passage.tokens == estimate_tokens(passage.text)
        assert re.search(r"[^\W_]", passage.text)
        assert passage.text == passage.text.rstrip()
        covered[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
    for before, after in pairwise(passages):
        assert before.start < after.start
        assert before.end < after.end
        assert overlap or before.end <= after.start
    lost = [c for c, seen in zip(markdown, covered, strict=True) if not seen]
    assert not re.search(r"[^\W_]", "".join(lost))
    assert chunk(markdown, max_tokens=max_tokens, overlap=overlap) == passages


@settings(max_examples=100, deadline=None)
@given(MARKDOWN)
def test_a_heading_never_stands_alone_beside_other_text(markdown: str) -> None:
    passages = chunk(markdown)
    for passage in passages if len(passages) > 1 else []:
        body = re.sub(r"(?m)^ {0,3}#{1,6}([ \t].*)?$", "", passage.text)
        assert re.search(r"\S", body)


def test_no_passage_runs_over_the_beginning_of_a_page() -> None:
    first, second, third = "Gulls nest on the pier.\n\n", "Seals rest. They ", "sleep.\n\nTerns.\n"
    text = first + second + third
    starts = [0, len(first), len(first + second)]
    spans = zip(starts, [*starts[1:], len(text)], strict=True)
    pages = [PageSpan(number, str(number), *span) for number, span in enumerate(spans, start=1)]
    found = chunk(text, pages=pages)
    assert [(each.text, each.page) for each in found] == [
        ("Gulls nest on the pier.", 1),
        ("Seals rest. They sleep.", 2),  # page 3 begins inside of it
        ("Terns.", 3),
    ]


def test_code_that_runs_over_a_page_is_not_torn() -> None:
    text = "Above.\n\n```\na = 1\nb = 2\n```\n"
    at = text.index("b = 2")
    assert len(chunk(text, pages=[PageSpan(1, "1", 0, at), PageSpan(2, "2", at, len(text))])) == 1


def test_a_heading_goes_with_the_page_that_its_text_begins_on() -> None:
    text = "# Tides\n\nHigh at noon.\n\nLow at six.\n"
    at, then = text.index("High"), text.index("Low")
    found = chunk(
        text,
        pages=[
            PageSpan(1, "1", 0, at),
            PageSpan(2, "2", at, then),
            PageSpan(3, "3", then, len(text)),
        ],
    )
    assert [(each.start, each.page) for each in found] == [(0, 2), (then, 3)]
