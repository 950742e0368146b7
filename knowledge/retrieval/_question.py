"""The question as the legs see it: its words with their weights, and its language."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from knowledge.analysis import (
    base_language,
    former_words,
    function_words,
    likely_language,
    term_key,
    term_of,
    words,
)
from knowledge.spelling import Near, plain_words
from knowledge.statistics import FORMER, LANGUAGES, Totals
from knowledge.stemming import OTHER
from knowledge.stop_words import STOP_WORDS
from knowledge.weights import highest_score, rarity

MAX_TERMS = 64
DISPENSABLE_SHARE = 0.25
PLENTY = 1000
"""Passages that the candidate words must bring together before a common word is left out."""
FOREIGN_FROM = 2
"""Function words of a language that the scope does not have, to take a question for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A word as each language of the scope analyses it; the first term leads.

    `is_plain` says that it may be misspelled: identifiers, numbers and names in capitals may not.
    """

    terms: tuple[str, ...]
    word: str = ""
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """The weighted words of a question.

    `weights` maps the numbers of words that occur in the scope to idf · frequency, `terms` maps the
    words themselves. `highest` is the best BM25 score that a passage could have, `pairs` has the
    words that stand side by side. `languages` is what the question may be written in.
    `candidates` are the words that bring candidates, `share` is how much of the scope they bring at
    most. `nears` has the words that stand in for one that was typed and does not occur.
    """

    languages: tuple[str, ...]
    terms: dict[str, float] = field(default_factory=dict)
    weights: dict[int, float] = field(default_factory=dict)
    pairs: dict[tuple[int, int], float] = field(default_factory=dict)
    highest: float = 0.0
    candidates: tuple[str, ...] = ()
    share: float = 0.0
    nears: Mapping[str, tuple[Near, ...]] = field(default_factory=dict)


def readings_of(text: str, languages: Sequence[str]) -> tuple[tuple[str, ...], list[Reading]]:
    """Return the languages the text may be in, likeliest first, and its words without stop words.

    `languages` are those of the scope (`knowledge.statistics.LANGUAGES`).
    """
    folded, plain, different = _parsed(text)
    likely = _likely(folded, different, languages)
    known = tuple(language for language in languages if language != OTHER)
    spoken = known if likely is None else (likely,)
    order = [*spoken, *(language for language in languages if language not in spoken)]
    order = [language for language in order if language in languages]
    readings: list[Reading] = []
    for word, former in _with_former(text, folded, languages):
        # A stop word of the question's language is none of its words, whatever others make of it.
        if likely is not None and term_of(word, likely) is None:
            continue
        terms = dict.fromkeys(
            term for language in order if (term := term_of(word, language)) is not None
        )
        if former:
            terms[former] = None
        if terms:
            readings.append(Reading(tuple(terms), word, word in plain))
    return spoken, readings[:MAX_TERMS]


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> tuple[list[str], frozenset[str], Counter[str]]:
    """Return a question's words, those that may be misspelled, and its different function words.

    A search reads a question once more when it knows the languages; nobody may change the values.
    """
    folded = words(text)
    return folded, plain_words(text), function_words(set(folded), STOP_WORDS)


def _likely(folded: Sequence[str], different: Counter[str], languages: Iterable[str]) -> str | None:
    """Return the language with most function words in a question; None where that is not clear.

    Those of the scope, and English and Portuguese, which people ask in everywhere, give way to
    another one only where it has at least twice as many different ones.
    """
    near = {*languages, *FORMER}
    others = set(STOP_WORDS) - near
    most = max((different[language] for language in near), default=0)
    for language, hits in different.most_common():
        if language in others and hits >= max(FOREIGN_FROM, 2 * most):
            return language
    return likely_language(
        folded, [language for language in LANGUAGES.values() if language in near]
    )


def _with_former(
    text: str, folded: list[str], languages: Iterable[str]
) -> Iterable[tuple[str, str | None]]:
    """Return the words, each with what version 1 of the analysis made of it if that is another.

    Passages that are not analysed anew yet have it, and count for ``other``.
    """
    if OTHER not in languages or text.isascii():
        return [(word, None) for word in folded]
    before = former_words(text)
    if len(before) != len(folded):  # words were cut elsewhere: they stand for themselves
        new = [(word, None) for word in before if word not in folded]
        return [*((word, None) for word in folded), *new]
    pairs = zip(folded, before, strict=True)
    return [(word, None if word == was else was) for word, was in pairs]


def keys_of(readings: Iterable[Reading]) -> set[int]:
    """Return the numbers of all words, for `knowledge.statistics.totals`."""
    return {term_key(term) for reading in readings for term in reading.terms}


def question_of(
    languages: tuple[str, ...],
    readings: list[Reading],
    totals: Totals,
    nears: Mapping[str, tuple[Near, ...]] | None = None,
) -> Question:
    """Weigh the words by how rare they are in the scope; words that do not occur are left out.

    For those, the words of `nears` stand in, with less weight. The highest score is that of the
    word as it was typed: whatever stands in for it never reaches it.
    """
    terms: dict[str, float] = {}
    highest = 0.0
    leading: list[str | None] = []
    idfs: dict[str, float] = {}
    for reading in readings:
        share, occurring = 1.0, _occurring(reading.terms, totals)
        if not occurring and nears and reading.word in nears:
            share = nears[reading.word][0].share
            occurring = _occurring([near.term for near in nears[reading.word]], totals)
        leading.append(occurring[0] if occurring else None)
        ceiling = None
        best = 0.0
        for term in occurring:
            idf = rarity(totals.passages_with[term_key(term)], totals.passages)
            # What another language makes of the word may be rare there and must not outweigh it.
            idf = idf if ceiling is None else min(idf, ceiling)
            ceiling = idf if ceiling is None else ceiling
            idfs[term] = share * idf
            terms[term] = terms.get(term, 0.0) + share * idf
            best = max(best, idf)
        highest += highest_score(best)
    pairs = {
        (term_key(first), term_key(second)): min(idfs[first], idfs[second])
        for first, second in itertools.pairwise(leading)
        if first is not None and second is not None
    }
    candidates = _candidates(terms, totals)
    brought = sum(totals.passages_with[term_key(term)] for term in candidates)
    return Question(
        languages=languages,
        terms=terms,
        weights={term_key(term): weight for term, weight in terms.items()},
        pairs=pairs,
        highest=highest,
        candidates=candidates,
        share=brought / max(totals.passages, 1),
        nears=nears or {},
    )


def _occurring(terms: Iterable[str], totals: Totals) -> list[str]:
    return [term for term in terms if totals.passages_with.get(term_key(term), 0) > 0]


def _candidates(terms: dict[str, float], totals: Totals) -> tuple[str, ...]:
    """Return the words that bring candidates, rarest first.

    The most common ones bring many passages that say little: they are left out as long as all that
    are left out hold at most a quarter of the highest score together, and those that stay bring
    plenty. The words still count in the scores of what the others bring.
    """
    ordered = sorted(terms, key=lambda term: -terms[term])
    spare = DISPENSABLE_SHARE * sum(terms.values())
    brought = sum(totals.passages_with[term_key(term)] for term in ordered)
    while len(ordered) > 1:
        last = ordered[-1]
        brought -= totals.passages_with[term_key(last)]
        spare -= terms[last]
        if spare < 0 or brought < PLENTY:
            break
        ordered.pop()
    return tuple(ordered)


def reads(model_languages: frozenset[str] | None, language: str) -> bool:
    """Return whether a model with these languages (None: all) reads the language."""
    if model_languages is None:
        return True
    return base_language(language) in {base_language(code) for code in model_languages}
