"""The words of a question in a text that it found, to be marked for the reader. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from knowledge.analysis import fold, term_of, terms_of

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text: one word of the question, or what stands between two of them."""

    text: str
    is_marked: bool


def terms_asked(texts: Iterable[str], language: str) -> frozenset[str]:
    """Return the terms of a question's texts as a text in `language` would have them."""
    return frozenset(term for text in texts for term in terms_of(text, language))


def marked(text: str, terms: Collection[str], language: str) -> list[Part]:
    """Return a text in parts, its words that are among the terms apart from the rest."""
    parts: list[Part] = []
    done = 0
    for match in _WORD.finditer(text):
        if term_of(fold(match.group()), language) not in terms:
            continue
        if match.start() > done:
            parts.append(Part(text[done : match.start()], is_marked=False))
        parts.append(Part(match.group(), is_marked=True))
        done = match.end()
    if done < len(text):
        parts.append(Part(text[done:], is_marked=False))
    return parts
