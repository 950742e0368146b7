import datetime
import json
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from knowledge.versions import CONTENT_FIELDS, canonical, checksum_of, compare, shift_anchors


def version(**fields: Any) -> SimpleNamespace:
    values = dict.fromkeys(CONTENT_FIELDS, "") | {"tags": [], "metadata": {}}
    return SimpleNamespace(**{**values, "valid_from": None, "valid_until": None, **fields})


def test_the_order_of_metadata_does_not_matter_but_the_order_of_tags_does() -> None:
    one, two = version(metadata={"a": 1, "b": 2}), version(metadata={"b": 2, "a": 1})
    assert checksum_of(one) == checksum_of(two)
    assert checksum_of(version(tags=["a", "b"])) != checksum_of(version(tags=["b", "a"]))


def test_the_same_moment_in_two_zones_is_the_same() -> None:
    utc = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    local = utc.astimezone(datetime.timezone(datetime.timedelta(hours=-3)))
    assert checksum_of(version(valid_from=utc)) == checksum_of(version(valid_from=local))


def test_the_canonical_form_is_pinned() -> None:
    """Checksums are kept for years: another form would make every stored one wrong."""
    assert canonical({"title": "Maré", "tags": ["a"]}) == '{"tags":["a"],"title":"Maré"}'
    assert checksum_of(version(title="Tides", content="Twice a day.")) == (
        "60931093a33322973b59989530e1533cd642f8058ff0133babb798a36448356f"
    )


def test_the_difference_names_fields_and_shows_lines() -> None:
    old = version(title="Tides", content="one\ntwo\nthree")
    new = version(title="Tides", content="one\n2\nthree", tags=["sea"])
    found = compare(old, new, names=("version 1", "version 2"))
    assert [each["field"] for each in found["fields"]] == ["content", "tags"]
    assert found["unified"].splitlines() == [
        "--- version 1",
        "+++ version 2",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two",
        "+2",
        " three",
    ]
    assert compare(old, old) == {"fields": [], "unified": ""}


def shifted(old: str, new: str, *spans: tuple[int, int]) -> list[str]:
    anchors = [{"page": n, "start": a, "end": b} for n, (a, b) in enumerate(spans, 1)]
    return [new[each["start"] : each["end"]] for each in shift_anchors(old, new, anchors)]


@pytest.mark.parametrize(
    ("new", "pages"),
    [
        ("one\ntwo\nthree\n", ["one\n", "two\n", "three\n"]),
        ("intro\none\ntwo\nthree\n", ["intro\none\n", "two\n", "three\n"]),
        ("one\ntwo and more\nthree\n", ["one\n", "two and more\n", "three\n"]),
        ("one\nthree\n", ["one\n", "three\n"]),
        ("ONE\ntwo\nTHREE\n", ["ONE\n", "two\n", "THREE\n"]),
    ],
)
def test_pages_move_along_with_edits(new: str, pages: list[str]) -> None:
    assert shifted("one\ntwo\nthree\n", new, (0, 4), (4, 8), (8, 14)) == pages


@settings(deadline=None)
@given(st.text("ab\n", max_size=60), st.text("ab\n", max_size=60), st.data())
def test_moved_pages_stay_in_the_text_and_in_order(old: str, new: str, data: Any) -> None:
    at = sorted(data.draw(st.lists(st.integers(0, len(old)), max_size=6)))
    anchors = [
        {"page": n, "start": a, "end": b} for n, (a, b) in enumerate(pairwise(at), 1) if a < b
    ]
    moved = shift_anchors(old, new, anchors)
    edges = [edge for each in moved for edge in (each["start"], each["end"])]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(new) for edge in edges)


@pytest.mark.django_db
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e16)
@example(1e23)
@example(-0.0)
@example(5e-324)
@example(1.7976931348623157e308)
def test_numbers_have_the_checksum_that_they_come_back_with(number: float) -> None:
    """JSON in the database knows no exponents and no -0: 1e16 comes back as a whole number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps([number])])
        stored = json.loads(cursor.fetchone()[0])
    assert checksum_of(version(metadata={"x": number})) == checksum_of(
        version(metadata={"x": stored[0]})
    )
