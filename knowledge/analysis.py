"""Words of a text as the keyword index knows them.

A term depends on the letters of a word without their accents, and on the language: whoever types
"informacao" finds "informação", whether the accents are missing in the question or in the text.
English and Portuguese are stemmed; other languages are only folded.
"""

import functools
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

from knowledge.stop_words import STOP_WORDS
from knowledge.types import TERM_SPACE

__all__ = [
    "TERM_SPACE",
    "base_language",
    "fold",
    "likely_language",
    "term_counts",
    "term_key",
    "term_of",
    "terms_of",
    "words",
]

MAX_WORD = 64

# A word, with the joints that identifiers and numbers have inside them: PRO-104, 3,5, v1.2, a_b.
_WORD = re.compile(r"[^\W_]+(?:[-._,/:'’+&][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_DECIMAL = re.compile(r"\d+(?:[.,]\d+)+\Z")
_MARKS = re.compile(r"[\u0300-\u036f]")
# Han, kana and Hangul have no spaces between words: pairs of characters stand for words.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")

# Portuguese endings without their accents → the ending in one number and with the accents that the
# Snowball stemmer looks for. Plurals after Orengo and Huyck, "A stemming algorithm for the
# Portuguese language" (2001).
_PORTUGUESE_ENDINGS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=[aiu])c(?:ao|oes)\Z", "ção"),
        (r"(?<=\w\w)(?:oes|aos)\Z", "ão"),
        (r"(?<=\w\w\w)ao\Z", "ão"),
        (r"(?<=\w\w)aveis\Z", "ável"),
        (r"(?<=\w\w)iveis\Z", "ível"),
        (r"(?<=\w\w)avel\Z", "ável"),
        (r"(?<=\w\w)ivel\Z", "ível"),
        (r"(?<=\w\w)ais\Z", "al"),
        (r"(?<=\w\w\w)eis\Z", "el"),
        (r"(?<=\w\w)encias?\Z", "ência"),
        (r"(?<=\w\w)ancias?\Z", "ância"),
        (r"(?<=\w)ns\Z", "m"),
        (r"(?<=\w\w)aria\Z", "ária"),
    )
)


def base_language(language: str) -> str:
    """Return the part of a language code before the country: ``pt`` of ``pt-br``."""
    return language.partition("-")[0].lower()


def fold(text: str) -> str:
    """Return the text in small letters without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return _MARKS.sub("", decomposed)


def words(text: str) -> list[str]:
    """Return the words of a text in order, folded.

    A joined word that holds a digit (PRO-104, 192.168.0.1) comes whole and then in its parts, a
    decimal number (3,5 as 3.5) only whole, any other joined word only in its parts.
    """
    found: list[str] = []
    for word in _WORD.findall(fold(text)):
        if word.isascii() and word.isalnum():
            found.append(word if len(word) <= MAX_WORD else word[:MAX_WORD])
        else:
            _joined(word, found)
    return found


def _joined(word: str, found: list[str]) -> None:
    """Add a word that has joints, or letters beyond ASCII, to those found."""
    if _DECIMAL.match(word):
        found.append(word.replace(",", ".")[:MAX_WORD])
        return
    parts = _PART.findall(word)
    if len(parts) > 1 and any(letter.isdigit() for letter in word):
        found.append(word[:MAX_WORD])
    for part in parts:
        if len(part) == 1 or not _UNSPACED.search(part):
            found.append(part[:MAX_WORD])
        else:
            found.extend(part[place : place + 2] for place in range(len(part) - 1))


@functools.lru_cache(maxsize=200_000)
def term_of(folded: str, language: str) -> str | None:
    """Return the term of a folded word, or None for a stop word of the language."""
    base = base_language(language)
    if folded in STOP_WORDS.get(base, ()):
        return None
    if base not in _STEMMERS or any(letter.isdigit() for letter in folded):
        return folded
    word = folded
    if base == "pt":
        for ending, replacement in _PORTUGUESE_ENDINGS:
            word, changed = ending.subn(replacement, word)
            if changed:
                break
    return fold(str(_stemmer(base).stemWord(word)))


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


def likely_language(folded_words: Iterable[str], candidates: Iterable[str]) -> str | None:
    """Return which of the candidate languages has most of its stop words among the words.

    None when none of them has clearly more than the others.
    """
    counts = Counter(folded_words)
    hits = {}
    for code in candidates:
        if known := STOP_WORDS.get(base_language(code)):
            hits[code] = sum(count for word, count in counts.items() if word in known)
    best = sorted(hits.items(), key=lambda item: -item[1])
    if not best or not best[0][1] or (len(best) > 1 and best[0][1] == best[1][1]):
        return None
    return best[0][0]


_STEMMERS = {"en": "english", "pt": "portuguese"}


@functools.cache
def _stemmer(base: str) -> Any:
    import Stemmer

    return Stemmer.Stemmer(_STEMMERS[base], 0)
