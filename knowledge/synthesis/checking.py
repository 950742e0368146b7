"""Whether what a model wrote is borne out by the passages that it cites. Pure, without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.analysis import base_language, fold, term_of, words
from knowledge.synthesis.types import Support
from knowledge.types import RetrievedPassage
from project.inference.sentences import sentence_spans

SHARE = 0.6
"""Of the telling words of a sentence, that the places it cites must have."""
BEARING = 0.3
"""Share that a place must have to be cited beside better ones."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_LINE = re.compile(r"[^\n]+")


@dataclass(frozen=True, slots=True)
class Place:
    """The sentence of a passage that is nearest to another sentence.

    `text` holds it with the sentences on both sides, the title and the headings; `share` is how
    much of the other sentence's telling words that has.
    """

    passage: RetrievedPassage
    start: int
    end: int
    text: str
    share: float


def bearing(
    sentence: str, cited: Sequence[RetrievedPassage], language: str
) -> tuple[Support | None, list[Place]]:
    """Return how far passages bear out a sentence in a language, and the places that do.

    The places must have every number of it, and together most of its telling words: a passage that
    has them here and there bears out nothing. Words cannot be compared with those of another
    language: there the numbers alone speak.
    """
    if not cited:
        return None, []
    same = [each for each in cited if base_language(each.language) == base_language(language)]
    wanted = terms_in(sentence, language)
    places = [place_in(wanted, _numbers(sentence), each, language) for each in same]
    best = max((place.share for place in places), default=0.0)
    kept = [place for place in places if place.share >= min(BEARING, best) and place.share > 0]
    text = " ".join(place.text for place in kept)
    held = wanted & terms_in(text, language)
    if wanted and len(held) >= SHARE * len(wanted) and _numbers(sentence) <= _numbers(text):
        return "checked", kept
    others = [each for each in cited if each not in same]
    text = " ".join(_whole(each) for each in others)
    if others and _numbers(sentence) <= _numbers(text):
        return "unchecked", [Place(each, 0, len(each.text), "", 0.0) for each in others]
    return None, []


def place_in(
    wanted: frozenset[str], numbers: set[str], passage: RetrievedPassage, language: str
) -> Place:
    """Return the sentence of a passage, with its surroundings, that has most of what is wanted."""
    spans = [
        (line.start() + start, line.start() + end)
        for line in _LINE.finditer(passage.text)
        for start, end in sentence_spans(line[0])
    ]
    above = " ".join((passage.title, *passage.heading_path))
    best = Place(passage, 0, len(passage.text), above, 0.0)
    value = 0.0
    for number, (start, end) in enumerate(spans):
        own = terms_in(passage.text[start:end], language)
        first, last = spans[max(0, number - 1)][0], spans[min(len(spans) - 1, number + 1)][1]
        text = f"{above}\n{passage.text[first:last]}"
        held = wanted & terms_in(text, language)
        has = len(numbers & _numbers(passage.text[start:end]))
        # The sentence itself first, then what stands around it.
        worth = len(wanted & own) + 0.5 * len(held) + has - 0.02 * len(own)
        if held and worth > value:
            value = worth
            best = Place(passage, start, end, text, len(held) / len(wanted))
    return best


def terms_in(text: str, language: str) -> frozenset[str]:
    """Return the terms of a text that are no numbers."""
    found = (term_of(word, language) for word in words(text) if not _NUMBER.fullmatch(word))
    return frozenset(term for term in found if term)


def _whole(passage: RetrievedPassage) -> str:
    return " ".join((passage.title, *passage.heading_path, passage.text))


def _numbers(text: str) -> set[str]:
    """Return the numbers of a text, whichever way their digits are grouped."""
    return {re.sub(r"[.,:]", "", number) for number in _NUMBER.findall(fold(text))}
