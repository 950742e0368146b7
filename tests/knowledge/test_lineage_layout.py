"""Properties of the layout of a lineage, and of the text in its boxes."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from knowledge.lineage.drawing import drawing_of, fitted, path_of, width_of
from knowledge.lineage.graph import Lineage, Link, Thing, ThingType
from knowledge.lineage.layout import DEFAULT, layout

NAMES = [f"n{number}" for number in range(12)]
LINKS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=24)
FORWARD = LINKS.map(lambda links: [(min(pair), max(pair)) for pair in links if pair[0] != pair[1]])


@given(LINKS)
def test_no_two_boxes_touch_and_all_are_inside(links: list[tuple[str, str]]) -> None:
    places = layout(NAMES, links)
    assert sorted(places.boxes) == sorted(NAMES)
    for box in places.boxes.values():
        assert 0 <= box.x <= places.width - DEFAULT.width
        assert 0 <= box.y <= places.height - DEFAULT.height
    for one, other in itertools.combinations(places.boxes.values(), 2):
        apart_x = abs(one.x - other.x) >= DEFAULT.width + DEFAULT.across - 1
        apart_y = abs(one.y - other.y) >= DEFAULT.height + DEFAULT.between - 1
        assert apart_x or apart_y


@given(FORWARD)
def test_what_led_to_something_stands_left_of_it(links: list[tuple[str, str]]) -> None:
    places = layout(NAMES, links)
    for start, end in links:
        assert places.boxes[start].x < places.boxes[end].x


@given(LINKS)
def test_every_line_goes_from_the_side_of_one_box_to_that_of_the_other(
    links: list[tuple[str, str]],
) -> None:
    places = layout(NAMES, links)
    assert set(places.lines) == {each for each in links if each[0] != each[1]}
    for (start, end), points in places.lines.items():
        for name, (x, y) in ((start, points[0]), (end, points[-1])):
            box = places.boxes[name]
            assert min(abs(x - box.x), abs(x - box.x - DEFAULT.width)) < 0.2
            assert abs(y - box.y - DEFAULT.height / 2) < 0.2
        for x, y in points:
            assert 0 <= x <= places.width
            assert 0 <= y <= places.height


@given(LINKS)
def test_the_same_graph_always_gets_the_same_places(links: list[tuple[str, str]]) -> None:
    assert layout(NAMES, links) == layout(NAMES, list(links))


@given(st.lists(st.integers(0, 10), min_size=1, max_size=11))
def test_the_lines_of_a_tree_do_not_cross(parents: list[int]) -> None:
    links = [
        (NAMES[parent % number], NAMES[number]) for number, parent in enumerate(parents, start=1)
    ]
    places = layout(NAMES[: len(parents) + 1], links)
    ends = [
        (line[0][0], line[0][1], line[-1][1])
        for line in places.lines.values()
    ]  # fmt: skip
    for one, other in itertools.combinations(ends, 2):
        if one[0] == other[0]:
            assert (one[1] - other[1]) * (one[2] - other[2]) >= -1


def test_a_merge_stands_between_its_parents() -> None:
    places = layout(["a", "b", "c", "d"], [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
    middle = (places.boxes["b"].y + places.boxes["c"].y) / 2
    assert places.boxes["a"].y == places.boxes["d"].y == middle


def test_circles_and_links_to_nowhere_do_no_harm() -> None:
    places = layout(["a", "b"], [("a", "b"), ("b", "a"), ("a", "a"), ("a", "gone")])
    assert set(places.lines) == {("a", "b"), ("b", "a")}
    assert layout([], []).boxes == {}


@given(st.text(max_size=200), st.integers(1, 3), st.integers(40, 300))
def test_text_fits_its_box(text: str, lines: int, room: int) -> None:
    made = fitted(text, room, lines)
    assert len(made) <= lines
    assert all(width_of(line) <= room for line in made)
    whole = " ".join(text.split())
    shown = " ".join(made)
    if not shown.endswith("…"):
        assert shown == whole


def test_a_drawing_names_everything_for_those_who_cannot_see_it() -> None:
    lineage = Lineage()
    lineage.add(Thing("a", ThingType.SOURCE, "Source", "a.pdf", "page 3"))
    lineage.add(Thing("b", ThingType.VERSION, "Version 1", "Tides"), Link("a", "b", "read"))
    drawing = drawing_of(lineage)
    assert [box.name for box in drawing.boxes] == ["Source, a.pdf, page 3", "Version 1, Tides"]
    assert drawing.lines[0].path.startswith("M208 ")
    assert path_of([(0, 0), (10, 4)]) == "M0 0C5 0 5 4 10 4"
