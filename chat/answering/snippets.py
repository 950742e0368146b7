"""The sentence of a passage that a citation shows."""

import functools
import re

from chat.rewriting import content_words
from knowledge.passages import without_markup

SNIPPET_CHARS = 300
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def best_sentence(passage: str, question: str) -> str:
    """Return the sentence that shares most words with the question; of equals the first.

    Long sentences are cut at a word. Headings and other short lines count only if they hold a word
    of the question.
    """
    sentences = _sentences(passage)
    if not sentences:
        return ""
    wanted = {_stem(word) for word in content_words(question)}

    def score(sentence: str) -> float:
        words = content_words(sentence)
        shared = len(wanted & {_stem(word) for word in words})
        return shared + min(len(words), 8) / 100

    return _cut(max(sentences, key=score))


@functools.lru_cache(maxsize=256)  # what is cited is cited again
def _sentences(passage: str) -> tuple[str, ...]:
    text = without_markup(passage)
    return tuple(each.strip() for each in _SENTENCE.split(text) if each.strip())


def _stem(word: str) -> str:
    """Return the beginning that the forms of a word share, roughly."""
    return word.casefold()[:5]


def _cut(text: str) -> str:
    if len(text) <= SNIPPET_CHARS:
        return text
    cut = text[: SNIPPET_CHARS - 1]
    return cut[: cut.rfind(" ")].rstrip(" ,;:") + "…" if " " in cut else cut + "…"
