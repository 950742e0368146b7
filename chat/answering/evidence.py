"""What a passage says, cut as finely as a statement has to be compared with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from chat.types import Passage
from knowledge.analysis import base_language, fold, term_of, words
from knowledge.quality.claims import Claim, claim_of
from knowledge.quality.sentences import Sentence, sentences

_CLAUSE = re.compile(
    r"\s*(?:;|,\s|\s[–—]\s|\s\(|\)\s|\s\|\s)\s*"
    r"|\s+(?:and|but|whereas|or|e|mas|ou|por[eé]m)\s+",
    re.IGNORECASE,
)
_FILLER = "possible possibly able please also possivel capaz tambem"
LEAST_CLAUSE = 2  # terms, numbers and denials


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text as the comparison sees it; `is_row` is one of a table."""

    text: str
    claim: Claim
    terms: frozenset[str]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage as sentences, pairs of them and clauses; `above` is of its title and headings."""

    language: str
    sentences: tuple[Piece, ...]
    pairs: tuple[Piece, ...]
    clauses: tuple[Piece, ...]
    above: frozenset[str]
    words: frozenset[str]
    text: str
    quotes: frozenset[str]
    """Its sentences as they read without marks, case and accents."""


def evidence_of(passage: Passage, language: str) -> Evidence:
    """Read a passage; `language` where it does not say its own."""
    above = " ".join((passage.title, *passage.heading_path))
    return _read(passage.text, above, base_language(passage.language or language))


@lru_cache(maxsize=256)  # what is asked about is asked about again
def _read(text: str, above: str, spoken: str) -> Evidence:
    found = sentences(text)
    rows = [
        f"{each.header} {each.said}".strip() if each.header.strip() else each.said for each in found
    ]
    singles = tuple(piece_of(row, spoken) for row in rows)
    return Evidence(
        language=spoken,
        sentences=singles,
        pairs=tuple(_joined(one, other) for one, other in pairwise(singles)),
        clauses=tuple(clause for row in rows for clause in clauses_of(row, spoken)),
        above=piece_of(above, spoken).terms,
        words=frozenset(words(f"{above} {text}")),
        text=text,
        quotes=frozenset(bare(shown) for each in found for shown in (each.text, each.said)),
    )


def _joined(one: Piece, other: Piece) -> Piece:
    """Return two sentences that follow each other as one: their words and numbers."""
    claim = replace(one.claim, values=one.claim.values | other.claim.values)
    return Piece(
        f"{one.text} {other.text}", claim, one.terms | other.terms, one.words | other.words
    )


def bare(text: str) -> str:
    """Return the words of a text as quotes are compared."""
    return " ".join(words(text))


@lru_cache(maxsize=1024)
def piece_of(text: str, language: str) -> Piece:
    """Read a stretch of text."""
    claim = claim_of(Sentence(text, text, 0, len(text), ()), "", language)
    terms = claim.terms - _filler(language)
    return Piece(text, claim, terms, frozenset(words(text)) | frozenset(fold(text).split()))


@lru_cache(maxsize=4)
def _filler(language: str) -> frozenset[str]:
    """Return the terms that a statement may have more or less without saying anything else."""
    known = (term_of(word, language) for word in _FILLER.split())
    return frozenset(term for term in known if term is not None)


def clauses_of(text: str, language: str) -> list[Piece]:
    """Return the clauses of a sentence; those with hardly a word stay with the one before."""
    parts: list[str] = []
    for part in _CLAUSE.split(text):
        if not part.strip():
            continue
        if parts and _weight(part, language) < LEAST_CLAUSE:
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    if len(parts) > 1 and _weight(parts[0], language) < LEAST_CLAUSE:
        parts[:2] = [" ".join(parts[:2])]
    return [piece_of(part, language) for part in parts]


def _weight(part: str, language: str) -> int:
    piece = piece_of(part, language)
    return len(piece.terms) + len(piece.claim.values) + piece.claim.negations


def covered(terms: frozenset[str], held: frozenset[str]) -> float:
    """Return which share of the terms is held."""
    return len(terms & held) / len(terms) if terms else 0.0


def best_of(pieces: Sequence[Piece], terms: frozenset[str], above: frozenset[str]) -> Piece | None:
    """Return the piece that holds most of the terms; the shortest of equals.

    What title and headings say counts half: they name the subject of every sentence.
    """
    if not pieces:
        return None
    return max(
        pieces,
        key=lambda each: (
            len(terms & each.terms) + 0.5 * len((terms & above) - each.terms),
            -len(each.terms),
        ),
    )
