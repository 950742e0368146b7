"""Words of a text as the keyword index knows them.

A term depends on the letters of a word without their accents, and on the language: whoever types
"informacao" finds "informação", whether the accents are missing in the question or in the text.
The languages that Snowball knows are stemmed; others are only folded.
"""

import functools
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from knowledge.folding import PART, UNSPACED, WORD, fold
from knowledge.stemming import OTHER, analysed_as, stem
from knowledge.stop_words import STOP_WORDS
from knowledge.types import TERM_SPACE

__all__ = [
    "ANALYSIS_VERSION",
    "TERM_SPACE",
    "analysed_as",
    "base_language",
    "fold",
    "former_words",
    "function_words",
    "likely_language",
    "term_counts",
    "term_key",
    "term_of",
    "terms_of",
    "words",
]

ANALYSIS_VERSION = 2
"""Of what this module and `knowledge.passages` make of a text; stored with every passage.

Version 1 knew English and Portuguese only. Raise it with every change of the terms of a text:
passages of before are analysed again in the background (`knowledge.reanalysis`).
"""

MAX_WORD = 64

_DECIMAL = re.compile(r"\d+(?:[.,]\d+)+\Z")
_FORMER_WORD = re.compile(r"[^\W_]+(?:[-._,/:'’+&][^\W_]+)*")
_FORMER_PART = re.compile(r"[^\W_]+")
_FORMER_MARKS = re.compile(r"[\u0300-\u036f]")


def base_language(language: str) -> str:
    """Return the part of a language code before the country: ``pt`` of ``pt-br``."""
    return language.partition("-")[0].lower()


def words(text: str) -> list[str]:
    """Return the words of a text in order, folded.

    A joined word that holds a digit (PRO-104, 192.168.0.1) comes whole and then in its parts, a
    decimal number (3,5 as 3.5) only whole, any other joined word only in its parts.
    """
    found: list[str] = []
    for word in WORD.findall(fold(text)):
        if word.isascii() and word.isalnum():
            found.append(word if len(word) <= MAX_WORD else word[:MAX_WORD])
        else:
            _joined(word, found, PART)
    return found


def former_words(text: str) -> list[str]:
    """Return the words of a text as version 1 of the analysis saw them, for passages of before."""
    folded = _FORMER_MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    found: list[str] = []
    for word in _FORMER_WORD.findall(folded):
        _joined(word, found, _FORMER_PART)
    return found


def _joined(word: str, found: list[str], part_of: re.Pattern[str]) -> None:
    """Add a word that has joints, or letters beyond ASCII, to those found."""
    if _DECIMAL.match(word):
        found.append(word.replace(",", ".")[:MAX_WORD])
        return
    parts = part_of.findall(word)
    if len(parts) > 1 and any(letter.isdigit() for letter in word):
        found.append(word[:MAX_WORD])
    for part in parts:
        if len(part) == 1 or not UNSPACED.search(part):
            found.append(part[:MAX_WORD])
        else:
            found.extend(part[place : place + 2] for place in range(len(part) - 1))


@functools.lru_cache(maxsize=200_000)
def term_of(folded: str, language: str) -> str | None:
    """Return the term of a folded word, or None for a stop word of the language."""
    base = analysed_as(language)
    if folded in STOP_WORDS.get(base, ()):
        return None
    if base == OTHER or any(letter.isdigit() for letter in folded):
        return folded
    return stem(folded, base)


def terms_of(text: str, language: str) -> list[str]:
    """Return the terms of a text in order, with repetitions."""
    found = (term_of(word, language) for word in words(text))
    return [term for term in found if term is not None]


def term_counts(text: str, language: str) -> Counter[str]:
    """Return how often each term occurs in a text."""
    return Counter(terms_of(text, language))


@functools.lru_cache(maxsize=100_000)
def term_key(term: str) -> int:
    """Return the number of a term, from 1 below TERM_SPACE, the same everywhere and for ever."""
    digest = hashlib.blake2b(term.encode(), digest_size=8).digest()
    return 1 + int.from_bytes(digest, "big") % (TERM_SPACE - 1)


def function_words(folded_words: Iterable[str], candidates: Iterable[str]) -> Counter[str]:
    """Return how many of the words are function words of each candidate, by its base."""
    known = [(base, STOP_WORDS[base]) for base in candidates if base in STOP_WORDS]
    hits: Counter[str] = Counter()
    for word, count in Counter(folded_words).items():
        for base, held in known:
            if word in held:
                hits[base] += count
    return hits


def likely_language(folded_words: Iterable[str], candidates: Iterable[str]) -> str | None:
    """Return which of the candidate languages has most of its function words among the words.

    None when none of them has more than the others.
    """
    by_base = {analysed_as(code): code for code in candidates}
    best = function_words(folded_words, by_base).most_common(2)
    if not best or (len(best) > 1 and best[0][1] == best[1][1]):
        return None
    return by_base[best[0][0]]
