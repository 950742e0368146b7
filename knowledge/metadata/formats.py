"""The formats that a schema may name, each with its check."""

import datetime
import ipaddress
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from jsonschema import FormatChecker

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+\Z")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")


def _date(text: str) -> bool:
    datetime.date.fromisoformat(text)
    return _DATE.match(text) is not None


def _date_time(text: str) -> bool:
    at = datetime.datetime.fromisoformat(text)
    return at.tzinfo is not None and "T" in text.upper()


def _time(text: str) -> bool:
    datetime.time.fromisoformat(text)
    return ":" in text


def _uri(text: str) -> bool:
    parts = urlsplit(text)
    has_place = bool(parts.netloc) if parts.scheme in {"http", "https", "ftp"} else bool(parts.path)
    return bool(parts.scheme) and has_place and not re.search(r"\s", text)


def _hostname(text: str) -> bool:
    return len(text) <= 253 and all(_LABEL.match(label) for label in text.split("."))


FORMATS: dict[str, Callable[[str], bool]] = {
    "date": _date,
    "date-time": _date_time,
    "time": _time,
    "email": lambda text: len(text) <= 254 and _EMAIL.match(text) is not None,
    "hostname": _hostname,
    "ipv4": lambda text: bool(ipaddress.IPv4Address(text)),
    "ipv6": lambda text: bool(ipaddress.IPv6Address(text)),
    "language": lambda text: _LANGUAGE.match(text) is not None,
    "uri": _uri,
    "uuid": lambda text: bool(uuid.UUID(text)) and len(text) == 36,
}


def is_of_format(name: str, value: Any) -> bool:
    """Return whether a value is of a format; what is no text always is."""
    if not isinstance(value, str):
        return True
    try:
        return FORMATS[name](value)
    except ValueError:
        return False


CHECKER = FormatChecker(formats=())
for _name in FORMATS:
    CHECKER.checkers[_name] = (
        lambda value, _name=_name: is_of_format(_name, value),
        (),
    )
