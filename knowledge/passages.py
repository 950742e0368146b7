"""What a node's content becomes for the index: passages, the text to embed, and their words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from knowledge.analysis import base_language, likely_language, term_key, term_of, words
from knowledge.binary import sequence_pack
from knowledge.chunking import Passage, chunk
from knowledge.models import Node
from knowledge.stop_words import STOP_WORDS
from project.markdown import plain_text

CANONICAL = {"en": "en", "pt": "pt-br"}
_MARKUP = re.compile(
    r"[*_`\[\]<>#|~\\!&]|^\s*(?:[-+]|\d+[.)])\s|^(?: {4}|\t|={2}|-{2})", re.MULTILINE
)
_SAMPLE = 4000  # words looked at
_EVIDENCE = 8  # stop words of another language, before a declared one is doubted


@dataclass(frozen=True, slots=True)
class IndexedPassage:
    """A passage and what the index keeps of it.

    `embedded` is the text for the embedding model: title, headings above, text without markup.
    `sequence` holds the numbers of the words of title, headings and text (knowledge.binary);
    `lexemes` are the different words themselves.
    """

    passage: Passage
    language: str
    embedded: str
    sequence: bytes
    lexemes: frozenset[str]


def passages_of(
    node: Node, *, most: Callable[[list[Passage]], list[Passage]] = list
) -> list[IndexedPassage]:
    """Cut a node's content and analyse its passages; the same node always gives the same ones.

    `most` chooses the passages to analyse, for whoever does not need all of a long text.
    """
    pages = [SimpleNamespace(**anchor) for anchor in node.anchors]
    found = most(chunk(node.content, pages=pages))
    plain = [without_markup(passage.text) for passage in found]
    title = words(node.title)
    texts = [words(text) for text in plain]
    language = language_of(node.language, title, *texts)
    return [
        IndexedPassage(
            passage,
            language,
            "\n".join(part for part in (node.title, passage.context, text) if part),
            *_analysed((title, words(passage.context), text_words), language),
        )
        for passage, text, text_words in zip(found, plain, texts, strict=True)
    ]


def without_markup(text: str) -> str:
    """Return a passage as plain text; most have no markup, and parsing takes its time."""
    return plain_text(text) if _MARKUP.search(text) else text


def language_of(declared: str, *texts: Sequence[str]) -> str:
    """Return the language to analyse words in: the declared one, unless they belie it.

    What nobody named has the language of its space, which may be wrong; a hundred words of English
    are never taken for Portuguese.
    """
    folded = list(itertools.islice(itertools.chain.from_iterable(texts), _SAMPLE))
    likely = likely_language(folded, CANONICAL.values())
    if likely is None or base_language(likely) == base_language(declared):
        return declared
    hits = _stop_words(likely, folded)
    if hits >= _EVIDENCE and hits * 8 > len(folded) and hits > 3 * _stop_words(declared, folded):
        return likely
    return declared


def _stop_words(language: str, folded: Sequence[str]) -> int:
    known = STOP_WORDS.get(base_language(language), frozenset())
    return sum(word in known for word in folded)


def _analysed(fields: Sequence[Sequence[str]], language: str) -> tuple[bytes, frozenset[str]]:
    """Return the sequence and the lexemes of title, headings and text."""
    terms = [
        [term for word in field if (term := term_of(word, language)) is not None]
        for field in fields
    ]
    sequence = sequence_pack(*(map(term_key, field) for field in terms))
    return sequence, frozenset(itertools.chain.from_iterable(terms))
