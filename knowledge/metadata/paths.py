"""Places in a JSON value: `contact.email`, `links[*].url`, or a JSON Pointer for other keys.

A path that begins with `/` is a JSON Pointer (RFC 6901): `/a.b/c` names the key `a.b`. In both
ways of writing `*` stands for every element of a list.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

EACH = "*"
MOST_KEYS = 20  # keys in a path
MOST_CHARS = 500
_PART = re.compile(r"(?P<key>[^.\[\]/]+)(?P<each>(?:\[\*\])*)\Z")

Place = tuple[str | int, ...]


class BadPath(ValueError):
    """The text names no place; its argument says why."""


@dataclass(frozen=True, slots=True)
class Path:
    """The keys from the root; EACH stands for every element of a list. `text` is as written."""

    keys: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def shared(self) -> tuple[str, ...]:
        """The keys up to and with the last EACH."""
        for at in range(len(self.keys), 0, -1):
            if self.keys[at - 1] == EACH:
                return self.keys[:at]
        return ()


def path_of(text: object) -> Path:
    """Return the path that a text names. Raises BadPath."""
    if not isinstance(text, str) or not text or len(text) > MOST_CHARS:
        raise BadPath(_("Name a field, such as contact.email."))
    keys = _pointer(text) if text.startswith("/") else _dotted(text)
    if len(keys) > MOST_KEYS:
        raise BadPath(_("A path has at most %(count)s keys.") % {"count": MOST_KEYS})
    if keys[-1] == EACH:
        raise BadPath(_("A path ends in the name of a field."))
    if keys[0] == EACH:
        raise BadPath(_("A path begins with the name of a field."))
    return Path(keys, text)


def place_text(place: Sequence[str | int]) -> str:
    """Return a place in a value as people read it: `contact.email`, `links[2].url`."""
    text = ""
    for key in place:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text


def holders(value: Any, keys: Sequence[str], at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield the values that `keys` lead to, each with its place. Nothing is made on the way."""
    if not keys:
        yield at, value
        return
    key, rest = keys[0], keys[1:]
    if key == EACH:
        if isinstance(value, list):
            for number, each in enumerate(value):
                yield from holders(each, rest, (*at, number))
    elif isinstance(value, dict) and key in value:
        yield from holders(value[key], rest, (*at, key))


def _pointer(text: str) -> tuple[str, ...]:
    keys = tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))
    if "" in keys:
        raise BadPath(_("“%(path)s” has an empty key.") % {"path": text})
    return keys


def _dotted(text: str) -> tuple[str, ...]:
    keys: list[str] = []
    for part in text.split("."):
        found = _PART.match(part)
        if found is None:
            message = _("“%(path)s” is no path: write contact.email, links[*].url or /a.b/c.")
            raise BadPath(message % {"path": text})
        keys += [found["key"], *[EACH] * found["each"].count(EACH)]
    return tuple(keys)
