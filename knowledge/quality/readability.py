"""How easy a text is to read, from 0 (only for experts) to 100 (for everyone).

English: R. Flesch, "A new readability yardstick", Journal of Applied Psychology 32 (1948):
206.835 - 1.015 · words a sentence - 84.6 · syllables a word. Portuguese: T. B. F. Martins,
C. M. Ghiraldelo, M. G. V. Nunes and O. N. Oliveira Jr., "Readability formulas applied to textbooks
in Brazilian Portuguese", Notas do ICMC-USP 28 (1996), who found that Portuguese words have more
syllables and add 42 to the constant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.analysis import base_language
from knowledge.quality.sentences import Sentence

FEWEST_WORDS = 60
"""Below, the formulas say nothing."""
HARD_BELOW = 25.0
CONSTANTS = {"en": 206.835, "pt": 248.835}

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ENGLISH = re.compile(r"[aeiouy]+")
_ENGLISH_SILENT = re.compile(r"(?:[^laeiouy]es|[^aeiouytd]ed|[^laeiouy]e)$")
_MARKS = re.compile(r"[\u0300\u0302\u0303\u0308\u0327]")  # an acute accent stays: it breaks vowels
# Vowels of Portuguese that are one syllable together, in the order in which they are tried.
_PORTUGUESE = re.compile(
    r"[gq]u[ei](?:[iu](?!\u0301))?"
    r"|[aeo]\u0301?[iu](?!\u0301)|ui(?!\u0301)|iu(?!\u0301)"
    r"|[gq]u[ao]\u0301?[iu]?"
    r"|[aeiou]\u0301?"
)
_NASAL = re.compile(r"([ao])\u0303([oe])")


@dataclass(frozen=True, slots=True)
class Readability:
    """`ease` from 0 to 100; mean words a sentence; mean syllables a word."""

    ease: float
    words_a_sentence: float
    syllables_a_word: float


def readability(found: Sequence[Sentence], language: str) -> Readability | None:
    """Return how easy the prose is; None for other languages and where it is too little.

    Table rows and fragments of fewer than four words are no prose.
    """
    base = base_language(language)
    if base not in CONSTANTS:
        return None
    prose = [words for each in found if not each.header and len(words := _words(each.text)) > 3]
    words = [word for row in prose for word in row]
    if len(words) < FEWEST_WORDS:
        return None
    length = len(words) / len(prose)
    syllables = sum(syllable_count(word, base) for word in words) / len(words)
    ease = CONSTANTS[base] - 1.015 * length - 84.6 * syllables
    return Readability(min(100.0, max(0.0, ease)), length, syllables)


def syllable_count(word: str, language: str) -> int:
    """Return about how many syllables a word has: groups of vowels, by rules of the language."""
    if base_language(language) == "pt":
        return _portuguese(word)
    plain = word.lower()
    count = len(_ENGLISH.findall(plain))
    if count > 1 and _ENGLISH_SILENT.search(plain):
        count -= 1
    if plain.endswith("ism") or re.search(r"[^aeiouy]i(?:a|o(?!u|n))", plain):
        count += 1
    return max(1, count)


def _portuguese(word: str) -> int:
    decomposed = unicodedata.normalize("NFD", word.lower()).replace("y", "i")
    plain = _MARKS.sub("", _NASAL.sub(r"\1i", decomposed))
    return max(1, len(_PORTUGUESE.findall(plain)))


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
