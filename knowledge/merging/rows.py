"""Two texts side by side: changed lines, and inside them the changed words.

Of a replaced block the lines are paired in order, and the words of a pair are compared.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from knowledge.merging.aligning import hunks_of

CONTEXT = 3
MOST_LINES = 4000
"""That changed; more are cut off."""
MOST_CHARS = 20_000
"""Of a pair of lines whose words are compared."""
LEAST_ALIKE = 0.2
"""Of the words of a pair of lines that must be equal; below, both count as wholly changed."""
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


def compare_texts(old: str, new: str, *, context: int | None = CONTEXT) -> TextDiff:
    """Return the rows of the two texts that differ, with `context` equal lines around them.

    None shows every line.
    """
    left, right = old.splitlines(), new.splitlines()
    diff = TextDiff()
    rows: list[Row] = []
    at = new_at = shown = 0
    for hunk in hunks_of(left, right):
        rows += [_equal(left[at + n], at + n, new_at + n) for n in range(hunk.low - at)]
        diff.removed += hunk.high - hunk.low
        diff.added += hunk.new_high - hunk.new_low
        block = _block(
            left[hunk.low : hunk.high], right[hunk.new_low : hunk.new_high], hunk.low, hunk.new_low
        )
        rows += islice(block, MOST_LINES - shown)
        shown += max(hunk.high - hunk.low, hunk.new_high - hunk.new_low)
        at, new_at = hunk.high, hunk.new_high
        if shown > MOST_LINES:
            diff.is_cut = True
            break
    if not diff.is_cut:
        rows += [_equal(left[at + n], at + n, new_at + n) for n in range(len(left) - at)]
    diff.rows = rows if context is None else _folded(rows, context)
    return diff


def word_parts(old: str, new: str) -> tuple[list[Part], list[Part]]:
    """Return both lines in parts, each marked whether it is the line's own."""
    if len(old) + len(new) > MOST_CHARS:
        return [(old, True)], [(new, True)]
    left, right = _WORDS.findall(old), _WORDS.findall(new)
    hunks = hunks_of(left, right)
    changed = sum(hunk.high - hunk.low + hunk.new_high - hunk.new_low for hunk in hunks)
    if changed > (1 - LEAST_ALIKE) * (len(left) + len(right)):
        return [(old, True)], [(new, True)]
    old_parts: list[Part] = []
    new_parts: list[Part] = []
    at = 0
    for low, high, new_low, new_high in [*hunks, (len(left), len(left), len(right), len(right))]:
        if low > at:
            same = "".join(left[at:low])
            old_parts.append((same, False))
            new_parts.append((same, False))
        if high > low:
            old_parts.append(("".join(left[low:high]), True))
        if new_high > new_low:
            new_parts.append(("".join(right[new_low:new_high]), True))
        at = high
    return old_parts, new_parts


def _equal(line: str, old: int, new: int) -> Row:
    parts = [(line, False)]
    return Row("equal", old + 1, new + 1, parts, parts)


def _block(old: Sequence[str], new: Sequence[str], old_at: int, new_at: int) -> Iterator[Row]:
    for number in range(max(len(old), len(new))):
        if number >= len(new):
            yield Row("removed", old_at + number + 1, None, [(old[number], False)])
        elif number >= len(old):
            yield Row("added", None, new_at + number + 1, (), [(new[number], False)])
        else:
            old_parts, new_parts = word_parts(old[number], new[number])
            yield Row("change", old_at + number + 1, new_at + number + 1, old_parts, new_parts)


def _folded(rows: list[Row], context: int) -> list[Row]:
    """Hide equal lines that are further than `context` from a change."""
    near = [False] * len(rows)
    for at, row in enumerate(rows):
        if row.kind != "equal":
            for each in range(max(0, at - context), min(len(rows), at + context + 1)):
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
