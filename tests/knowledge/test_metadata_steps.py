"""The steps of a migration, one by one, and what they refuse."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.metadata.paths import BadPath, path_of
from knowledge.metadata.steps import BadSteps, steps_apply, steps_of

Json = dict[str, Any]


def after(value: Json, *steps: Json) -> Json:
    result = steps_apply(steps_of(list(steps)), value)
    assert result.problem is None, result.problem
    return result.value


def problem(value: Json, *steps: Json) -> tuple[str, str]:
    result = steps_apply(steps_of(list(steps)), value)
    assert result.problem is not None
    return result.problem.path, result.problem.message


@pytest.mark.parametrize(
    ("step", "before", "wanted"),
    [
        ({"op": "rename", "path": "a", "to": "b"}, {"a": 1, "z": 2}, {"b": 1, "z": 2}),
        ({"op": "rename", "path": "c.m", "to": "email"}, {"c": {"m": 1}}, {"c": {"email": 1}}),
        ({"op": "rename", "path": "l[*].u", "to": "url"}, {"l": [{"u": 1}, {}, 3]},
         {"l": [{"url": 1}, {}, 3]}),
        ({"op": "default", "path": "a.b", "value": [1]}, {}, {"a": {"b": [1]}}),
        ({"op": "default", "path": "a", "value": 1}, {"a": None}, {"a": None}),
        ({"op": "default", "path": "l[*].k", "value": 0}, {"l": [{"k": 1}, {}]},
         {"l": [{"k": 1}, {"k": 0}]}),
        ({"op": "remove", "path": "a.b"}, {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        ({"op": "remove", "path": "/a.b/c"}, {"a.b": {"c": 1}}, {"a.b": {}}),
        ({"op": "move", "from": "mail", "to": "contact.email"}, {"mail": "x"},
         {"contact": {"email": "x"}}),
        ({"op": "move", "from": "a", "to": "a.inner"}, {"a": 1}, {"a": {"inner": 1}}),
        ({"op": "move", "from": "l[*].a", "to": "l[*].b.c"}, {"l": [{"a": 1}]},
         {"l": [{"b": {"c": 1}}]}),
        ({"op": "copy", "from": "a", "to": "b"}, {"a": [1]}, {"a": [1], "b": [1]}),
        ({"op": "copy", "from": "a", "to": "b", "overwrite": True}, {"a": 1, "b": 2},
         {"a": 1, "b": 1}),
        ({"op": "convert", "path": "n", "to": "number"}, {"n": " 2.5 "}, {"n": 2.5}),
        ({"op": "convert", "path": "n", "to": "integer"}, {"n": "12"}, {"n": 12}),
        ({"op": "convert", "path": "n", "to": "string"}, {"n": 1.0}, {"n": "1.0"}),
        ({"op": "convert", "path": "n", "to": "boolean"}, {"n": "Yes"}, {"n": True}),
        ({"op": "convert", "path": "n", "to": "date"}, {"n": "3/12/2026"}, {"n": "2026-12-03"}),
        ({"op": "convert", "path": "n", "to": "date"}, {"n": "2026-12-03T10:00:00Z"},
         {"n": "2026-12-03"}),
        ({"op": "convert", "path": "n", "to": "date-time"}, {"n": "2026-12-03"},
         {"n": "2026-12-03T00:00:00+00:00"}),
        ({"op": "convert", "path": "n", "to": "array"}, {"n": "a, b"}, {"n": ["a", "b"]}),
        ({"op": "convert", "path": "n", "to": "array"}, {"n": 3}, {"n": [3]}),
        ({"op": "convert", "path": "n", "to": "string", "separator": ";"}, {"n": ["a", 1]},
         {"n": "a; 1"}),
        ({"op": "map", "path": "p", "values": {"low": 1}}, {"p": "low"}, {"p": 1}),
        ({"op": "map", "path": "p", "values": [{"from": 1, "to": "one"}]}, {"p": 1}, {"p": "one"}),
        ({"op": "map", "path": "p", "values": [{"from": 1, "to": 2}]}, {"p": True}, {"p": True}),
        ({"op": "map", "path": "p", "values": {"a": 1}, "otherwise": "remove"}, {"p": "b"}, {}),
    ],
)  # fmt: skip
def test_each_step_does_what_it_says(step: Json, before: Json, wanted: Json) -> None:
    kept = copy.deepcopy(before)
    assert after(before, step) == wanted
    assert before == kept


@pytest.mark.parametrize(
    ("step", "before", "path"),
    [
        ({"op": "rename", "path": "a", "to": "b"}, {"a": 1, "b": 2}, "b"),
        ({"op": "move", "from": "a", "to": "b"}, {"a": 1, "b": 2}, "b"),
        ({"op": "default", "path": "a.b", "value": 1}, {"a": "text"}, "a"),
        ({"op": "convert", "path": "n", "to": "number"}, {"n": "many"}, "n"),
        ({"op": "convert", "path": "n", "to": "integer"}, {"n": 1.5}, "n"),
        ({"op": "convert", "path": "n", "to": "date"}, {"n": "31/2/2026"}, "n"),
        ({"op": "convert", "path": "n", "to": "string"}, {"n": {"a": 1}}, "n"),
        ({"op": "convert", "path": "n", "to": "string"}, {"n": ["a,b", "c"]}, "n"),
        ({"op": "convert", "path": "l[*].n", "to": "boolean"}, {"l": [{"n": 1}, {"n": "?"}]},
         "l[1].n"),
        ({"op": "map", "path": "p", "values": {"a": 1}, "otherwise": "fail"}, {"p": "b"}, "p"),
    ],
)  # fmt: skip
def test_what_a_step_cannot_do_names_the_place(step: Json, before: Json, path: str) -> None:
    at, message = problem(before, step)
    assert at == path
    assert message.startswith("Step 1:")


def test_steps_follow_each_other_and_say_which_changed_something() -> None:
    steps = steps_of(
        [
            {"op": "rename", "path": "mail", "to": "email"},
            {"op": "remove", "path": "fax"},
            {"op": "move", "from": "email", "to": "contact.email"},
        ]
    )
    result = steps_apply(steps, {"mail": "x"})
    assert result.value == {"contact": {"email": "x"}}
    assert result.changed_by == [0, 2]


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ({}, ""),
        (["rename"], "[0]"),
        ([{"op": "exec", "path": "a"}], "[0].op"),
        ([{"op": ["rename"]}], "[0].op"),
        ([{"op": "remove"}], "[0].path"),
        ([{"op": "remove", "path": "a", "value": 1}], "[0].value"),
        ([{"op": "remove", "path": "a"}, {"op": "remove", "path": "a..b"}], "[1].path"),
        ([{"op": "convert", "path": "a", "to": "wat"}], "[0].to"),
        ([{"op": "map", "path": "a", "values": []}], "[0].values"),
        ([{"op": "map", "path": "a", "values": {"a": 1}, "otherwise": "guess"}], "[0].otherwise"),
        ([{"op": "move", "from": "l[*].a", "to": "a"}], "[0].to"),
        ([{"op": "move", "from": "a", "to": "l[*].a"}], "[0].to"),
        ([{"op": "copy", "from": "a", "to": "a.b"}], "[0].to"),
        ([{"op": "copy", "from": "a", "to": "b", "overwrite": 1}], "[0].overwrite"),
        ([{"op": "remove", "path": "a"}] * 101, ""),
    ],
)
def test_steps_that_cannot_be_read_are_refused(steps: Any, path: str) -> None:
    with pytest.raises(BadSteps) as caught:
        steps_of(steps)
    assert path in [each.path for each in caught.value.problems]


@pytest.mark.parametrize("text", ["", "a[", "[*].a", "a[*]", "a..b", "/", "/a//b", "a[0]", 5, None])
def test_what_is_no_path_is_refused(text: Any) -> None:
    with pytest.raises(BadPath):
        path_of(text)


LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab1,", max_size=4)
VALUES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)


@given(VALUES, st.sampled_from(["a", "a.b", "b[*].c"]), st.sampled_from(["a", "c", "a.c"]))
def test_moving_there_and_back_changes_nothing_but_the_order(
    value: Json, start: str, end: str
) -> None:
    if "[*]" in start or end.startswith(start) or start.startswith(end):
        return
    there = steps_apply(steps_of([{"op": "move", "from": start, "to": end}]), value)
    if there.problem is not None or not there.changed_by:
        return
    back = steps_apply(steps_of([{"op": "move", "from": end, "to": start}]), there.value)
    assert back.problem is None
    made = {} if "." not in end else {"a": {}}
    assert back.value == value or {**made, **value} == back.value


@given(VALUES, st.sampled_from(["a", "a.b", "c[*].a"]), st.sampled_from(["string", "array"]))
def test_converting_twice_is_converting_once(value: Json, path: str, target: str) -> None:
    steps = steps_of([{"op": "convert", "path": path, "to": target}])
    once = steps_apply(steps, value)
    if once.problem is None:
        again = steps_apply(steps, once.value)
        assert again.value == once.value
        assert again.changed_by == []
