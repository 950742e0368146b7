"""What a failed check says to the person who wrote the value."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from jsonschema.exceptions import ValidationError

from knowledge.metadata.paths import Place

_LONGEST = 200


def problems_of_error(error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Yield places and messages of one failed check: the fields at fault where it names some."""
    at: Place = tuple(error.absolute_path)
    name, wanted = str(error.validator), error.validator_value
    if name == "required":
        for key in wanted:
            if isinstance(error.instance, dict) and key not in error.instance:
                yield (*at, key), _("This field is required.")
    elif name == "additionalProperties" and wanted is False:
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        for key in error.instance:
            if key not in known:
                yield (*at, key), _("The schema knows no such field.")
    elif name == "dependentRequired":
        yield at, _("Fields that belong to others are missing: %(rule)s.") % {"rule": _json(wanted)}
    else:
        yield at, _message(name, wanted, error)


def type_words(wanted: Any) -> str:
    """Return the type or types of a schema in words."""
    names = {
        "string": _("text"),
        "number": _("a number"),
        "integer": _("a whole number"),
        "boolean": _("true or false"),
        "array": _("a list"),
        "object": _("an object"),
        "null": _("null"),
    }
    kinds = wanted if isinstance(wanted, list) else [wanted]
    return _(" or ").join(names.get(str(kind), str(kind)) for kind in kinds)


def _message(name: str, wanted: Any, error: ValidationError) -> str:
    simple = _words().get(name)
    if simple is not None:
        return str(simple(wanted))
    if name in {"anyOf", "oneOf"}:
        return _of_branches(name, error)
    if name == "pattern":
        if "too long" in error.message:
            return _("The text is too long to be checked against the pattern.")
        return _("The text does not match the pattern %(pattern)s.") % {"pattern": wanted}
    return str(error.message)[:_LONGEST]


def _words() -> dict[str, Callable[[Any], str]]:
    return {
        "type": lambda wanted: _("This must be %(type)s.") % {"type": type_words(wanted)},
        "enum": lambda wanted: (
            _("This must be one of: %(values)s.")
            % {"values": ", ".join(map(_json, wanted))[:_LONGEST]}
        ),
        "const": lambda wanted: _("This must be %(value)s.") % {"value": _json(wanted)},
        "format": lambda wanted: _("This is not of the format “%(format)s”.") % {"format": wanted},
        "minimum": lambda wanted: _("This must be at least %(limit)s.") % {"limit": wanted},
        "maximum": lambda wanted: _("This must be at most %(limit)s.") % {"limit": wanted},
        "exclusiveMinimum": lambda wanted: (
            _("This must be more than %(limit)s.") % {"limit": wanted}
        ),
        "exclusiveMaximum": lambda wanted: (
            _("This must be less than %(limit)s.") % {"limit": wanted}
        ),
        "multipleOf": lambda wanted: _("This must be a multiple of %(step)s.") % {"step": wanted},
        "minLength": lambda wanted: (
            ngettext(
                "This must have at least %(count)s character.",
                "This must have at least %(count)s characters.",
                wanted,
            )
            % {"count": wanted}
        ),
        "maxLength": lambda wanted: (
            ngettext(
                "This must have at most %(count)s character.",
                "This must have at most %(count)s characters.",
                wanted,
            )
            % {"count": wanted}
        ),
        "minItems": lambda wanted: (
            ngettext(
                "The list needs at least %(count)s element.",
                "The list needs at least %(count)s elements.",
                wanted,
            )
            % {"count": wanted}
        ),
        "maxItems": lambda wanted: (
            ngettext(
                "The list may have at most %(count)s element.",
                "The list may have at most %(count)s elements.",
                wanted,
            )
            % {"count": wanted}
        ),
        "uniqueItems": lambda _wanted: _("The elements of the list must differ."),
        "minProperties": lambda wanted: (
            _("The object needs at least %(count)s fields.") % {"count": wanted}
        ),
        "maxProperties": lambda wanted: (
            _("The object may have at most %(count)s fields.") % {"count": wanted}
        ),
        "additionalProperties": lambda _wanted: _("The schema knows no such field."),
        "unevaluatedProperties": lambda _wanted: _("There are fields that the schema knows not."),
        "not": lambda _wanted: _("The schema forbids this."),
        "contains": lambda _wanted: _("The list does not hold what the schema asks for."),
    }


def _of_branches(name: str, error: ValidationError) -> str:
    """Say what the likeliest of several possibilities asks for."""
    if name == "oneOf" and not error.context:
        return _("This fits several of the possibilities; it must fit one.")
    reasons = list(dict.fromkeys(text for each in error.context or () for text in _told(each)))
    text = _("None of the possibilities fits: %(reasons)s") % {"reasons": " / ".join(reasons)}
    return text[: 2 * _LONGEST]


def _told(error: ValidationError) -> Iterator[str]:
    for _place, message in problems_of_error(error):
        yield message


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:_LONGEST]
