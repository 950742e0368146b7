"""What a node's content becomes for the index: passages, the text to embed, and their words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from knowledge.analysis import ANALYSIS_VERSION, term_key, term_of, words
from knowledge.binary import sequence_pack
from knowledge.chunking import Cutting, Passage, cut
from knowledge.languages import language_of
from knowledge.models import Node
from knowledge.spelling import is_worth_keeping
from project.markdown import plain_text

_MARKUP = re.compile(
    r"[*_`\[\]<>#|~\\!&]|^\s*(?:[-+]|\d+[.)])\s|^(?: {4}|\t|={2}|-{2})", re.MULTILINE
)
_USUAL = Cutting()


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
    analysis: int = ANALYSIS_VERSION

    @property
    def spellings(self) -> dict[str, str]:
        """The terms of its words that can be what a misspelled one meant."""
        plain = self.embedded or f"{self.passage.context}\n{without_markup(self.passage.text)}"
        found = set(words(plain))
        return spellings_of(found, self.language)


def passages_of(
    node: Node,
    cutting: Cutting = _USUAL,
    *,
    most: Callable[[list[Passage]], list[Passage]] = list,
) -> list[IndexedPassage]:
    """Cut a node's content and analyse its passages; the same node always gives the same ones.

    `cutting` is that of its kind (knowledge.cuttings); `most` chooses the passages to analyse, for
    whoever does not need all of a long text.
    """
    pages = [SimpleNamespace(**anchor) for anchor in node.anchors]
    found = most(cut(node.content, cutting, pages=pages))
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


def reanalysed(title: str, language: str, headings: Sequence[str], text: str) -> IndexedPassage:
    """Return a passage that is stored with the words that it has now; the rest is left empty."""
    plain, context = without_markup(text), " > ".join(headings)
    fields = (words(title), words(context), words(plain))
    spoken = language_of(language, *fields)
    passage = Passage(0, 0, 0, text, tuple(headings), 0, None, context)
    embedded = "\n".join(part for part in (title, context, plain) if part)
    return IndexedPassage(passage, spoken, embedded, *_analysed(fields, spoken))


def spellings_of(folded: Iterable[str], language: str) -> dict[str, str]:
    """Return the terms of those of the words that can be what a misspelled one meant."""
    terms = {word: term_of(word, language) for word in folded if is_worth_keeping(word)}
    return {word: term for word, term in terms.items() if term is not None}


def without_markup(text: str) -> str:
    """Return a passage as plain text; most have no markup, and parsing takes its time."""
    return plain_text(text) if _MARKUP.search(text) else text


def _analysed(fields: Sequence[Sequence[str]], language: str) -> tuple[bytes, frozenset[str]]:
    """Return the sequence and the lexemes of title, headings and text."""
    terms = [
        [term for word in field if (term := term_of(word, language)) is not None]
        for field in fields
    ]
    sequence = sequence_pack(*(map(term_key, field) for field in terms))
    return sequence, frozenset(itertools.chain.from_iterable(terms))
