"""What a search finds, as it comes about."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from knowledge.knobs import BUILT_IN, Profile
from knowledge.moments import Moment
from knowledge.retrieval._gaps import GapPassage
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._question import Question, Reading
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._vectors import QueryVector
from knowledge.spelling import Near
from project.inference.types import EmbeddingModel


@dataclass(slots=True)
class Unit:
    """Something ranked: a node with its best passage, or one passage.

    `similarity` and `match` are the best among its passages, 0 to 1.
    """

    best: Candidate
    score: float
    similarity: float
    match: float
    phrase: float
    weight: float
    passages: list[Candidate]
    fused: float = 0.0
    refined: float | None = None
    reranked: float | None = None
    before_rerank: float = 0.0
    led: float = 0.0
    led_from: uuid.UUID | None = None


@dataclass(slots=True)
class Found:
    """The ranked units of a search and how they came about. `timings` in milliseconds.

    `scope` is where it looked, `depth` how many passages each leg brought at most.

    `readings` are the words of the question, `spoken` the languages that it may be in; `nears` has
    the words that stand in for what does not occur. `models` are those of `vectors`; `is_read` says
    that there is one, which reads the question.
    """

    units: list[Unit] = field(default_factory=list)
    scope: Scope | None = None
    depth: int = 0
    profile: Profile = BUILT_IN
    question: Question = field(default_factory=lambda: Question(()))
    vectors: list[QueryVector] = field(default_factory=list)
    models: list[EmbeddingModel] = field(default_factory=list)
    is_read: bool = False
    degraded: list[str] = field(default_factory=list)
    scope_passages: int = 0
    candidates: int = 0
    is_exact: bool = True
    best_match: float = 0.0
    nearest: float = 0.0
    moment: Moment | None = None
    gaps: dict[uuid.UUID, GapPassage] = field(default_factory=dict)
    spoken: tuple[str, ...] = ()
    readings: list[Reading] = field(default_factory=list)
    nears: dict[str, tuple[Near, ...]] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)

    def lack(self, leg: str) -> None:
        """Note a leg that could not take part, or not wholly."""
        if leg not in self.degraded:
            self.degraded.append(leg)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - started) * 1000
            self.timings[name] = self.timings.get(name, 0.0) + spent
