"""What a question asks beyond words: phrases, exclusions, titles and tags. Pure.

    mooring "fee schedule" -draft -"not in force" title:berth title:"summer season" tag:fees -tag:x

Typographic quotes are quotes. What is malformed is read as plain words: a quote that is never
closed, `title:` with nothing behind it, a minus alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge.analysis import words
from knowledge.conditions import Condition, Conditions, Place

_QUOTED = r"\"[^\"]*\"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»"
_TOKEN = re.compile(
    rf"(?<![^\s(])(?P<sign>-?)(?:(?P<field>title|tag):)?(?:(?P<quoted>{_QUOTED})|(?P<word>[^\s\"“”„«»]+))"
    r"(?=[\s,.;:!?)]|\Z)",
    re.IGNORECASE,
)
_QUOTES = re.compile('["“”„«»]')
MOST = 20
"""Conditions of a question; what comes after is read as plain words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is understood: plain words to rank by, and its conditions if it has any."""

    plain: str
    conditions: Conditions | None


def understood(query: str) -> Asked:
    """Return the plain words of a query, and its conditions."""
    found: list[Condition] = []
    plain: list[str] = []
    at = 0
    for match in _TOKEN.finditer(query):
        condition = _condition(match) if len(found) < MOST else None
        if condition is None:
            continue
        plain.append(query[at : match.start()])
        at = match.end()
        found.append(condition)
        if not condition.is_excluded and condition.place != Place.TAG:
            plain.append(condition.text)
    plain.append(query[at:])
    if not found:
        return Asked(query, None)
    text = " ".join(_QUOTES.sub(" ", " ".join(plain)).split())
    wanted = [each for each in found if not each.is_excluded and each.place != Place.TAG]
    exact = {word for each in wanted for word in words(each.text)}
    return Asked(text if words(text) else "", Conditions(tuple(found), frozenset(exact)))


def _condition(match: re.Match[str]) -> Condition | None:
    """Return the condition that a token is, or None for a plain word."""
    sign, field_name, quoted, word = match.group("sign", "field", "quoted", "word")
    if not (sign or field_name or quoted):
        return None
    text = quoted[1:-1].strip() if quoted else word
    place = Place(field_name.lower()) if field_name else Place.ANYWHERE
    if place == Place.TAG:
        text = text if quoted else text.rstrip(",.;:!?)")
        return Condition(text, place, bool(sign)) if text else None
    held = words(text)
    if not held or (not quoted and word.startswith(("-", "title:", "tag:"))):
        return None
    # A word with joints is a phrase, an identifier with its parts is one, too.
    return Condition(text, place, bool(sign), is_exact=bool(quoted) or len(held) > 1)
