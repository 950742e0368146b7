"""Places for the boxes of a directed graph, in columns from left to right.

The method of Sugiyama, Tagawa and Toda (1981), kept small:

1. Links that would close a circle are turned round while it lasts.
2. A box stands one column right of the last that leads to it; boxes that nothing leads to move
   right, next to what they lead to.
3. A link over several columns gets a bend in each.
4. Sweeps order every column by the mean place of its neighbours in the column before, and the
   order with the fewest crossings stays.
5. Within its order every column moves as near as it can to the means of its neighbours: the
   least squares under the order, by pooling those that would overlap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 8
Name = str | tuple[str, str, int]
"""A box, or the bend of a link in a column."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Sizes in pixels: of a box, between columns, between rows, and around it all."""

    width: float = 196.0
    height: float = 72.0
    across: float = 64.0
    between: float = 18.0
    margin: float = 12.0


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box is: its upper left corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes by name, the points of each link from its start to its end, and the size of all."""

    boxes: dict[str, Box]
    lines: dict[tuple[str, str], list[tuple[float, float]]]
    width: float
    height: float


@dataclass(slots=True)
class _Columns:
    rows: list[list[Name]] = field(default_factory=list)
    left: dict[Name, list[Name]] = field(default_factory=dict)
    right: dict[Name, list[Name]] = field(default_factory=dict)


DEFAULT = Measures()


def layout(
    names: Sequence[str], links: Iterable[tuple[str, str]], measures: Measures = DEFAULT
) -> Layout:
    """Return places for `names`; links to what is not among them, or to itself, are left out."""
    known = set(names)
    wanted = list(dict.fromkeys(each for each in links if each[0] != each[1]))
    wanted = [each for each in wanted if each[0] in known and each[1] in known]
    directed = _without_circles(names, wanted)
    columns = _columns(names, directed, _ranks(names, directed))
    _untangle(columns)
    middles = _middles(columns, measures)
    return _placed(columns, wanted, middles, measures)


def _without_circles(
    names: Sequence[str], links: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the links with those turned round that lead back to where a walk came from."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for start, end in links:
        after[start].append(end)
    open_, done, turned = set[str](), set[str](), set[tuple[str, str]]()
    for root in names:
        walk: list[tuple[str, int]] = [(root, 0)] if root not in done else []
        open_.update(name for name, _at in walk)
        while walk:
            name, at = walk.pop()
            if at == len(after[name]):
                open_.discard(name)
                done.add(name)
                continue
            walk.append((name, at + 1))
            end = after[name][at]
            if end in open_:
                turned.add((name, end))
            elif end not in done:
                open_.add(end)
                walk.append((end, 0))
    return list(
        dict.fromkeys(
            (end, start) if (start, end) in turned else (start, end) for start, end in links
        )
    )


def _ranks(names: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for start, end in links:
        before[end].append(start)
        after[start].append(end)
    waiting = {name: len(before[name]) for name in names}
    ready = [name for name in names if not waiting[name]]
    ranks = dict.fromkeys(names, 0)
    order: list[str] = []
    while ready:
        name = ready.pop(0)
        order.append(name)
        for end in after[name]:
            ranks[end] = max(ranks[end], ranks[name] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)
    for name in reversed(order):
        if not before[name] and after[name]:
            ranks[name] = min(ranks[end] for end in after[name]) - 1
    return ranks


def _columns(
    names: Sequence[str], links: Sequence[tuple[str, str]], ranks: Mapping[str, int]
) -> _Columns:
    columns = _Columns([[] for _ in range(max(ranks.values(), default=-1) + 1)])

    def put(name: Name, rank: int) -> None:
        columns.rows[rank].append(name)
        columns.left[name], columns.right[name] = [], []

    for name in names:
        put(name, ranks[name])
    for start, end in links:
        last: Name = start
        for rank in range(ranks[start] + 1, ranks[end] + 1):
            here: Name = end
            if rank < ranks[end]:
                here = (start, end, rank)
                put(here, rank)
            columns.right[last].append(here)
            columns.left[here].append(last)
            last = here
    return columns


def _untangle(columns: _Columns) -> None:
    """Order the rows of every column so that links cross seldom."""
    best = [list(column) for column in columns.rows]
    fewest = _crossings(columns)
    for sweep in range(SWEEPS):
        is_forward = sweep % 2 == 0
        near = columns.left if is_forward else columns.right
        numbers = range(len(columns.rows)) if is_forward else reversed(range(len(columns.rows)))
        for number in numbers:
            other = number - 1 if is_forward else number + 1
            if not 0 <= other < len(columns.rows):
                continue
            place = {name: at for at, name in enumerate(columns.rows[other])}
            own = {name: at for at, name in enumerate(columns.rows[number])}
            columns.rows[number].sort(key=lambda name: _mean(near[name], place, own[name]))
        crossings = _crossings(columns)
        if crossings < fewest:
            fewest, best = crossings, [list(column) for column in columns.rows]
    columns.rows = best


def _mean(near: Sequence[Name], place: Mapping[Name, float], otherwise: float) -> float:
    return sum(place[name] for name in near) / len(near) if near else otherwise


def _crossings(columns: _Columns) -> int:
    count = 0
    for number in range(len(columns.rows) - 1):
        place = {name: at for at, name in enumerate(columns.rows[number + 1])}
        ends = [place[end] for name in columns.rows[number] for end in sorted(
            columns.right[name], key=lambda each: place[each]
        )]  # fmt: skip
        count += sum(
            ends[later] < ends[earlier]
            for earlier in range(len(ends))
            for later in range(earlier + 1, len(ends))
        )
    return count


def _middles(columns: _Columns, measures: Measures) -> dict[Name, float]:
    """Return the height of every middle."""
    step = measures.height + measures.between
    middles: dict[Name, float] = {}
    for column in columns.rows:
        for at, name in enumerate(column):
            middles[name] = (at - (len(column) - 1) / 2) * step
    for sweep in range(SWEEPS):
        near = columns.left if sweep % 2 == 0 else columns.right
        for column in columns.rows if sweep % 2 == 0 else reversed(columns.rows):
            wanted = [_mean(near[name], middles, middles[name]) for name in column]
            middles |= zip(column, _spread(wanted, step), strict=True)
    return middles


def _spread(wanted: Sequence[float], step: float) -> list[float]:
    """Return places in order, `step` apart or more, as near to the wanted ones as squares go."""
    pools: list[tuple[float, int]] = []  # sum of the wanted places less their steps, and how many
    for at, place in enumerate(wanted):
        total, count = place - at * step, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, many = pools.pop()
            total, count = total + before, count + many
        pools.append((total, count))
    starts = [total / count for total, count in pools for _each in range(count)]
    return [start + at * step for at, start in enumerate(starts)]


def _placed(
    columns: _Columns,
    links: Sequence[tuple[str, str]],
    middles: Mapping[Name, float],
    measures: Measures,
) -> Layout:
    top = min(middles.values(), default=0.0) - measures.height / 2 - measures.margin
    rank_of = {name: rank for rank, column in enumerate(columns.rows) for name in column}

    def x_of(name: Name) -> float:
        return measures.margin + rank_of[name] * (measures.width + measures.across)

    def y_of(name: Name) -> float:
        return middles[name] - top

    boxes = {
        name: Box(round(x_of(name), 1), round(y_of(name) - measures.height / 2, 1))
        for name in rank_of
        if isinstance(name, str)
    }
    lines = {}
    for start, end in links:
        first, last = (start, end) if rank_of[start] < rank_of[end] else (end, start)
        points = [(x_of(first) + measures.width, y_of(first))]
        for rank in range(rank_of[first] + 1, rank_of[last]):
            bend = (first, last, rank)
            points += [(x_of(bend), y_of(bend)), (x_of(bend) + measures.width, y_of(bend))]
        points.append((x_of(last), y_of(last)))
        rounded = [(round(x, 1), round(y, 1)) for x, y in points]
        lines[start, end] = rounded if first == start else rounded[::-1]
    count = len(columns.rows)
    width = count * measures.width + max(0, count - 1) * measures.across + 2 * measures.margin
    height = max((box.y for box in boxes.values()), default=0.0) + measures.height + measures.margin
    bends = max((y for line in lines.values() for _x, y in line), default=0.0)
    return Layout(boxes, lines, round(width, 1), round(max(height, bends + measures.margin), 1))
