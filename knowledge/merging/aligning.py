"""Where two sequences differ, and which of two sides changed what of their common base.

Sources: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (Algorithmica 1, 1986), the
linear-space variant; B. Cohen's patience diff (unique units in common, in the longest ascending
order) where Myers' search would take too long; S. Khanna, K. Kunal, B. C. Pierce, "A Formal
Investigation of Diff3" (FSTTCS 2007) for the regions of a three-way merge.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple

from knowledge.merging.settling import gaps_of, settle

MOST_EDITS = 400
"""Of either half of a search for the shortest edit; above, unique units lead the way."""
FEWER_EDITS = 64
"""The same where no unit is unique: the furthest point found divides the rest."""


class Hunk(NamedTuple):
    """Units `low` to `high` of the old sequence became `new_low` to `new_high` of the new one."""

    low: int
    high: int
    new_low: int
    new_high: int


class Region(NamedTuple):
    """A part of the base with the parts of both sides that stand in its place.

    `by_ours` and `by_theirs` say which sides changed it: none for what all three share.
    """

    base: slice
    ours: slice
    theirs: slice
    by_ours: bool
    by_theirs: bool


def hunks_of(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Hunk]:
    """Return what differs, in order; neighbouring hunks have an equal unit between them.

    1. Equal units at both ends are set aside, then those that only one side has.
    2. Of the rest, a longest common subsequence is kept: by Myers' algorithm, or near it where
       the texts are long and very different.
    3. What could have been removed or added in several places, such as one of two equal lines,
       settles in one of them by rule, so that equal edits of two sides meet.
    """
    head, tail = common_ends(old, new)
    kept = _kept(old[head : len(old) - tail], new[head : len(new) - tail])
    gone, come = (
        [*[False] * head, *(not keep for keep in middle), *[False] * tail] for middle in kept
    )
    settle(old, gone, gaps_of(come))
    settle(new, come, gaps_of(gone))
    found = []
    at = new_at = 0
    while at < len(old) or new_at < len(new):
        high, new_high = at, new_at
        while high < len(old) and gone[high]:
            high += 1
        while new_high < len(new) and come[new_high]:
            new_high += 1
        if high > at or new_high > new_at:
            found.append(Hunk(at, high, new_at, new_high))
        at, new_at = high + 1, new_high + 1
    return found


def regions_of(
    base: Sequence[Hashable],
    ours: Sequence[Hashable],
    theirs: Sequence[Hashable],
    *,
    apart: int = 1,
) -> list[Region]:
    """Return the regions of a three-way merge: all of the base and of both sides, in order.

    Changes of two sides with fewer than `apart` unchanged units between them share a region.
    """
    pending = [
        *((hunk, False) for hunk in hunks_of(base, ours)),
        *((hunk, True) for hunk in hunks_of(base, theirs)),
    ]
    pending.sort(key=lambda each: (each[0].low, each[0].high, each[1]))
    groups: list[list[tuple[Hunk, bool]]] = []
    end = -1
    for hunk, is_theirs in pending:
        is_mixed = bool(groups) and any(side != is_theirs for _hunk, side in groups[-1])
        room = apart if is_mixed else 1
        if groups and hunk.low - end < room:
            groups[-1].append((hunk, is_theirs))
            end = max(end, hunk.high)
        else:
            groups.append([(hunk, is_theirs)])
            end = hunk.high
    return _regions(groups, len(base), len(ours), len(theirs))


def common_ends(left: Sequence[Hashable], right: Sequence[Hashable]) -> tuple[int, int]:
    """Return how many first and how many last units are equal; no unit counts twice."""
    limit = min(len(left), len(right))
    head = 0
    while head < limit and left[head] == right[head]:
        head += 1
    tail = 0
    while tail < limit - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    return head, tail


def _regions(
    groups: Sequence[Sequence[tuple[Hunk, bool]]], base: int, ours: int, theirs: int
) -> list[Region]:
    regions = []
    at = shift_ours = shift_theirs = 0  # what a side has grown by so far
    for group in groups:
        low = min(hunk.low for hunk, _side in group)
        high = max(hunk.high for hunk, _side in group)
        if low > at:
            regions.append(_region(at, low, (shift_ours,) * 2, (shift_theirs,) * 2))
        before = shift_ours, shift_theirs
        for hunk, is_theirs in group:
            grown = hunk.new_high - hunk.new_low - (hunk.high - hunk.low)
            if is_theirs:
                shift_theirs += grown
            else:
                shift_ours += grown
        by_theirs = any(side for _hunk, side in group)
        by_ours = not all(side for _hunk, side in group)
        regions.append(
            _region(
                low,
                high,
                (before[0], shift_ours),
                (before[1], shift_theirs),
                by_ours=by_ours,
                by_theirs=by_theirs,
            )
        )
        at = high
    if at < base:
        regions.append(_region(at, base, (shift_ours,) * 2, (shift_theirs,) * 2))
    assert (base + shift_ours, base + shift_theirs) == (ours, theirs)
    return regions


def _region(
    low: int,
    high: int,
    ours: tuple[int, int],
    theirs: tuple[int, int],
    *,
    by_ours: bool = False,
    by_theirs: bool = False,
) -> Region:
    return Region(
        slice(low, high),
        slice(low + ours[0], high + ours[1]),
        slice(low + theirs[0], high + theirs[1]),
        by_ours,
        by_theirs,
    )


def _kept(left: Sequence[Hashable], right: Sequence[Hashable]) -> tuple[list[bool], list[bool]]:
    """Return for each unit of either side whether it belongs to the common subsequence."""
    keep_left, keep_right = [False] * len(left), [False] * len(right)
    shared = set(left) & set(right)
    numbers = {unit: number for number, unit in enumerate(shared)}
    left_at = [n for n, unit in enumerate(left) if unit in shared]
    right_at = [n for n, unit in enumerate(right) if unit in shared]
    a, b = [numbers[left[n]] for n in left_at], [numbers[right[n]] for n in right_at]
    boxes = [(0, len(a), 0, len(b), MOST_EDITS)]
    while boxes:
        low, high, new_low, new_high, limit = boxes.pop()
        while low < high and new_low < new_high and a[low] == b[new_low]:
            keep_left[left_at[low]] = keep_right[right_at[new_low]] = True
            low, new_low = low + 1, new_low + 1
        while low < high and new_low < new_high and a[high - 1] == b[new_high - 1]:
            high, new_high = high - 1, new_high - 1
            keep_left[left_at[high]] = keep_right[right_at[new_high]] = True
        if low == high or new_low == new_high:
            continue
        part, new_part = a[low:high], b[new_low:new_high]
        x, y, is_best = _middle(part, new_part, limit)
        cuts = [(x, y)]
        if not is_best:
            limit = FEWER_EDITS
            cuts = _anchors(part, new_part) or cuts
        edges = [(0, 0), *cuts, (len(part), len(new_part))]
        boxes += [
            (low + from_x, low + to_x, new_low + from_y, new_low + to_y, limit)
            for (from_x, from_y), (to_x, to_y) in pairwise(edges)
        ]
    return keep_left, keep_right


def _middle(a: Sequence[int], b: Sequence[int], limit: int) -> tuple[int, int, bool]:
    """Return a point (x, y) on a shortest edit path from `a` to `b`, about halfway, and True.

    When either half takes more than `limit` edits: the furthest point that was reached, and False.
    Both sequences must be non-empty and differ at both ends.
    """
    n, m = len(a), len(b)
    delta, most = n - m, min(limit, (n + m + 1) // 2)
    offset = most + 1
    # ahead[k + offset]: the furthest x on diagonal x - y = k; behind: the same from the other end
    ahead, behind = [0] * (2 * most + 3), [0] * (2 * most + 3)
    nowhere = -2 * (n + m)
    for edits in range(most + 1):
        for k in range(-edits + 2 * max(0, edits - m), edits - 2 * max(0, edits - n) + 1, 2):
            at = k + offset
            if k == -edits or (k != edits and ahead[at - 1] < ahead[at + 1]):
                x = ahead[at + 1]
            else:
                x = ahead[at - 1] + 1
            y = x - k
            if not (0 <= x <= n and 0 <= y <= m):
                ahead[at] = nowhere
                continue
            while x < n and y < m and a[x] == b[y]:
                x, y = x + 1, y + 1
            ahead[at] = x
            back = delta - k
            if delta & 1 and -edits < back < edits and x + behind[back + offset] >= n:
                return x, y, True
        for k in range(-edits + 2 * max(0, edits - m), edits - 2 * max(0, edits - n) + 1, 2):
            at = k + offset
            if k == -edits or (k != edits and behind[at - 1] < behind[at + 1]):
                x = behind[at + 1]
            else:
                x = behind[at - 1] + 1
            y = x - k
            if not (0 <= x <= n and 0 <= y <= m):
                behind[at] = nowhere
                continue
            while x < n and y < m and a[n - 1 - x] == b[m - 1 - y]:
                x, y = x + 1, y + 1
            behind[at] = x
            front = delta - k
            if not delta & 1 and -edits <= front <= edits and x + ahead[front + offset] >= n:
                return n - x, m - y, True
    furthest = max(
        range(-most + 2 * max(0, most - m), most - 2 * max(0, most - n) + 1, 2),
        key=lambda k: 2 * ahead[k + offset] - k,
    )
    x = ahead[furthest + offset]
    return x, x - furthest, False


def _anchors(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    """Return pairs of places of units that are unique on both sides: the longest ascending row."""
    in_a, in_b = Counter(a), Counter(b)
    places = {unit: y for y, unit in enumerate(b) if in_b[unit] == 1}
    pairs = [(x, places[unit]) for x, unit in enumerate(a) if in_a[unit] == 1 and unit in places]
    tops: list[int] = []  # the y on top of each pile
    owners: list[int] = []  # and whose it is
    previous = [-1] * len(pairs)
    for number, (_x, y) in enumerate(pairs):
        pile = bisect_left(tops, y)
        previous[number] = owners[pile - 1] if pile else -1
        if pile == len(tops):
            tops.append(y)
            owners.append(number)
        else:
            tops[pile], owners[pile] = y, number
    chosen = []
    at = owners[-1] if owners else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = previous[at]
    return chosen[::-1]
