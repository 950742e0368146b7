"""Three-way merge of texts: its laws, its edges, and git beside it."""

import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.merging.aligning import hunks_of, regions_of
from knowledge.merging.text import (
    Piece,
    TextMerge,
    lines_of,
    merge_texts,
    with_line_ends_of,
    words_of,
)

few_lines = st.lists(st.sampled_from(["", "a", "b", "the tide comes in", "the ebb goes out"]))
ends = st.sampled_from(["\n", "\n", "\n", "\r\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return lines of few kinds, so that sides share many; some end unlike others, or not."""
    lines = draw(few_lines)
    text = "".join(line + draw(ends) for line in lines)
    return text.removesuffix("\n") if draw(st.booleans()) else text


def swapped(merge: TextMerge) -> list[Piece]:
    names: dict[str, Any] = {"ours": "theirs", "theirs": "ours"}
    return [
        replace(
            piece,
            kind=names.get(piece.kind, piece.kind),
            ours=piece.theirs,
            theirs=piece.ours,
            with_ours=piece.with_theirs,
            with_theirs=piece.with_ours,
        )
        for piece in merge.pieces
    ]


@settings(deadline=None)
@given(texts(), texts())
def test_what_one_side_alone_changed_is_the_result(base: str, changed: str) -> None:
    for merge in (
        merge_texts(base, changed, base),
        merge_texts(base, base, changed),
        merge_texts(base, changed, changed),
    ):
        assert merge.is_clean
        assert merge.text_of() == changed


@settings(deadline=None)
@given(texts(), texts(), texts())
def test_swapping_the_sides_swaps_their_names_only(base: str, ours: str, theirs: str) -> None:
    merge = merge_texts(base, ours, theirs)
    other = merge_texts(base, theirs, ours)
    assert swapped(other) == list(merge.pieces)


@settings(deadline=None)
@given(texts(), texts(), texts(), st.booleans())
def test_the_pieces_hold_all_three_texts(base: str, ours: str, theirs: str, by_words: bool) -> None:
    merge = merge_texts(base, ours, theirs, by_words=by_words)
    for side, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        together = "".join(getattr(piece, side) for piece in merge.pieces)
        assert together.replace("\r\n", "\n") == text.replace("\r\n", "\n")


@settings(deadline=None)
@given(texts(), texts(), texts())
def test_no_line_is_lost_outside_a_conflict(base: str, ours: str, theirs: str) -> None:
    merge = merge_texts(base, ours, theirs, by_words=False)
    seen = {unit.text for unit in lines_of(merge.text_of("ours"))}
    seen |= {unit.text for unit in lines_of(merge.text_of("theirs"))}
    known = {unit.text for unit in lines_of(base)}
    for side, other in ((ours, theirs), (theirs, ours)):
        lines = {unit.text for unit in lines_of(side)}
        assert lines - known <= seen, "added by a side"
        assert lines & known & {unit.text for unit in lines_of(other)} - seen == set()


@settings(deadline=None)
@given(texts(), texts(), texts())
def test_the_places_of_conflicts_are_those_of_their_texts(
    base: str, ours: str, theirs: str
) -> None:
    merge = merge_texts(base, ours, theirs)
    picked = [f"<{number}>" for number, _piece in enumerate(merge.conflicts)]
    text, spans = merge.rendered(picked)
    for (start, end), choice in zip(spans, picked, strict=True):
        assert text[start:end] in (choice, choice + merge.newline)


@settings(deadline=None)
@given(st.text("abc", max_size=30), st.text("abcd", max_size=30))
def test_the_difference_is_as_short_as_can_be_and_leads_across(old: str, new: str) -> None:
    hunks = hunks_of(old, new)
    made = old
    for hunk in reversed(hunks):
        made = made[: hunk.low] + new[hunk.new_low : hunk.new_high] + made[hunk.high :]
    assert made == new
    kept = len(old) - sum(hunk.high - hunk.low for hunk in hunks)
    row = [0] * (len(new) + 1)  # the length of the longest common subsequence, by the textbook
    for unit in old:
        above = row
        row = [0]
        for n, other in enumerate(new):
            row.append(above[n] + 1 if unit == other else max(above[n + 1], row[n]))
    assert kept == row[-1]


@settings(deadline=None)
@given(st.text("ab", max_size=12), st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_regions_cover_everything_once(base: str, ours: str, theirs: str) -> None:
    regions = regions_of(base, ours, theirs)
    for name, whole in (("base", base), ("ours", ours), ("theirs", theirs)):
        assert "".join(whole[getattr(region, name)] for region in regions) == whole


@settings(deadline=None)
@given(st.text("aé1 ,.\n\t", max_size=60))
def test_words_and_lines_hold_the_whole_text(text: str) -> None:
    assert "".join(word + tail for word, tail in words_of(text)) == text
    assert "".join(line + tail for line, tail in lines_of(text)) == text


BASE = "The tide comes at noon.\n\nBoats wait in the harbour until then.\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        # different paragraphs
        (
            BASE.replace("noon", "one"),
            BASE.replace("Boats", "Ferries"),
            "The tide comes at one.\n\nFerries wait in the harbour until then.\n",
        ),
        # different words of one paragraph
        (
            BASE.replace("Boats", "Ferries"),
            BASE.replace("until then", "until it turns"),
            "The tide comes at noon.\n\nFerries wait in the harbour until it turns.\n",
        ),
        # one rewraps, the other rewords
        (
            BASE.replace("in the harbour", "in the\nharbour"),
            BASE.replace("until then", "for it"),
            "The tide comes at noon.\n\nBoats wait in the\nharbour for it.\n",
        ),
        # line ends of a browser, and a missing last one
        (
            BASE.replace("\n", "\r\n").replace("noon", "one"),
            BASE.replace("Boats", "Ferries").rstrip("\n"),
            "The tide comes at one.\r\n\r\nFerries wait in the harbour until then.",
        ),
        # one drops the last line end, the other writes on
        (BASE.rstrip("\n"), BASE + "And sail.\n", BASE + "And sail.\n"),
        # both add the same
        (BASE + "And sail.\n", BASE + "And sail.\n", BASE + "And sail.\n"),
    ],
)
def test_changes_that_do_not_overlap_are_merged(ours: str, theirs: str, merged: str) -> None:
    merge = merge_texts(BASE, ours, theirs)
    assert merge.is_clean
    assert merge.text_of() == merged


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (BASE.replace("noon", "one"), BASE.replace("noon", "two")),
        (BASE.replace("noon", "one"), BASE.replace("at noon", "late")),
        (BASE.replace("The tide comes at noon.\n\n", ""), BASE.replace("noon", "two")),
        (BASE + "Ours.\n", BASE + "Theirs.\n"),
    ],
)
def test_changes_of_one_place_are_a_conflict_of_whole_lines(ours: str, theirs: str) -> None:
    merge = merge_texts(BASE, ours, theirs)
    (conflict,) = merge.conflicts
    assert conflict.ours in ours
    assert conflict.theirs in theirs
    assert conflict.base in BASE
    assert merge.text_of("ours") == ours
    assert merge.text_of("theirs") == theirs


def test_only_the_lines_in_dispute_are_a_conflict() -> None:
    base = "- milk: two litres\n- eggs: six of them\n- bread: one loaf\n"
    ours = "- milk: three litres\n- eggs: ten of them\n- bread: one loaf\n"
    theirs = "- milk: two litres\n- eggs: nine of them\n- bread: two loaves\n"
    merge = merge_texts(base, ours, theirs)
    (conflict,) = merge.conflicts
    assert (conflict.base, conflict.ours, conflict.theirs) == (
        "- eggs: six of them\n",
        "- eggs: ten of them\n",
        "- eggs: nine of them\n",
    )
    text, spans = merge.rendered(["- eggs: none\n"])
    assert text == "- milk: three litres\n- eggs: none\n- bread: two loaves\n"
    assert text[slice(*spans[0])] == "- eggs: none\n"


def test_a_choice_keeps_what_the_other_side_alone_changed_around_it() -> None:
    base = "The ferry leaves at noon and comes back at six. Tickets cost 12 euros.\n"
    ours = base.replace("noon", "one")
    theirs = base.replace("noon", "two").replace("12", "14")
    merge = merge_texts(base, ours, theirs)
    (conflict,) = merge.conflicts
    assert (conflict.ours, conflict.theirs) == (ours, theirs)
    assert merge.text_of("ours") == ours.replace("12", "14")
    assert merge.text_of("theirs") == theirs


def test_what_both_sides_have_alike_is_no_part_of_a_conflict() -> None:
    merge = merge_texts("", "same\nours\nend\n", "same\ntheirs\nend\n")
    assert [(p.kind, p.ours, p.theirs) for p in merge.pieces] == [
        ("both", "same\n", "same\n"),
        ("conflict", "ours\n", "theirs\n"),
        ("both", "end\n", "end\n"),
    ]


def test_rewritten_paragraphs_are_not_stirred_together() -> None:
    base = "The tide comes in at noon and the boats wait.\n"
    ours = "Ferries leave with the morning bell, the crew says.\n"
    theirs = "The tide comes in at one and the boats wait.\n"
    assert len(merge_texts(base, ours, theirs).conflicts) == 1


def test_a_choice_without_a_line_end_does_not_swallow_the_next_line() -> None:
    merge = merge_texts("a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n")
    assert merge.rendered(["z"]) == ("a\nz\nc\n", [(2, 3)])


def test_a_text_takes_over_line_ends() -> None:
    assert with_line_ends_of("a\nb", "x\r\ny\r\n") == "a\r\nb"
    assert with_line_ends_of("a\r\nb", "x\ny") == "a\nb"
    assert with_line_ends_of("a\nb", "x\r\ny\n") == "a\nb"


def test_long_texts_of_few_different_lines_are_merged_in_bounded_work() -> None:
    """Where no line is unique and all is changed, the search for the shortest edit gives up."""
    numbers = random.Random(1)
    base, ours = (numbers.choices(["", "-", "|", "a"], k=3000) for _ in range(2))
    hunks = hunks_of(base, ours)
    at = new_at = 0
    for hunk in hunks:
        assert base[at : hunk.low] == ours[new_at : hunk.new_low]
        at, new_at = hunk.high, hunk.new_high
    assert base[at:] == ours[new_at:]


# -- git beside it -----------------------------------------------------------------------------


def edited(numbers: random.Random, lines: list[str]) -> list[str]:
    """Return lines after a few edits such as people make: words, lines, paragraphs, moves."""
    lines = list(lines)
    for _ in range(numbers.randint(1, 4)):
        at = numbers.randrange(len(lines))
        what = numbers.randrange(5)
        if what == 0:
            lines.insert(at, f"New line {numbers.randrange(1000)} here.\n")
        elif what == 1 and len(lines) > 1:
            del lines[at : at + numbers.randint(1, 3)]
            lines = lines or ["All gone.\n"]
        elif what == 2:
            lines[at:at] = [f"A new paragraph {numbers.randrange(1000)}.\n", "\n"]
        elif what == 3:
            lines.insert(numbers.randrange(len(lines)), lines.pop(at))
        else:
            words = lines[at].split(" ")
            words[numbers.randrange(len(words))] = f"word{numbers.randrange(100)}"
            lines[at] = " ".join(words).rstrip("\n") + "\n"
    return lines


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_where_git_merges_the_result_is_the_same(tmp_path: Path) -> None:
    """On edits of the demo's pages; `benchmarks/merge_speed.py --check` tries thousands."""
    pages = sorted((django_settings.BASE_DIR / "project" / "demo" / "nodes").rglob("*.md"))
    numbers = random.Random(20261120)
    merged = 0
    for _ in range(150):
        base = numbers.choice(pages).read_text(encoding="utf-8").splitlines(keepends=True)
        three = [base, edited(numbers, base), edited(numbers, base)]
        names = [tmp_path / name for name in ("base", "ours", "theirs")]
        for path, lines in zip(names, three, strict=True):
            path.write_text("".join(lines), encoding="utf-8")
        command = ["git", "merge-file", "-p", names[1], names[0], names[2]]
        git = subprocess.run(command, capture_output=True, check=False)
        own = merge_texts(*("".join(lines) for lines in three))
        if git.returncode == 0:
            merged += 1
            assert own.is_clean
            assert own.text_of() == git.stdout.decode()
    assert merged > 50
