"""Versions of a past state that have no passages yet: cut and scored while the search waits.

A version is in a gap when the next one replaced it before it was indexed; `knowledge.past` fills
the gaps soon. Until then its words are found all the same, and its meaning is not.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass

from knowledge.binary import sequence_unpack
from knowledge.cuttings import Cuttings
from knowledge.passages import IndexedPassage, passages_of
from knowledge.past import versions_of
from knowledge.retrieval import _snapshot
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._question import Question
from knowledge.retrieval._scope import Scope
from knowledge.statistics import Totals, mean_length, spoken_in
from knowledge.weights import passage_weights, word_counts

MOST_VERSIONS = 200
MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class GapPassage:
    """A passage that is stored nowhere, and its weighted words; `title` is the version's."""

    id: uuid.UUID
    node: uuid.UUID
    version: int
    title: str
    external_id: str | None
    indexed: IndexedPassage
    words: dict[int, float]


def gap_passages(scope: Scope) -> tuple[list[GapPassage], bool]:
    """Return the passages in the gaps of a state, and whether they are all."""
    pairs = _snapshot.gaps(scope, MOST_VERSIONS + 1)
    is_whole = len(pairs) <= MOST_VERSIONS
    found: list[GapPassage] = []
    room = MOST_CHARACTERS
    rows = versions_of(pairs[:MOST_VERSIONS])
    cuttings = Cuttings(rows)
    for row in rows:
        if len(row.content) > room:
            is_whole = False
            continue
        room -= len(row.content)
        found += [
            GapPassage(
                id=uuid.uuid5(row.id, f"{row.version}/{each.passage.position}"),
                node=row.id,
                version=row.version,
                title=row.title,
                external_id=row.external_id,
                indexed=each,
                words=word_counts(sequence_unpack(each.sequence)),
            )
            for each in passages_of(row, cuttings.of(row))
        ]
    return found, is_whole


def languages_of(passages: list[GapPassage]) -> set[str]:
    """Return the languages of the passages, as statistics count them."""
    return {spoken_in(each.indexed.language) for each in passages}


def with_gaps(counted: Totals, passages: list[GapPassage], keys: set[int]) -> Totals:
    """Return the totals with the passages of the gaps, and of their words those of `keys`."""
    present = Counter(key for each in passages for key in keys & each.words.keys())
    return Totals(
        counted.passages + len(passages),
        counted.words + round(sum(sum(each.words.values()) for each in passages)),
        counted.languages | languages_of(passages),
        dict(Counter(counted.passages_with) + present),
    )


def gap_candidates(
    passages: list[GapPassage], question: Question, counted: Totals
) -> list[Candidate]:
    """Return the passages of gaps that have words of the question, with their BM25 scores."""
    average = mean_length(counted)
    found = []
    for each in passages:
        weights = passage_weights(each.words, average)
        bm25 = sum(
            weight * weights[key] for key, weight in question.weights.items() if key in weights
        )
        if bm25 > 0:
            found.append(
                Candidate(
                    chunk=each.id,
                    node=each.node,
                    sequence=each.indexed.sequence,
                    similarity=None,
                    bm25=bm25,
                    vector_rank=None,
                    keyword_rank=None,
                    model=None,
                )
            )
    return found
