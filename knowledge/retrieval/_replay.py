"""Searches that are recorded once and ranked again and again, with one profile after the other.

What the legs bring does not depend on the weights; so trying some hundreds of profiles costs a
search a question, and then only arithmetic. Relations and a reranking model take no part.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from knowledge.choices import SearchMode
from knowledge.knobs import Profile
from knowledge.operators import understood
from knowledge.retrieval import _fusing, _vectors
from knowledge.retrieval._found import Found
from knowledge.retrieval._fusing import Packed, Signals
from knowledge.retrieval._gathering import gather, weigh
from knowledge.retrieval._question import Question
from knowledge.retrieval._scope import Reader
from knowledge.retrieval._vectors import QueryVector
from knowledge.statistics import mean_length
from knowledge.types import SearchRequest

if TYPE_CHECKING:
    from project.inference.types import EmbeddingModel

KEPT = 60
"""Best passages of each leg whose vectors are kept: what may be among the best of any profile."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the legs brought for one question; `vectors` of passages in the one model, if one."""

    question: Question
    queries: list[QueryVector]
    models: list[EmbeddingModel]
    signals: Signals
    vectors: Packed
    degraded: list[str]

    def ranked(self, profile: Profile, limit: int) -> list[uuid.UUID]:
        """Return the nodes as a search with the profile would order them, best first."""
        found = Found(
            profile=profile,
            question=self.question,
            vectors=list(self.queries),
            models=list(self.models),
        )
        weigh(found, SearchMode.HYBRID)
        found.units = _fusing.units_of(found, self.signals, SearchMode.HYBRID, by_node=True)
        if found.is_read:
            _fusing.refine(found, self._vectors_of)
        return [unit.best.node for unit in found.units[:limit]]

    def leg(self, leg: SearchMode, profile: Profile, limit: int) -> list[uuid.UUID]:
        """Return the nodes as one leg alone would order them."""
        queries = [] if leg == SearchMode.KEYWORD else list(self.queries)
        found = Found(profile=profile, question=self.question, vectors=queries)
        units = _fusing.units_of(found, self.signals, leg, by_node=True)
        return [unit.best.node for unit in units[:limit] if unit.score > 0.0]

    def _vectors_of(self, chunks: Sequence[uuid.UUID]) -> Packed:
        return {chunk: self.vectors[chunk] for chunk in chunks if chunk in self.vectors}


def record(
    request: SearchRequest, *, user: Reader, kept: dict[uuid.UUID, bytes] | None = None
) -> Recorded | None:
    """Search once and keep what the legs bring; None where there is nothing to search.

    `kept` shares the vectors between the recordings of one space.
    """
    found = Found()
    asked = understood(request.query)
    request = replace(
        request, query=asked.plain, conditions=asked.conditions, mode=SearchMode.HYBRID
    )
    with ExitStack() as view:
        gathered = gather(found, request, user, view)
        if gathered is None:
            return None
        signals = _fusing.signals_of(
            found.question, gathered.candidates, mean_length(gathered.counted)
        )
        shared = kept if kept is not None else {}
        if len(found.vectors) == 1:
            wanted = [each for each in _best(signals) if each not in shared]
            if wanted:
                shared |= _vectors.vectors_of(gathered.scope, found.vectors[0], wanted)
    light = [candidate._replace(sequence=b"") for candidate in signals.candidates]
    return Recorded(
        found.question,
        found.vectors,
        found.models,
        replace(signals, candidates=light),
        shared,
        found.degraded,
    )


def _best(signals: Signals) -> list[uuid.UUID]:
    """Return the passages whose vectors a ranking may ask for."""
    import numpy as np

    by_meaning = np.argsort(-signals.similarity, kind="stable")[:KEPT]
    by_words = np.argsort(-signals.match, kind="stable")[:KEPT]
    places = sorted({*by_meaning.tolist(), *by_words.tolist()})
    return [signals.candidates[place].chunk for place in places]
