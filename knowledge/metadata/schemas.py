"""JSON Schemas of metadata: draft 2020-12, bounded, without references to anywhere else.

A schema is written by a manager of one space and runs in every write of its kind, so it is bounded
in size and in how far its references unfold, may not refer to itself, and its patterns are those
of `knowledge.metadata.patterns`. Formats are checked; one that is not known is refused.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend

from knowledge.metadata.formats import CHECKER, FORMATS
from knowledge.metadata.paths import Place, place_text
from knowledge.metadata.patterns import BadPattern, pattern_of
from knowledge.metadata.wording import problems_of_error

MOST_CHARS = 64_000  # of a schema as JSON
MOST_PARTS = 2_000  # subschemas, each reference counted as what it stands for
MOST_PROBLEMS = 50
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFUSED = ("$dynamicRef", "$dynamicAnchor", "$anchor", "$id", "$vocabulary", "patternProperties")
_MAPS = ("properties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: the keys from the root."""

    place: Place
    message: str

    @property
    def path(self) -> str:
        """The place as people read it; empty for the whole."""
        return place_text(self.place)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.place else self.message


class BadSchema(ValueError):
    """The schema cannot be used; `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class MetadataSchema:
    """A schema that was checked, ready to be used many times."""

    validator: Any

    def problems_of(self, value: Any) -> list[Problem]:
        """Return what is wrong with a value, by place; at most MOST_PROBLEMS."""
        found: dict[tuple[Place, str], Problem] = {}
        for error in self.validator.iter_errors(value):
            for place, message in problems_of_error(error):
                found.setdefault((place, message), Problem(place, message))
            if len(found) >= MOST_PROBLEMS:
                break
        return sorted(found.values(), key=lambda problem: [str(key) for key in problem.place])


def schema_of(schema: Mapping[str, Any]) -> MetadataSchema | None:
    """Return a schema ready for use; None for the empty one, which allows everything.

    Compiled once a process. Raises BadSchema.
    """
    if not schema:
        return None
    return _compiled(json.dumps(schema, sort_keys=True, ensure_ascii=False))


def schema_check(schema: Any) -> None:
    """Raise BadSchema unless `schema` can be used for metadata, which is an object."""
    if not isinstance(schema, dict):
        raise BadSchema([Problem((), _("A schema is a JSON object."))])
    if not schema:
        return
    try:
        if len(json.dumps(schema, ensure_ascii=False)) > MOST_CHARS:
            message = _("A schema has at most %(count)s characters.") % {"count": MOST_CHARS}
            raise BadSchema([Problem((), message)])
        problems = list(_problems(schema, schema, ()))
        parts = 0 if problems else _parts(schema, schema, {}, frozenset())
    except RecursionError:
        raise BadSchema([Problem((), _("The schema is nested too deeply."))]) from None
    if not problems and parts > MOST_PARTS:
        message = _("The schema has more than %(count)s parts.") % {"count": MOST_PARTS}
        problems = [Problem((), message)]
    if not problems:
        problems = list(_meta_problems(schema))
    if problems:
        raise BadSchema(problems)


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> MetadataSchema:
    schema = json.loads(text)
    schema_check(schema)
    return MetadataSchema(_Validator(schema, format_checker=CHECKER))


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    found = pattern_of(pattern).found_in(value)
    if found is None:
        yield ValidationError("too long for the pattern", validator="maxLength")
    elif not found:
        yield ValidationError("pattern")


_Validator: Any = extend(Draft202012Validator, {"pattern": _pattern})


def _meta_problems(schema: dict[str, Any]) -> Iterator[Problem]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        message = _("This is not JSON Schema: %(why)s") % {"why": error.message[:300]}
        yield Problem(tuple(error.absolute_path), message)
    if schema.get("$schema", DRAFT) != DRAFT:
        message = _("Schemas are those of draft 2020-12.")
        yield Problem(("$schema",), message)
    if schema.get("type", "object") != "object":
        yield Problem(("type",), _("Metadata is a JSON object: the type is “object”."))


def _problems(root: Any, part: Any, at: Place) -> Iterator[Problem]:
    """Yield what is refused in a part of a schema and in what it holds."""
    if not isinstance(part, dict):
        return
    for name in _REFUSED:
        if name in part:
            message = _("“%(name)s” cannot be used here.") % {"name": name}
            yield Problem((*at, name), message)
    yield from _pattern_problems(part, at)
    if "format" in part and part["format"] not in FORMATS:
        message = _("This format is not known. Known are: %(names)s.")
        yield Problem((*at, "format"), message % {"names": ", ".join(sorted(FORMATS))})
    if "$ref" in part and _target(root, part["$ref"]) is None:
        message = _("A reference leads to a part of the same schema, such as #/$defs/name.")
        yield Problem((*at, "$ref"), message)
    for place, inner in _inner(part):
        yield from _problems(root, inner, (*at, *place))


def _pattern_problems(part: dict[str, Any], at: Place) -> Iterator[Problem]:
    if "pattern" in part and isinstance(part["pattern"], str):
        try:
            pattern_of(part["pattern"])
        except BadPattern as error:
            yield Problem((*at, "pattern"), str(error))


def _parts(root: Any, part: Any, known: dict[int, int], above: frozenset[int]) -> int:
    """Return how many subschemas a part has when every reference is unfolded. Raises BadSchema."""
    if not isinstance(part, dict):
        return 1
    if id(part) in above:
        raise BadSchema([Problem((), _("A reference leads back to itself."))])
    if id(part) not in known:
        inner = [each for _place, each in _inner(part)]
        if "$ref" in part:
            inner.append(_target(root, part["$ref"]))
        here = above | {id(part)}
        known[id(part)] = 1 + sum(_parts(root, each, known, here) for each in inner)
    return known[id(part)]


def _target(root: Any, reference: Any) -> Any:
    """Return the part that a local reference leads to, None for any other."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    part = root
    for key in reference[2:].split("/") if len(reference) > 1 else ():
        key = key.replace("~1", "/").replace("~0", "~")
        if not isinstance(part, dict) or key not in part:
            return None
        part = part[key]
    return part if isinstance(part, (dict, bool)) else None


def _inner(part: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    """Yield the subschemas of a part, each with its place in it."""
    for name in _MAPS:
        if isinstance(part.get(name), dict):
            for key, each in part[name].items():
                yield (name, key), each
    for name in _LISTS:
        if isinstance(part.get(name), list):
            for number, each in enumerate(part[name]):
                yield (name, number), each
    for name in _SINGLE:
        if name in part:
            yield (name,), part[name]
