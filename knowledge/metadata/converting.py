"""One JSON value as another type, without losing anything: what cannot be exact is refused."""

import datetime
import json
import re
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

TARGETS = ("string", "number", "integer", "boolean", "date", "date-time", "array")
_TRUE = frozenset({"true", "yes", "on", "1", "sim", "y"})
_FALSE = frozenset({"false", "no", "off", "0", "não", "nao", "n"})
_NUMBER = re.compile(r"[+-]?\d{1,300}(?:\.\d{1,300})?(?:[eE][+-]?\d{1,3})?\Z")
_DAY_FIRST = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})\Z")
_YEAR_FIRST = re.compile(r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})\Z")


class NotConvertible(ValueError):
    """The value has no equal of that type."""


def converted(value: Any, target: str, separator: str = ",") -> Any:
    """Return `value` as `target`, one of TARGETS; null stays null. Raises NotConvertible.

    Texts become lists at each `separator`, and lists texts with it between. Dates may be written
    year first, or with the day first and dots or slashes.
    """
    if value is None:
        return None
    try:
        return _TO[target](value, separator)
    except (ValueError, OverflowError):
        message = _("%(value)s cannot become %(type)s.")
        shown = json.dumps(value, ensure_ascii=False)[:80]
        raise NotConvertible(message % {"value": shown, "type": target}) from None


def _to_string(value: Any, separator: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return json.dumps(value)
    if isinstance(value, list):
        texts = [_to_string(each, separator) for each in value]
        if any(separator in text for text in texts):
            raise ValueError
        return (
            f"{separator} ".join(texts) if separator.strip() == separator else separator.join(texts)
        )
    raise ValueError


def _to_number(value: Any, _separator: str) -> int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.match(text):
        raise ValueError
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError
    whole = re.fullmatch(r"[+-]?\d+", text)
    return int(text) if whole else number


def _to_integer(value: Any, separator: str) -> int:
    number = _to_number(value, separator)
    if number != int(number):
        raise ValueError
    return int(number)


def _to_boolean(value: Any, _separator: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        text = value.strip().casefold()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
    raise ValueError


def _to_date(value: Any, _separator: str) -> str:
    if not isinstance(value, str):
        raise ValueError
    text = value.strip()
    if found := _DAY_FIRST.match(text):
        day, month, year = map(int, found.groups())
        return datetime.date(year, month, day).isoformat()
    if found := _YEAR_FIRST.match(text):
        return datetime.date(*map(int, found.groups())).isoformat()
    return datetime.datetime.fromisoformat(text).date().isoformat()


def _to_date_time(value: Any, separator: str) -> str:
    if not isinstance(value, str):
        raise ValueError
    try:
        at = datetime.datetime.fromisoformat(value.strip())
    except ValueError:
        at = datetime.datetime.fromisoformat(_to_date(value, separator))
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).isoformat()


def _to_array(value: Any, separator: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return [part.strip() for part in value.split(separator) if part.strip()]
    return [value]


_TO: dict[str, Callable[[Any, str], Any]] = {
    "string": _to_string,
    "number": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "date": _to_date,
    "date-time": _to_date_time,
    "array": _to_array,
}
