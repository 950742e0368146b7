"""Comparing two texts by lines and words."""

from knowledge.merging.rows import compare_texts, word_parts


def test_equal_texts_have_no_rows() -> None:
    diff = compare_texts("a\nb\n", "a\nb\n")
    assert (diff.rows, diff.added, diff.removed) == ([], 0, 0)


def test_only_the_changed_words_are_marked() -> None:
    old, new = word_parts("The tide comes at noon.", "The tide comes at midnight.")
    assert [text for text, is_own in old if is_own] == ["noon"]
    assert [text for text, is_own in new if is_own] == ["midnight"]


def test_lines_keep_their_numbers_and_far_ones_are_hidden() -> None:
    lines = [f"line {n}" for n in range(1, 41)]
    diff = compare_texts("\n".join(lines), "\n".join([*lines[:20], "new", *lines[20:]]))
    added = next(row for row in diff.rows if row.kind == "added")
    assert (added.old, added.new) == (None, 21)
    assert [row.hidden for row in diff.rows if row.kind == "gap"] == [17, 17]
    assert (diff.added, diff.removed) == (1, 0)


def test_both_texts_can_be_put_together_again() -> None:
    old, new = "a\nb\nc x y\nd", "a\nc x z\nd\ne"
    rows = compare_texts(old, new).rows
    left = ["".join(text for text, _own in row.old_parts) for row in rows if row.old]
    right = ["".join(text for text, _own in row.new_parts) for row in rows if row.new]
    assert ("\n".join(left), "\n".join(right)) == (old, new)


def test_a_huge_change_is_cut_instead_of_compared() -> None:
    old = "\n".join(f"old {n}" for n in range(9000))
    new = "\n".join(f"new {n}" for n in range(9000))
    diff = compare_texts(old, new)
    assert diff.is_cut
    assert len(diff.rows) == 4000
