"""A schema as people read it: which fields it wants, of which type, and an example of them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from knowledge.metadata.wording import type_words

MOST_DEPTH = 3


@dataclass(frozen=True, slots=True)
class FieldFact:
    """A field of a schema: where it is, what it holds, and whether it must be there."""

    path: str
    type: str
    is_required: bool
    description: str


def fields_of(schema: Mapping[str, Any]) -> list[FieldFact]:
    """Return the fields that a schema names, outer ones first; MOST_DEPTH levels deep."""
    return list(_fields(schema, schema, "", 1))


def _fields(
    root: Mapping[str, Any], part: Mapping[str, Any], before: str, depth: int
) -> Iterator[FieldFact]:
    required = part.get("required", [])
    for name, raw in part.get("properties", {}).items():
        inner = _resolved(root, raw)
        if not isinstance(inner, dict):
            continue
        path = f"{before}{name}"
        text = str(inner.get("description") or inner.get("title") or "")
        yield FieldFact(path, _type(inner), name in required, text)
        if depth < MOST_DEPTH:
            yield from _fields(root, inner, f"{path}.", depth + 1)
            items = _resolved(root, inner.get("items"))
            if isinstance(items, dict):
                yield from _fields(root, items, f"{path}[*].", depth + 1)


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        values = ", ".join(json.dumps(each, ensure_ascii=False) for each in part["enum"][:12])
        return _("one of %(values)s") % {"values": values}
    if "const" in part:
        return json.dumps(part["const"], ensure_ascii=False)
    words = type_words(part["type"]) if "type" in part else _("anything")
    if "format" in part:
        words = f"{words} ({part['format']})"
    bounds = [
        f"{sign} {part[name]}"
        for name, sign in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "≤"))
        if name in part
    ]
    return ", ".join([words, *bounds])


def _resolved(root: Mapping[str, Any], part: Any) -> Any:
    """Return what a part stands for: the end of its local references."""
    for _hop in range(20):
        if not isinstance(part, dict) or "$ref" not in part:
            return part
        found: Any = root
        for key in part["$ref"].split("/")[1:]:
            found = found[key.replace("~1", "/").replace("~0", "~")]
        part = found
    return part
