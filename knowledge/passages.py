"""What a node's content becomes for the index: passages, the text to embed, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

from knowledge.analysis import base_language, likely_language, term_key, term_of, words
from knowledge.binary import sequence_pack
from knowledge.chunking import Passage, chunk
from knowledge.models import Node
from knowledge.stop_words import STOP_WORDS
from project.markdown import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

CANONICAL = {"en": "en", "pt": "pt-br"}
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


def passages_of(node: Node) -> list[IndexedPassage]:
    """Cut a node's content and analyse its passages; the same node always gives the same ones."""
    pages = [SimpleNamespace(**anchor) for anchor in node.anchors]
    found = chunk(node.content, pages=pages)
    plain = [plain_text(passage.text) for passage in found]
    language = language_of(node.language, (node.title, *plain))
    return [
        _indexed(node.title, passage, text, language)
        for passage, text in zip(found, plain, strict=True)
    ]


def language_of(declared: str, texts: Iterable[str]) -> str:
    """Return the language to analyse texts in: the declared one, unless the texts belie it.

    What nobody named has the language of its space, which may be wrong; a hundred words of English
    are never taken for Portuguese.
    """
    folded = [word.folded for text in texts for word in words(text)][:4000]
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


def _indexed(title: str, passage: Passage, text: str, language: str) -> IndexedPassage:
    lexemes: set[str] = set()
    fields = []
    for field_text in (title, passage.context, text):
        keys = []
        for word in words(field_text):
            term = term_of(word.folded, language)
            if term is not None:
                lexemes.add(term)
                keys.append(term_key(term))
        fields.append(keys)
    return IndexedPassage(
        passage=passage,
        language=language,
        embedded="\n".join(part for part in (title, passage.context, text) if part),
        sequence=sequence_pack(*fields),
        lexemes=frozenset(lexemes),
    )
