"""Schemas of metadata: what they refuse, what they say about values, and how long they may take."""

import time
from typing import Any

import pytest

from knowledge.metadata.outline import fields_of
from knowledge.metadata.patterns import BadPattern, pattern_of
from knowledge.metadata.schemas import BadSchema, schema_check, schema_of

PERSON = {
    "type": "object",
    "properties": {
        "owner": {"type": "string", "format": "email", "description": "Whom to ask"},
        "priority": {"enum": ["low", "high"]},
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"url": {"type": "string", "format": "uri"}},
                "required": ["url"],
            },
        },
        "due": {"$ref": "#/$defs/day"},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$", "maxLength": 10},
    },
    "required": ["owner"],
    "additionalProperties": False,
    "$defs": {"day": {"type": "string", "format": "date"}},
}


def told(schema: dict[str, Any], value: Any) -> dict[str, str]:
    ready = schema_of(schema)
    assert ready is not None
    return {problem.path: problem.message for problem in ready.problems_of(value)}


def test_every_problem_names_its_place() -> None:
    value = {
        "priority": "medium",
        "links": [{"url": "https://a.example"}, {"url": "nowhere"}, {}],
        "due": "2026-13-01",
        "code": "abc",
        "colour": "red",
    }
    assert sorted(told(PERSON, value)) == [
        "code", "colour", "due", "links[1].url", "links[2].url", "owner", "priority",
    ]  # fmt: skip
    assert told(PERSON, value)["owner"] == "This field is required."
    assert '"low", "high"' in told(PERSON, value)["priority"]


def test_a_fitting_value_has_no_problems() -> None:
    assert told(PERSON, {"owner": "ana@example.org", "priority": "low", "due": "2026-12-01"}) == {}


def test_the_empty_schema_allows_everything() -> None:
    assert schema_of({}) is None


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "array"}, "type"),
        ({"properties": {"a": {"type": "wat"}}}, "properties.a.type"),
        ({"properties": {"a": {"$ref": "https://example.org/x.json"}}}, "properties.a.$ref"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "properties.a.$ref"),
        ({"properties": {"a": {"$ref": "#/nowhere"}}}, "properties.a.$ref"),
        ({"properties": {"a": {"$ref": "#"}}}, ""),
        ({"$id": "https://example.org/x"}, "$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema"),
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, "properties.a.pattern"),
        ({"properties": {"a": {"format": "postcode"}}}, "properties.a.format"),
        ({"patternProperties": {"^(a+)+$": {}}}, "patternProperties"),
        ([], ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(schema: Any, path: str) -> None:
    with pytest.raises(BadSchema) as caught:
        schema_check(schema)
    assert path in [problem.path for problem in caught.value.problems]


def test_references_that_unfold_without_end_are_refused() -> None:
    doubling = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    schema = {"$defs": {**doubling, "a40": {}}, "properties": {"x": {"$ref": "#/$defs/a0"}}}
    with pytest.raises(BadSchema, match="parts"):
        schema_check(schema)
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"properties": {"a": deep}}
    with pytest.raises(BadSchema):
        schema_check(deep)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|ab)*", r"(\w+\s?)*$", "(a*)*b", "(.*,){20}x", r"(a)\1", "(?=a+)", "(", "a" * 400],
)
def test_patterns_that_may_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        pattern_of(pattern)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^[A-Z]{2}-\d+$", "AB-12", "ab-12"),
        (r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "a-slug-2", "a--slug"),
        (r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "a@b.co", "a@b"),
        (r"^\d+(\.\d+){2}$", "1.20.3", "1.20"),
        (r"^(draft|final)$", "final", "finally"),
    ],
)
def test_useful_patterns_work(pattern: str, good: str, bad: str) -> None:
    assert pattern_of(pattern).found_in(good)
    assert pattern_of(pattern).found_in(bad) is False


@pytest.mark.parametrize("pattern", ["a*a*a*b", "^a*a*a*a*b", "^a*(ba*){0,2}c", "(-[a-z]+)*!"])
def test_the_worst_text_of_an_allowed_pattern_is_soon_decided(pattern: str) -> None:
    known = pattern_of(pattern)
    for text in ("a" * known.most, ("-" + "a" * 5) * (known.most // 6), "ba" * (known.most // 2)):
        began = time.process_time()
        known.found_in(text)
        assert time.process_time() - began < 5  # some tenths; backtracking would take days
    assert known.found_in("a" * (known.most + 1)) is None


def test_a_schema_is_outlined_for_those_who_fill_it_in() -> None:
    facts = {fact.path: fact for fact in fields_of(PERSON)}
    assert facts["owner"].is_required
    assert facts["owner"].description == "Whom to ask"
    assert facts["due"].type == "text (date)"
    assert "links[*].url" in facts
