"""Dividing a very long document into parts, each of which becomes a node of its own.

Parts are slices: joined they are the document again. They are cut at headings, at the start of a
page, or at a blank line, whichever is the strongest that leaves a part at least half full.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.outline import outline
from knowledge.versions import Anchor

MAX_PART = 200_000  # characters


@dataclass(frozen=True, slots=True)
class Part:
    """`document[start:end]`, named after the heading that begins it, or its first page."""

    start: int
    end: int
    label: str


def divide(document: str, anchors: Sequence[Anchor], *, limit: int = MAX_PART) -> list[Part]:
    """Return the parts of a document, in order; a short one is a single part without a label."""
    if len(document) <= limit:
        return [Part(0, len(document), "")]
    headings = [(each.start, each.level, each.text) for each in outline(document).headings]
    pages = [(anchor["start"], anchor.get("label", "")) for anchor in anchors]
    cuts = [0]
    while len(document) - cuts[-1] > limit:
        cuts.append(_cut(document, headings, pages, cuts[-1] + limit // 2, cuts[-1] + limit))
    bounds = zip(cuts, [*cuts[1:], len(document)], strict=True)
    return [Part(start, end, _label(headings, pages, start, end)) for start, end in bounds]


def anchors_within(anchors: Sequence[Anchor], part: Part) -> list[Anchor]:
    """Return the page spans that reach into a part, counted from its start."""
    return [
        {
            **anchor,
            "start": max(anchor["start"], part.start) - part.start,
            "end": min(anchor["end"], part.end) - part.start,
        }
        for anchor in anchors
        if anchor["start"] < part.end and anchor["end"] > part.start
    ]


def _cut(
    document: str,
    headings: Sequence[tuple[int, int, str]],
    pages: Sequence[tuple[int, str]],
    low: int,
    high: int,
) -> int:
    """Return where to cut between two offsets."""
    inside = headings[bisect_left(headings, (low,)) : bisect_left(headings, (high,))]
    if inside:
        strongest = min(level for _at, level, _text in inside)
        return max(at for at, level, _text in inside if level == strongest)
    begun = pages[bisect_left(pages, (low,)) : bisect_left(pages, (high,))]
    if begun:
        return begun[-1][0]
    for mark in ("\n\n", "\n", " "):
        found = document.rfind(mark, low, high)
        if found >= 0:
            return found + len(mark)
    return high


def _label(
    headings: Sequence[tuple[int, int, str]],
    pages: Sequence[tuple[int, str]],
    start: int,
    end: int,
) -> str:
    first = bisect_left(headings, (start,))
    if first < len(headings) and headings[first][0] < min(end, start + 200):
        return headings[first][2]
    begun = bisect_left(pages, (start,))
    return pages[begun][1] if begun < len(pages) and pages[begun][0] < end else ""
