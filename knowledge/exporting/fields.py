"""Records, one JSON object a line: what each field is, read strictly and written in one form.

A record becomes a namespace with the names that the tables use, so that checksums and chains are
computed of it as of a row. A field too few, one too many or of another type is a fault.
"""

import datetime
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

MAX_DEPTH = 200
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_INTEGER = 2**31


class RecordFault(ValueError):
    """A record that is not of its form; the message says which field."""


def _json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


class Field(NamedTuple):
    """A field of a record: the attribute that holds it, and how its JSON value is read, written."""

    attribute: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = _json


Schema = Mapping[str, Field]


def fields(**readers: Callable[[Any], Any]) -> dict[str, Field]:
    """Return fields that are named as their attributes."""
    return {name: Field(name, reader) for name, reader in readers.items()}


def nested(attribute: str, schema: Schema) -> Field:
    """Return a field that holds a record."""
    return Field(
        attribute,
        lambda value: record_read(value, schema),
        lambda value: record_plain(value, schema),
    )


def nested_list(attribute: str, schema: Schema, limit: int) -> Field:
    """Return a field that holds records."""
    return Field(
        attribute,
        list_of(lambda value: record_read(value, schema), limit),
        lambda rows: [record_plain(row, schema) for row in rows],
    )


def text(limit: int) -> Callable[[Any], str]:
    """Read text of at most so many characters, of which the database can keep each."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit or "\0" in value:
            raise ValueError
        value.encode()  # a lone surrogate is no character
        return value

    return read


def pattern(form: str, limit: int) -> Callable[[Any], str]:
    """Read text of at most so many characters and a form."""
    plain, expression = text(limit), re.compile(form)

    def read(value: Any) -> str:
        if not expression.fullmatch(plain(value)):
            raise ValueError
        return str(value)

    return read


def name(limit: int) -> Callable[[Any], str]:
    """Read a name as people give one: printable, on one line, with something in it."""
    plain = text(limit)

    def read(value: Any) -> str:
        if not plain(value).isprintable() or value != " ".join(value.split()) or not value:
            raise ValueError
        return str(value)

    return read


def or_none(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Read what `reader` reads, or null."""
    return lambda value: None if value is None else reader(value)


def list_of(reader: Callable[[Any], Any], limit: int) -> Callable[[Any], list[Any]]:
    """Read a list of at most so many values."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > limit:
            raise ValueError
        return [reader(each) for each in value]

    return read


def number(value: Any) -> int:
    """Read a whole number that fits a column."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _INTEGER:
        raise ValueError
    return value


def size(value: Any) -> int:
    """Read a number of bytes."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError
    return value


def share(value: Any) -> float:
    """Read a number from 0 to 1."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError
    return float(value)


def uuid_text(value: Any) -> uuid.UUID:
    """Read an id in its usual form."""
    key = uuid.UUID(value)
    if str(key) != value:
        raise ValueError
    return key


def digest(value: Any) -> str:
    """Read a SHA-256 in hexadecimal."""
    if not isinstance(value, str) or not _HASH.match(value):
        raise ValueError
    return value


def time(value: Any) -> datetime.datetime:
    """Read a moment with its zone."""
    moment = datetime.datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(datetime.UTC)


def date(value: Any) -> datetime.date:
    """Read a day."""
    return datetime.date.fromisoformat(value)


def json_object(value: Any) -> dict[str, Any]:
    """Read an object that the database can keep."""
    if not isinstance(value, dict):
        raise ValueError
    _plain(value, 0)
    return value


def anchor(value: Any) -> dict[str, Any]:
    """Read where a page of the source is in a text."""
    span = json_object(value)
    if number(span.get("start")) > number(span.get("end")):
        raise ValueError
    return span


def _plain(value: Any, depth: int) -> None:
    """Raise ValueError for what the database could not keep."""
    if depth > MAX_DEPTH:
        raise ValueError
    if isinstance(value, str):
        _ANY_TEXT(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    elif isinstance(value, dict):
        for key, each in value.items():
            _ANY_TEXT(key)
            _plain(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _plain(each, depth + 1)


def one_of(*values: str) -> Callable[[Any], str]:
    """Read one of some words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError
        return value

    return read


_ANY_TEXT = text(2**31)


def record_plain(holder: Any, schema: Schema) -> dict[str, Any]:
    """Return the fields of a row, or of anything with the attributes, ready for JSON."""
    return {name: field.write(getattr(holder, field.attribute)) for name, field in schema.items()}


def line_of(record: Mapping[str, Any]) -> str:
    """Return a record on one line, without the line's end."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def line_read(line: str, schema: Schema) -> SimpleNamespace:
    """Return the record of a line. Raises RecordFault."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordFault(_("a line is no JSON object")) from None
    return record_read(value, schema)


def record_read(value: Any, schema: Schema) -> SimpleNamespace:
    """Return a record whose every field is of its type. Raises RecordFault."""
    if not isinstance(value, dict):
        raise RecordFault(_("a record is no JSON object"))
    different = set(value).symmetric_difference(schema)
    if different:
        problem = _("the field “%(name)s” is missing or unknown")
        raise RecordFault(problem % {"name": min(different)[:80]})
    record = SimpleNamespace()
    for name, field in schema.items():
        try:
            setattr(record, field.attribute, field.read(value[name]))
        except RecordFault:
            raise
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
            problem = _("the field “%(name)s” has a value that it cannot have")
            raise RecordFault(problem % {"name": name}) from None
    return record
