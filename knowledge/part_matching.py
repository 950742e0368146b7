"""Which part of a new document is which part of the old one. Pure.

1. Parts with the same heading, where it names one part on each side.
2. Of the rest, those that share the most lines, best pairs first, down to a fifth of the longer.

What is left over is new, or gone.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

LEAST_ALIKE = 0.2


class Text(NamedTuple):
    """A part: the heading that names it ("" without one) and its content."""

    label: str
    content: str


def parts_match(old: Sequence[Text], new: Sequence[Text]) -> dict[int, int]:
    """Return the number of the old part for each number of a new part that has one."""
    found = _by_label(old, new)
    taken = set(found.values())
    lines = [Counter(_lines(text.content)) for text in old]
    pairs = []
    for number, text in enumerate(new):
        if number in found:
            continue
        own = Counter(_lines(text.content))
        for other, counts in enumerate(lines):
            if other not in taken and (share := _alike(own, counts)) >= LEAST_ALIKE:
                pairs.append((-share, abs(number - other), number, other))
    for _share, _distance, number, other in sorted(pairs):
        if number not in found and other not in taken:
            found[number] = other
            taken.add(other)
    return found


def _by_label(old: Sequence[Text], new: Sequence[Text]) -> dict[int, int]:
    counts = [Counter(text.label for text in side if text.label) for side in (old, new)]
    numbers = {text.label: number for number, text in enumerate(old)}
    return {
        number: numbers[text.label]
        for number, text in enumerate(new)
        if text.label and counts[0][text.label] == counts[1][text.label] == 1
    }


def _lines(content: str) -> list[str]:
    return [line for raw in content.splitlines() if (line := " ".join(raw.split()))]


def _alike(one: Counter[str], other: Counter[str]) -> float:
    longest = max(one.total(), other.total())
    return (one & other).total() / longest if longest else 0.0
