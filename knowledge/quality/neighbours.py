"""The passages of other nodes that are near a text: by their words and, where a model reads its
language, by their vectors. Only passages of the same space are looked at."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from django.db import connection

from knowledge.analysis import base_language, term_key
from knowledge.ann import ann_vector
from knowledge.binary import sparse_text, vector_text, vector_unpack
from knowledge.choices import GenerationStatus
from knowledge.chunking import Passage
from knowledge.generations import generation_model
from knowledge.models import IndexGeneration, Node
from knowledge.passages import IndexedPassage, passages_of
from knowledge.quality.types import NodeState
from knowledge.statistics import totals
from knowledge.weights import rarity
from project.inference.choices import Backend
from project.inference.embeddings import embed_texts
from project.inference.types import EmbeddingModel, EmbeddingUnavailable, UsageContext

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = structlog.get_logger(__name__)

MOST_PASSAGES = 24
"""Of a text, that are looked for; of a longer one, evenly chosen."""
TERMS = 10
NEAREST = 6
"""Passages for each passage and each way of looking."""


@dataclass(frozen=True, slots=True)
class NearPassage:
    """A passage of another node; `start` is its offset in the content of that version."""

    chunk: uuid.UUID
    node: uuid.UUID
    title: str
    version: int
    start: int
    text: str
    language: str
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is near a text.

    `likeness` maps other nodes to the mean, over the passages of the text, of the best cosine that
    a passage of theirs has; only nodes that are near to every passage are in it.
    """

    passages: tuple[NearPassage, ...]
    likeness: dict[uuid.UUID, float]
    reader: Reader | None


@dataclass(frozen=True, slots=True)
class Reader:
    """The space's active generation, with a model that reads the language."""

    generation: uuid.UUID
    has_ann_index: bool
    ann_is_half: bool
    model: EmbeddingModel
    space: uuid.UUID

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return vectors of texts, a row each. Raises EmbeddingUnavailable.

        Gives the database connection back while the model works.
        """
        if not connection.in_atomic_block:
            connection.close()
        usage = UsageContext("quality", space_id=self.space)
        return embed_texts(self.model, list(texts), purpose="document", usage=usage)


def neighbours_of(state: NodeState, *, without: Collection[uuid.UUID] = ()) -> Neighbours:
    """Return what is near a state, leaving out the node itself and those in `without`."""
    node = Node(
        space_id=state.space_id, title=state.title, content=state.content, language=state.language
    )
    passages = passages_of(node, most=_chosen)
    if not passages:
        return Neighbours((), {}, None)
    left_out = [*without, *([state.node_id] if state.node_id else [])]
    found = _by_words(state.space_id, passages, left_out)
    reader = reader_of(state.space_id, passages[0].language)
    likeness: dict[uuid.UUID, float] = {}
    if reader is not None:
        try:
            vectors = _vectors(reader, state, passages)
        except EmbeddingUnavailable as error:
            log.warning("quality_without_vectors", space=str(state.space_id), error=str(error))
            reader = None
        else:
            near = _by_vectors(reader, vectors, left_out)
            found |= {chunk for _number, chunk, _node, _cosine in near}
            likeness = _likeness(near, len(passages))
    return Neighbours(_read(found), likeness, reader)


def reader_of(space_id: uuid.UUID, language: str) -> Reader | None:
    """Return the model of the space's index, where it reads the language; None otherwise."""
    row = IndexGeneration.objects.filter(space=space_id, status=GenerationStatus.ACTIVE).first()
    if row is None:
        return None
    try:
        model = generation_model(row)
    except EmbeddingUnavailable:
        return None
    known = model.languages and {base_language(code) for code in model.languages}
    if model.backend == Backend.HASHING or (known and base_language(language) not in known):
        return None
    return Reader(row.pk, row.has_ann_index, row.ann_is_half, model, space_id)


def _chosen(passages: list[Passage]) -> list[Passage]:
    if len(passages) <= MOST_PASSAGES:
        return passages
    step = len(passages) / MOST_PASSAGES
    return [passages[int(number * step)] for number in range(MOST_PASSAGES)]


def _by_words(
    space_id: uuid.UUID, passages: Sequence[IndexedPassage], left_out: Sequence[uuid.UUID]
) -> set[uuid.UUID]:
    """Return the passages that share the rarest words of each passage."""
    keys = {term_key(word) for passage in passages for word in passage.lexemes}
    counted = totals([space_id], keys)
    queries, weights = [], []
    for passage in passages:
        idfs = {
            word: rarity(count, counted.passages)
            for word in passage.lexemes
            if (count := counted.passages_with.get(term_key(word), 0)) > 0
        }
        best = sorted(idfs, key=lambda word: (-idfs[word], word))[:TERMS]
        if best:
            queries.append(" | ".join("'" + word.replace("'", "''") + "'" for word in best))
            weights.append(sparse_text({term_key(word): idfs[word] for word in best}))
    if not queries:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT near.id
            FROM unnest(%s::text[], %s::text[]) AS wanted (words, weights)
            CROSS JOIN LATERAL (
                SELECT id FROM knowledge_chunk
                WHERE space_id = %s AND NOT node_id = ANY(%s::uuid[])
                  AND search @@ wanted.words::tsquery
                ORDER BY terms <#> wanted.weights::sparsevec LIMIT %s
            ) AS near
            """,
            [queries, weights, space_id, list(left_out), NEAREST],
        )
        return {row[0] for row in cursor}


def _vectors(
    reader: Reader, state: NodeState, passages: Sequence[IndexedPassage]
) -> npt.NDArray[np.float32]:
    """Return the vectors of the passages: those of the index where it has the same passage."""
    import numpy as np

    known: dict[str, npt.NDArray[np.float32]] = {}
    if state.node_id is not None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.text, vector_send(e.vector) FROM knowledge_chunk c "
                "JOIN knowledge_embedding e ON e.chunk_id = c.id AND e.generation_id = %s "
                "JOIN knowledge_node n ON n.id = c.node_id AND n.title = %s "
                "WHERE c.node_id = %s",
                [reader.generation, state.title, state.node_id],
            )
            known = {text: vector_unpack(bytes(packed)) for text, packed in cursor}
    missing = [passage for passage in passages if passage.passage.text not in known]
    if missing:
        made = reader.vectors([passage.embedded for passage in missing])
        known |= {each.passage.text: made[number] for number, each in enumerate(missing)}
    return np.stack([known[passage.passage.text] for passage in passages])


_Near = tuple[int, uuid.UUID, uuid.UUID, float]


def _by_vectors(
    reader: Reader, vectors: npt.NDArray[np.float32], left_out: Sequence[uuid.UUID]
) -> list[_Near]:
    """Return number of the own passage, passage, node and cosine of the nearest."""
    dimensions = int(reader.model.dimensions)
    # The cast is the expression of the HNSW index: without one, the scan is exact.
    is_half = reader.has_ann_index and reader.ann_is_half
    vector = ann_vector(dimensions, is_half=is_half) if reader.has_ann_index else "vector"
    kind = f"{'halfvec' if is_half else 'vector'}({dimensions})"
    nearest = (
        f"SELECT chunk_id, node_id, {vector} <#> own.vector::{kind} AS distance "  # noqa: S608 - a number of ours
        "FROM knowledge_embedding WHERE generation_id = %s AND NOT node_id = ANY(%s::uuid[]) "
        "ORDER BY distance LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT own.number, near.chunk_id, near.node_id, -near.distance "  # noqa: S608 - as above
            "FROM unnest(%s::text[]) WITH ORDINALITY AS own (vector, number) "
            f"CROSS JOIN LATERAL ({nearest}) AS near",
            [[vector_text(row) for row in vectors], reader.generation, list(left_out), NEAREST],
        )
        return [(number, chunk, node, float(cosine)) for number, chunk, node, cosine in cursor]


def _likeness(near: Iterable[_Near], passages: int) -> dict[uuid.UUID, float]:
    best: dict[uuid.UUID, dict[int, float]] = {}
    for number, _chunk, node, cosine in near:
        row = best.setdefault(node, {})
        row[number] = max(row.get(number, 0.0), cosine)
    return {
        node: sum(row.values()) / passages for node, row in best.items() if len(row) == passages
    }


def _read(chunks: Collection[uuid.UUID]) -> tuple[NearPassage, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, c.node_id, n.title, c.version, c.start, c.text, c.language, "
            "c.heading_path FROM knowledge_chunk c JOIN knowledge_node n ON n.id = c.node_id "
            "WHERE c.id = ANY(%s) AND n.status = 'published' ORDER BY c.node_id, c.position",
            [list(chunks)],
        )
        return tuple(
            NearPassage(chunk, node, title, version, start, text, language, tuple(path))
            for chunk, node, title, version, start, text, language, path in cursor
        )
