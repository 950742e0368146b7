"""The question as the legs see it: its words with their weights, and its language."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from knowledge.analysis import base_language, likely_language, term_key, term_of, words
from knowledge.statistics import Totals
from knowledge.weights import highest_score, rarity

LANGUAGES = ("en", "pt", "other")
"""What words are analysed as."""
MAX_TERMS = 64
DISPENSABLE_SHARE = 0.25
PLENTY = 1000
"""Passages that the candidate words must bring together before a common word is left out."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A word as each language of the scope analyses it; the first term leads."""

    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """The weighted words of a question.

    `weights` maps the numbers of words that occur in the scope to idf · frequency, `terms` maps the
    words themselves. `highest` is the best BM25 score that a passage could have, `pairs` has the
    words that stand side by side. `languages` is what the question may be written in.
    `candidates` are the words that bring candidates, `share` is how much of the scope they bring at
    most.
    """

    languages: tuple[str, ...]
    terms: dict[str, float] = field(default_factory=dict)
    weights: dict[int, float] = field(default_factory=dict)
    pairs: dict[tuple[int, int], float] = field(default_factory=dict)
    highest: float = 0.0
    candidates: tuple[str, ...] = ()
    share: float = 0.0


def readings_of(text: str, languages: Sequence[str]) -> tuple[tuple[str, ...], list[Reading]]:
    """Return the languages the text may be in, likeliest first, and its words without stop words.

    `languages` are those of the scope (``en``, ``pt``, ``other``).
    """
    folded = words(text)
    known = [language for language in languages if language != "other"]
    likely = likely_language(folded, ["en", "pt"])
    if likely is not None:
        spoken: tuple[str, ...] = (likely,)
    else:
        spoken = tuple(known)
    order = [*spoken, *(language for language in languages if language not in spoken)]
    readings: list[Reading] = []
    for word in folded:
        # A stop word of the question's language is none of its words, whatever others make of it.
        if likely is not None and term_of(word, likely) is None:
            continue
        terms = dict.fromkeys(
            term for language in order if (term := term_of(word, language)) is not None
        )
        if terms:
            readings.append(Reading(tuple(terms)))
    return spoken, readings[:MAX_TERMS]


def keys_of(readings: Iterable[Reading]) -> set[int]:
    """Return the numbers of all words, for `knowledge.statistics.totals`."""
    return {term_key(term) for reading in readings for term in reading.terms}


def question_of(languages: tuple[str, ...], readings: list[Reading], totals: Totals) -> Question:
    """Weigh the words by how rare they are in the scope; words that do not occur are left out."""
    terms: dict[str, float] = {}
    highest = 0.0
    leading: list[str | None] = []
    idfs: dict[str, float] = {}
    for reading in readings:
        occurring = [
            term for term in reading.terms if totals.passages_with.get(term_key(term), 0) > 0
        ]
        leading.append(occurring[0] if occurring else None)
        ceiling = None
        best = 0.0
        for term in occurring:
            idf = rarity(totals.passages_with[term_key(term)], totals.passages)
            # What another language makes of the word may be rare there and must not outweigh it.
            idf = idf if ceiling is None else min(idf, ceiling)
            ceiling = idf if ceiling is None else ceiling
            idfs[term] = idf
            terms[term] = terms.get(term, 0.0) + idf
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
    )


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
