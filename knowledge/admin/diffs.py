"""Two texts side by side: changed lines, and inside them the changed words.

Pure. Lines are matched by difflib; of a replaced block the lines are paired in order, and the
words of a pair are matched in the same way.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTEXT = 3
MOST_LINES = 4000
"""Of the changed middle on either side; longer ones are shown as replaced, and cut off."""
MOST_CHARS = 4000
"""Of a pair of lines whose words are compared."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Part = tuple[str, bool]
Kind = Literal["equal", "change", "removed", "added", "gap"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of both sides; a side without a line has number None. A gap hides `hidden` lines."""

    kind: Kind
    old: int | None = None
    new: int | None = None
    old_parts: Sequence[Part] = ()
    new_parts: Sequence[Part] = ()
    hidden: int = 0


@dataclass(slots=True)
class TextDiff:
    """All rows, and how many lines came and went; `is_cut` when some are left out."""

    rows: list[Row] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    is_cut: bool = False


def compare_texts(old: str, new: str) -> TextDiff:
    """Return the rows of the two texts that differ, with a few equal lines around them."""
    left, right = old.splitlines(), new.splitlines()
    head, tail = _common_ends(left, right)
    middle_left, middle_right = left[head : len(left) - tail], right[head : len(right) - tail]
    diff = TextDiff()
    if max(len(middle_left), len(middle_right)) > MOST_LINES:
        diff.is_cut = True
        middle_left, middle_right = middle_left[:MOST_LINES], middle_right[:MOST_LINES]
        codes = [("replace", 0, len(middle_left), 0, len(middle_right))]
    else:
        matcher = difflib.SequenceMatcher(None, middle_left, middle_right, autojunk=False)
        codes = [tuple(code) for code in matcher.get_opcodes()]  # type: ignore[misc]
    rows = [_equal(line, at, at) for at, line in enumerate(left[:head])]
    for tag, i1, i2, j1, j2 in codes:
        if tag == "equal":
            rows += [
                _equal(middle_left[i1 + n], head + i1 + n, head + j1 + n) for n in range(i2 - i1)
            ]
            continue
        rows += _block(middle_left[i1:i2], middle_right[j1:j2], head + i1, head + j1)
        diff.removed += i2 - i1
        diff.added += j2 - j1
    if not diff.is_cut:
        first_left, first_right = len(left) - tail, len(right) - tail
        rows += [_equal(left[first_left + n], first_left + n, first_right + n) for n in range(tail)]
    diff.rows = _folded(rows)
    return diff


def word_parts(old: str, new: str) -> tuple[list[Part], list[Part]]:
    """Return both lines in parts, each marked whether it is the line's own."""
    if len(old) + len(new) > MOST_CHARS:
        return [(old, True)], [(new, True)]
    left, right = _WORDS.findall(old), _WORDS.findall(new)
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    if matcher.ratio() < 0.2:
        return [(old, True)], [(new, True)]
    old_parts: list[Part] = []
    new_parts: list[Part] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        is_changed = tag != "equal"
        if i2 > i1:
            old_parts.append(("".join(left[i1:i2]), is_changed))
        if j2 > j1:
            new_parts.append(("".join(right[j1:j2]), is_changed))
    return old_parts, new_parts


def _common_ends(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    limit = min(len(left), len(right))
    head = 0
    while head < limit and left[head] == right[head]:
        head += 1
    tail = 0
    while tail < limit - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    return head, tail


def _equal(line: str, old: int, new: int) -> Row:
    parts = [(line, False)]
    return Row("equal", old + 1, new + 1, parts, parts)


def _block(old: Sequence[str], new: Sequence[str], old_at: int, new_at: int) -> Iterable[Row]:
    for number in range(max(len(old), len(new))):
        if number >= len(new):
            yield Row("removed", old_at + number + 1, None, [(old[number], False)])
        elif number >= len(old):
            yield Row("added", None, new_at + number + 1, (), [(new[number], False)])
        else:
            old_parts, new_parts = word_parts(old[number], new[number])
            yield Row("change", old_at + number + 1, new_at + number + 1, old_parts, new_parts)


def _folded(rows: list[Row]) -> list[Row]:
    """Hide equal lines that are further than CONTEXT from a change."""
    near = [False] * len(rows)
    for at, row in enumerate(rows):
        if row.kind != "equal":
            for each in range(max(0, at - CONTEXT), min(len(rows), at + CONTEXT + 1)):
                near[each] = True
    shown: list[Row] = []
    hidden = 0
    for row, is_near in zip(rows, near, strict=True):
        if not is_near:
            hidden += 1
            continue
        if hidden:
            shown.append(Row("gap", hidden=hidden))
            hidden = 0
        shown.append(row)
    if hidden and shown:
        shown.append(Row("gap", hidden=hidden))
    return shown
