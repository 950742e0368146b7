"""Whether what a model wrote is borne out by the passages that it cites. Pure, without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge.analysis import base_language, fold, term_of, words
from knowledge.synthesis.types import Support
from knowledge.types import RetrievedPassage
from project.inference.sentences import sentence_spans

SHARE = 0.5
"""Of the telling words of a sentence, that the passages it cites must have."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def support_of(sentence: str, cited: Sequence[RetrievedPassage], language: str) -> Support | None:
    """Return how far the passages bear out a sentence in a language; None where they do not.

    They must have every number of it and half of its telling words. Words cannot be compared with
    those of another language: there the numbers alone speak.
    """
    if not cited:
        return None
    text = " ".join(_text(each) for each in cited)
    if not _numbers(sentence) <= _numbers(text):
        return None
    same = [each for each in cited if base_language(each.language) == base_language(language)]
    if not same:
        return "unchecked"
    terms = terms_in(sentence, language)
    if not terms:
        return None
    held = terms & terms_in(" ".join(_text(each) for each in same), language)
    if len(held) >= SHARE * len(terms):
        return "checked"
    return "unchecked" if len(same) < len(cited) else None


def place_in(sentence: str, passage: RetrievedPassage, language: str) -> tuple[int, int]:
    """Return the sentence of a passage that has most of the words of another; all of it if none."""
    wanted = terms_in(sentence, language)
    best, found = 0.0, (0, len(passage.text))
    for block in re.finditer(r"[^\n]+", passage.text):
        for start, end in sentence_spans(block[0]):
            held = terms_in(block[0][start:end], language)
            value = len(wanted & held) / (len(wanted) + 0.1 * len(held)) if wanted else 0.0
            if value > best:
                best, found = value, (block.start() + start, block.start() + end)
    return found if best >= SHARE / 2 else (0, len(passage.text))


def terms_in(text: str, language: str) -> frozenset[str]:
    """Return the terms of a text that are no numbers."""
    found = (term_of(word, language) for word in words(text) if not _NUMBER.fullmatch(word))
    return frozenset(term for term in found if term)


def _text(passage: RetrievedPassage) -> str:
    return " ".join((passage.title, *passage.heading_path, passage.text))


def _numbers(text: str) -> set[str]:
    """Return the numbers of a text, whichever way their digits are grouped."""
    return {re.sub(r"[.,:]", "", number) for number in _NUMBER.findall(fold(text))}
