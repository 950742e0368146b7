"""A text with its facts before it, as static site generators and note takers read it.

Between two lines `---` stands one fact a line, `name: value`, the value in JSON on that line: that
is YAML, too, and one value has one form. What follows is the text, byte for byte: nothing is added
to it, and its line ends stay what they are.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

MAX_HEADER = 32 * 2**20  # characters
_FENCE = "---\n"
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
# YAML allows these only escaped: what is not printable, and what it takes for a line's end.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class FrontMatterFault(ValueError):
    """A header that is missing, too long, or not of this form; the message says which."""


def document_join(facts: Mapping[str, Any], text: str) -> str:
    """Return the text with its facts before it; facts are JSON values, in their order."""
    lines = [f"{name}: {flow(value)}\n" for name, value in facts.items()]
    return "".join([_FENCE, *lines, _FENCE, text])


def document_split(document: str) -> tuple[dict[str, Any], str]:
    """Return the facts and the text of a document. Raises FrontMatterFault."""
    if not document.startswith(_FENCE):
        message = _("it does not begin with front matter")
        raise FrontMatterFault(message)
    end = document.find(f"\n{_FENCE}", 0, MAX_HEADER)
    if end < 0:
        message = _("its front matter has no end, or is too long")
        raise FrontMatterFault(message)
    facts: dict[str, Any] = {}
    for line in document[len(_FENCE) : end + 1].split("\n")[:-1]:
        name, colon, value = line.partition(": ")
        if not colon or not _NAME.match(name) or name in facts:
            message = _("its front matter has no fact in the line “%(line)s”")
            raise FrontMatterFault(message % {"line": line[:80]})
        facts[name] = _value(name, value)
    return facts, document[end + 1 + len(_FENCE) :]


def _value(name: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        message = _("the value of “%(name)s” cannot be read")
        raise FrontMatterFault(message % {"name": name}) from None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def flow(value: Any) -> str:
    """Return a JSON value on one line, such that JSON and YAML read the same.

    Raises ValueError for a number that JSON does not have, TypeError for any other type.
    """
    if isinstance(value, str):
        return _UNSAFE.sub(_escape, json.dumps(value, ensure_ascii=False))
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    if isinstance(value, Mapping):
        pairs = (f"{flow(_text(key))}: {flow(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(flow, value))}]"
    message = f"{type(value).__name__} has no place in front matter"
    raise TypeError(message)


def _text(key: Any) -> str:
    if not isinstance(key, str):
        message = "the keys of an object are text"
        raise TypeError(message)
    return key


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _number(value: float) -> str:
    """YAML takes an exponent for one only behind a point: `1e+20` would be a word."""
    if not math.isfinite(value):
        message = "a number is not finite"
        raise ValueError(message)
    text = repr(value)
    digits, exponent, power = text.partition("e")
    return f"{digits}.0e{power}" if exponent and "." not in digits else text
