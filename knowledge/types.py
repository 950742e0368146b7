"""What callers of knowledge hand in and get back."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from knowledge.choices import SearchMode, VersionOrigin
from knowledge.conditions import Conditions

TERM_SPACE = 1_000_000_000
"""Words are numbered below this; it is the most dimensions that pgvector's `sparsevec` has."""

MAX_RESULTS = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """What a version comes from: the id is that of the proposal, job, migration or release."""

    kind: VersionOrigin = VersionOrigin.EDIT
    id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question and where to look for its answer. What is None is not restricted.

    `spaces` are ids; those the user cannot see are left out in silence. A node must carry all of
    `tags` and contain all of `metadata`. `language` keeps nodes of that language; `asked_in` is the
    language of the question where the caller knows it, and restricts nothing.
    One of `as_of` (a moment of the past), `release` (its id or name) and `proposal` may ask for
    another state than the present one; filters then hold of the versions of that state.
    `profile` is a stored retrieval profile to use instead of the active one, for curators.
    `generation` is a built index generation to search instead of the one that serves its space: for
    curators of that space. `conditions` are set by `knowledge.retrieval.search` from the operators
    in `query` (knowledge.operators).
    """

    query: str
    limit: int = 10
    spaces: tuple[uuid.UUID, ...] | None = None
    kinds: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    language: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, Any] | None = None
    external_ids: tuple[str, ...] | None = None
    mode: SearchMode = SearchMode.HYBRID
    min_score: float | None = None
    as_of: datetime | None = None
    release: str | None = None
    proposal: uuid.UUID | None = None
    generation: uuid.UUID | None = None
    explain: bool = False
    asked_in: str | None = None
    profile: uuid.UUID | None = None
    conditions: Conditions | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A node and its best passage.

    `content[start:end]` of that version of the node is the passage; `snippet` is its most telling
    part. `place` names where in its source it stands, if that is more than a page number. `score`
    runs from 0 to 1 and means the same in every search (knowledge.ranking).
    """

    node: uuid.UUID
    external_id: str | None
    version: int
    chunk: uuid.UUID
    title: str
    snippet: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None
    url: str
    score: float
    signals: Mapping[str, Any] | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """A word of the question that does not occur, and what stood in for it, as it is written."""

    typed: str
    used: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """Results, best first. `degraded` names the legs that could not take part, such as `vector`.

    `explanation` holds what all results share: weights, terms, models, counts and timings.
    `corrections` are the words that results were found by in the place of misspelled ones.
    """

    results: list[SearchResult]
    took_ms: int
    mode: SearchMode
    degraded: list[str] = field(default_factory=list)
    explanation: Mapping[str, Any] | None = None
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A passage with its whole text, for answering; several may come from one node.

    `place` names where in its source it stands, if that is more than a page number.
    """

    node: uuid.UUID
    version: int
    chunk: uuid.UUID
    title: str
    heading_path: tuple[str, ...]
    text: str
    start: int
    end: int
    page: int | None
    url: str
    language: str
    score: float
    signals: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""
