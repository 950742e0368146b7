"""Regular expressions of a schema, kept from taking for ever.

Python's engine backtracks. Of each part of a pattern two numbers bound how often it can be tried
on n characters: its degree d and its factor f, for at most f·n^d/d! ways.

1. Of parts in a row the degrees add up and the factors multiply; of a choice the larger degree and
   the sum of the factors count.
2. A repetition of at most FEW times is its part so many times in a row.
3. A longer one has the degree 1, and is refused around a part that can match in several ways: that
   is where time grows exponentially. Words with a separator before each, as in (-[a-z]+)*, can
   match in one way only.

A pattern is only tried on texts so short that all ways together stay below BUDGET.
"""

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from re import _constants as codes  # type: ignore[attr-defined]  # the parser is not in typeshed
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from django.utils.translation import gettext as _

MOST_CHARS = 300
BUDGET = 10_000_000  # steps of the engine: some tenths of a second
LONGEST_TEXT = 10_000  # characters
LEAST_TEXT = 60  # characters that a pattern must be good for
FEW = 8
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_REFUSED = (codes.GROUPREF, codes.GROUPREF_EXISTS, codes.ASSERT, codes.ASSERT_NOT)
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    codes.CATEGORY_DIGIT: str.isdigit,
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
}


class BadPattern(ValueError):
    """The pattern is not one, or could take too long; its argument says which."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern, and the most characters of a text that it is tried on."""

    compiled: re.Pattern[str]
    most: int

    def found_in(self, text: str) -> bool | None:
        """Return whether the pattern occurs in `text`; None for a text that is too long for it."""
        return None if len(text) > self.most else self.compiled.search(text) is not None


@functools.lru_cache(maxsize=512)
def pattern_of(text: str) -> Pattern:
    """Return the pattern. Raises BadPattern for what is none, and for what may take too long."""
    if len(text) > MOST_CHARS:
        raise BadPattern(_("A pattern has at most %(count)s characters.") % {"count": MOST_CHARS})
    try:
        tree = parser.parse(text)
        compiled = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        message = _("This is no regular expression: %(why)s.")
        raise BadPattern(message % {"why": error}) from None
    degree, factor = _ways(tree)
    if not _is_anchored(tree):
        degree += 1
    most = _longest(degree, factor)
    if most < LEAST_TEXT:
        message = _("The pattern repeats in too many places; anchor it with ^, or split it.")
        raise BadPattern(message)
    return Pattern(compiled, most)


def _longest(degree: int, factor: int) -> int:
    """Return the most characters that can be tried within the budget."""
    if factor > BUDGET or degree > 20:
        return 0
    if degree == 0:
        return LONGEST_TEXT
    return min(LONGEST_TEXT, int((BUDGET * math.factorial(degree) / factor) ** (1 / degree)))


def _ways(tree: Any) -> tuple[int, int]:
    """Return degree and factor of parts in a row. Raises BadPattern."""
    degree, factor = 0, 1
    for code, value in tree:
        more, times = _ways_of(code, value)
        degree, factor = degree + more, min(factor * times, BUDGET + 1)
    return degree, factor


def _ways_of(code: Any, value: Any) -> tuple[int, int]:
    if code in _REFUSED:
        raise BadPattern(_("A pattern may not look around or back at its own groups."))
    if code in _REPEATS:
        return _ways_of_repeat(*value)
    if code is codes.BRANCH:
        ways = [_ways(branch) for branch in value[1]]
        return max(degree for degree, _f in ways), sum(factor for _d, factor in ways)
    if code is codes.SUBPATTERN:
        return _ways(value[-1])
    if code is codes.ATOMIC_GROUP:
        return _ways(value)
    return 0, 1


def _ways_of_repeat(least: int, most: int, body: Any) -> tuple[int, int]:
    degree, factor = _ways(body)
    if most <= FEW:
        choices = most - least + 1
        return degree * most, min(choices * factor**most, BUDGET + 1)
    if (degree or factor > 1) and not _is_separated(body):
        message = _("A pattern may not repeat what can match in several ways, as (a+)+ does.")
        raise BadPattern(message)
    return int(least != most), 1


def _is_separated(body: Any) -> bool:
    """Return whether a part is a literal and then a repetition of what is not that literal."""
    parts = list(body)
    if len(parts) == 1 and parts[0][0] is codes.SUBPATTERN:
        parts = list(parts[0][1][-1])
    if len(parts) != 2 or parts[0][0] is not codes.LITERAL or parts[1][0] not in _REPEATS:
        return False
    repeated = list(parts[1][1][2])
    if len(repeated) != 1:
        return False
    code, value = repeated[0]
    return not _admits(code, value, chr(parts[0][1]))


def _admits(code: Any, value: Any, char: str) -> bool:
    """Return whether a part of one character may be `char`; True where that is not known."""
    if code is codes.LITERAL:
        return bool(value == ord(char))
    if code is codes.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    if code is codes.IN:
        return any(_admits(inner, each, char) for inner, each in value)
    if code is codes.CATEGORY and value in _CATEGORIES:
        return _CATEGORIES[value](char)
    return True


def _is_anchored(tree: Any) -> bool:
    first = next(iter(tree), None)
    anchors = (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING)
    return first is not None and first[0] is codes.AT and first[1] in anchors
