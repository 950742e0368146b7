"""Words that are few letters apart. Pure: words in, words out.

Two words that are up to two letters apart become equal when up to two letters are left out of
each: numbers of what is left are an index that finds them without looking at every word. (Garbe,
"1000x faster spelling correction: symmetric delete", 2012; here of the first letters only.)
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from knowledge.analysis import words
from knowledge.folding import UNSPACED, WORD

SHORTEST = 4
"""Letters below which a word is never taken for a misspelled one: most would have neighbours."""
TWO_FROM = 8
"""Letters from which two may be wrong."""
LONGEST = 32
PREFIX = 7
"""First letters of which the keys are made; they bound how many there are."""
SHARES = {1: 0.6, 2: 0.4}
"""What a word counts that stands in for a typed one, by how many letters they are apart."""

REPLACED_SHARE = 0.3

_IDENTIFIER = re.compile(r"[\d._,/:+&]")
_AROUND = "@#$\\/=_"


@dataclass(frozen=True, slots=True)
class Near:
    """A word of the scope that may have been meant, its term, and how many letters are wrong."""

    word: str
    term: str
    distance: int
    typed: str

    @property
    def share(self) -> float:
        """What the word counts, of 1 for the one that was typed.

        A short word with one letter for another is as likely to be another word: insect, infect.
        """
        is_replaced = len(self.word) == len(self.typed) and set(self.word) != set(self.typed)
        if is_replaced and len(self.typed) < TWO_FROM:
            return REPLACED_SHARE
        return SHARES[self.distance]


def plain_words(text: str) -> frozenset[str]:
    """Return the folded words of a text that may be misspelled.

    Not those with digits or inner capitals, parts of addresses and paths, or names in capitals: one
    letter more or less makes another of them.
    """
    shouts = text == text.upper()
    found: set[str] = set()
    exact: set[str] = set()
    for match in WORD.finditer(text):
        token = match.group()
        around = (
            text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
        )
        is_exact = (
            _IDENTIFIER.search(token) is not None
            or any(sign in _AROUND for sign in around)
            or (any(letter.isupper() for letter in token[1:]) and not shouts)
        )
        (exact if is_exact else found).update(words(token))
    return frozenset(word for word in found - exact if can_be_misspelled(word))


def can_be_misspelled(word: str) -> bool:
    """Return whether a folded word is long enough, of letters only, and of a script with spaces."""
    return SHORTEST <= len(word) <= LONGEST and word.isalpha() and not UNSPACED.search(word)


def is_worth_keeping(word: str) -> bool:
    """Return whether a folded word can be what a misspelled one meant."""
    return SHORTEST - 1 <= len(word) <= LONGEST and word.isalpha() and not UNSPACED.search(word)


def farthest(word: str) -> int:
    """Return how many letters of a typed word may be wrong."""
    return 2 if len(word) >= TWO_FROM else 1


def keys_of_word(word: str) -> list[int]:
    """Return the numbers, 32 bits with a sign, of a word's beginning with letters left out."""
    start = word[:PREFIX]
    left = fewer = {start}
    for _letter in range(farthest(word)):
        fewer = {each[:at] + each[at + 1 :] for each in fewer for at in range(len(each))}
        left = left | fewer
    return sorted({_number(each) for each in left})


def _number(text: str) -> int:
    value = zlib.crc32(text.encode())
    return value - 2**32 if value >= 2**31 else value


def distance(one: str, other: str, most: int) -> int:
    """Return how many letters differ, are missing or swapped; `most + 1` where it is more.

    Damerau and Levenshtein, each place changed once at most (optimal string alignment).
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
