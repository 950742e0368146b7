"""The part of a passage that shows why it was found."""

import itertools
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping

from knowledge.analysis import base_language, fold, term_of

LENGTH = 240
_ASCII_WORD = re.compile("([a-z0-9]+)")
_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"(?<=[.!?…:;])\s+|\n+")
_BREAK_AFTER = re.compile(r"[.!?…:;]\s+|\n+")
"""The same breaks with the sign before: found sooner, and they end at the same places."""
_SPACES = re.compile(r"\s+")
_KEEP_INITIALS = frozenset(
    ["en", "pt", "es", "fr", "de", "it", "nl", "ca", "ro", "sv", "da", "no", "nb", "nn", "fi"]
)
"""Languages whose stemmers change nothing at the beginning of a word."""


def snippet(text: str, terms: Mapping[str, float], language: str, *, length: int = LENGTH) -> str:
    """Return about `length` characters of a plain text around the terms that weigh most.

    The window begins at a sentence where one begins near. An ellipsis marks what is cut. Every
    different term counts once, so a window with three words of the question beats one with the
    same word three times.
    """
    text = _SPACES.sub(" ", text.strip()) if len(text) <= length else text.strip()
    if len(text) <= length:
        return text
    hits = _hits(text, terms, language)
    starts = sorted({0, *(match.end() for match in _BREAK_AFTER.finditer(text))})
    start = _best_start(starts, hits, terms, length)
    end = _cut_after(text, start, length)
    inside = _SPACES.sub(" ", text[start:end].strip())
    return f"{'… ' if start else ''}{inside}{' …' if end < len(text) else ''}"


def _hits(text: str, terms: Mapping[str, float], language: str) -> list[tuple[int, int, str]]:
    """Return start, end and term of the words that are among the terms."""
    initials = {term[0] for term in terms if term}
    keeps = base_language(language) in _KEEP_INITIALS
    if keeps and text.isascii():
        return _ascii_hits(text, terms, language, initials)
    hits = []
    # Most words are none: their first letter tells, without a look at their stem. Folding leaves a
    # letter of ASCII what it is in lower case; what it makes of another one is seen afterwards.
    passed = {*initials, *(each.upper() for each in initials)}
    for match in _WORD.finditer(text):
        typed = match.group()
        if keeps and typed[0] not in passed and typed[0].isascii():
            continue
        word = fold(typed)
        if keeps and word[:1] not in initials:
            continue
        term = term_of(word, language)
        if term is not None and term in terms:
            hits.append((match.start(), match.end(), term))
    return hits


def _ascii_hits(
    text: str, terms: Mapping[str, float], language: str, initials: set[str]
) -> list[tuple[int, int, str]]:
    """Do the same where folding is a change of case, which keeps every letter in its place."""
    parts = _ASCII_WORD.split(text.lower())  # words at the odd places, what is between them
    held = {word: term_of(word, language) for word in {*parts[1::2]} if word[0] in initials}
    wanted = {word: term for word, term in held.items() if term is not None and term in terms}
    ends = list(itertools.accumulate(map(len, parts)))[1::2]
    return [
        (end - len(word), end, wanted[word])
        for word, end in zip(parts[1::2], ends, strict=True)
        if word in wanted
    ]


def _best_start(
    starts: list[int], hits: list[tuple[int, int, str]], terms: Mapping[str, float], length: int
) -> int:
    """Return the sentence start, or the place shortly before a term, with most in its window."""
    # A sentence longer than the window: its middle can only be reached from within.
    within = [max(0, start - length // 4) for start, _end, _term in hits]
    best, most = 0, 0.0
    begins, ends = [hit[0] for hit in hits], [hit[1] for hit in hits]
    sentences = {*starts}
    for place in sorted({*starts, *within}):
        first, last = bisect_left(begins, place), bisect_right(ends, place + length)
        if first >= last:
            continue
        # Summed exactly: equal sets of terms weigh the same in whichever order they come.
        value = math.fsum(terms[term] for term in {hit[2] for hit in hits[first:last]})
        # Of windows with the same terms, the one that comes to the point first.
        value *= 1.0 - 0.1 * (begins[first] - place) / length
        value *= 1.0 if place in sentences else 0.9
        if value > most:
            best, most = place, value
    return best


def _cut_after(text: str, start: int, length: int) -> int:
    """Return where a window ends: at a sentence's end in its last third, else between words."""
    limit = start + length
    if limit >= len(text):
        return len(text)
    ends = [match.start() for match in _BREAK.finditer(text, start, limit)]
    if ends and ends[-1] > start + 2 * length // 3:
        return ends[-1]
    space = text.rfind(" ", start + length // 2, limit)
    return space if space > 0 else limit
