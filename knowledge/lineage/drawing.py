"""A lineage as shapes for a page: boxes with fitted text, and lines between them."""

from dataclasses import dataclass

from knowledge.lineage.graph import Lineage, Link, Thing
from knowledge.lineage.layout import DEFAULT, layout

PADDING = 12
LINES = 2  # of a title
SIZE = 13  # pixels of a title's letters
_NARROW = frozenset("iljtfrI.,:;'|!()[] ·")
_WIDE = frozenset("mwMWQ@%–—…")


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A thing in its place: the upper left corner, and the lines of its title."""

    thing: Thing
    x: float
    y: float
    lines: tuple[str, ...]
    detail: str
    name: str  # for those who cannot see it


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A link as an SVG path."""

    link: Link
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything at its place, in pixels; boxes from left to right, as one goes through them."""

    boxes: list[DrawnBox]
    lines: list[DrawnLine]
    width: float
    height: float
    box_width: float = DEFAULT.width
    box_height: float = DEFAULT.height


def drawing_of(lineage: Lineage) -> Drawing:
    """Return a lineage as shapes."""
    places = layout(list(lineage.things), lineage.edges())
    room = DEFAULT.width - 2 * PADDING
    boxes = []
    for name, box in sorted(places.boxes.items(), key=lambda each: (each[1].x, each[1].y)):
        thing = lineage.things[name]
        parts = [thing.label, thing.title, thing.detail]
        boxes.append(
            DrawnBox(
                thing,
                box.x,
                box.y,
                fitted(thing.title, room, 1 if thing.detail else LINES),
                "".join(fitted(thing.detail, room * SIZE / 12, 1)),
                ", ".join(part for part in parts if part),
            )
        )
    lines = [DrawnLine(link, path_of(places.lines[link.start, link.end])) for link in lineage.links]
    return Drawing(boxes, lines, places.width, places.height)


def path_of(points: list[tuple[float, float]]) -> str:
    """Return an SVG path through points: level where it leaves and arrives, curved between."""
    (x, y), *rest = points
    path = f"M{x:g} {y:g}"
    for end_x, end_y in rest:
        middle = (x + end_x) / 2
        path += f"C{middle:g} {y:g} {middle:g} {end_y:g} {end_x:g} {end_y:g}"
        x, y = end_x, end_y
    return path


def fitted(text: str, room: float, lines: int) -> tuple[str, ...]:
    """Return `text` in at most so many lines of `room` pixels, ended by an ellipsis if need be."""
    made: list[str] = []
    line = ""
    words = text.split()
    for at, word in enumerate(words):
        longer = f"{line} {word}".strip()
        if width_of(longer) <= room:
            line = longer
            continue
        if line and len(made) + 1 < lines:
            made.append(line)
            line = word
            if width_of(word) <= room:
                continue
        rest = " ".join([line, *words[at:]]) if line != word else " ".join(words[at:])
        return (*made, _cut(rest, room))
    return (*made, line) if line else tuple(made)


def width_of(text: str) -> float:
    """Return about how wide a text is: letters of a sans serif at SIZE pixels."""
    return sum(
        0.32 * SIZE
        if char in _NARROW
        else 0.92 * SIZE
        if char in _WIDE or ord(char) > 0x2E80
        else 0.66 * SIZE
        if char.isupper()
        else 0.56 * SIZE
        for char in text
    )


def _cut(text: str, room: float) -> str:
    if width_of(text) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(f"{text[:middle]}…") <= room:
            low = middle
        else:
            high = middle - 1
    return f"{text[:low].rstrip()}…"
