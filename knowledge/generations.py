"""The life of index generations: building, ready, active, retired.

A space has one active generation. Another model's generation is built beside it: every swap
writes for both, `generation_build` fills in what was there before, and `generation_activate`
changes over in one transaction when nothing is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog
from django.db import connection, models, transaction
from django.utils import timezone

from knowledge.binary import vector_pack
from knowledge.choices import GenerationStatus
from knowledge.models import Chunk, Embedding, IndexGeneration, Node, Space
from knowledge.passages import passages_of
from project.inference.embeddings import (
    default_model,
    embed_texts,
    model_for_endpoint,
    model_for_key,
)
from project.inference.models import ModelEndpoint
from project.inference.types import EmbeddingModel, EmbeddingUnavailable, UsageContext
from project.locks import transaction_lock, try_lock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = structlog.get_logger(__name__)

WRITTEN = (GenerationStatus.BUILDING, GenerationStatus.READY, GenerationStatus.ACTIVE)
ANN_FROM = 20_000
"""Vectors from which on a generation has an HNSW index; below, an exact scan is as quick."""
BUILD_BATCH = 100  # nodes


def ensure_generation(space_id: uuid.UUID) -> IndexGeneration:
    """Return the active generation of a space, made of the default model if there is none."""
    active = IndexGeneration.objects.filter(space=space_id, status=GenerationStatus.ACTIVE)
    found = active.first()
    if found:
        return found
    model = default_model()
    with transaction.atomic():
        transaction_lock(f"generation:{space_id}")
        return active.first() or IndexGeneration.objects.create(
            space_id=space_id,
            endpoint_id=model.endpoint_id,
            model_key=model.key,
            dimensions=model.dimensions,
            status=GenerationStatus.ACTIVE,
            activated_at=timezone.now(),
        )


def generations_written(space_ids: Sequence[uuid.UUID]) -> list[IndexGeneration]:
    """Return the generations that new passages of the spaces get vectors for."""
    return list(
        IndexGeneration.objects.filter(space__in=space_ids, status__in=WRITTEN).order_by("pk")
    )


def generation_model(generation: IndexGeneration) -> EmbeddingModel:
    """Return the model of a generation. Raises EmbeddingUnavailable when it is gone."""
    return model_for_key(generation.model_key, generation.endpoint_id)


def generation_start(space: Space, endpoint: ModelEndpoint | None) -> IndexGeneration:
    """Begin a generation of the endpoint's model (None: the default one) beside the active one.

    Raises EmbeddingUnavailable when the endpoint is no embedding model.
    """
    model = model_for_endpoint(endpoint) if endpoint else default_model()
    return IndexGeneration.objects.create(
        space=space, endpoint=endpoint, model_key=model.key, dimensions=model.dimensions
    )


def generation_build(
    generation_id: uuid.UUID, *, progress: Callable[[float], None] | None = None
) -> None:
    """Give every passage of the space its vector in a generation, then call it ready.

    Can be stopped and run again at any point. Raises EmbeddingUnavailable.
    """
    generation = IndexGeneration.objects.get(pk=generation_id)
    model = generation_model(generation)
    nodes = list(_missing(generation).values_list("node", flat=True).distinct())
    for at in range(0, len(nodes), BUILD_BATCH):
        _nodes_embed(generation, model, nodes[at : at + BUILD_BATCH])
        if progress:
            progress(min(1.0, (at + BUILD_BATCH) / len(nodes)))
    IndexGeneration.objects.filter(pk=generation_id, status=GenerationStatus.BUILDING).update(
        status=GenerationStatus.READY
    )
    ann_index_ensure(generation)


def generation_activate(generation_id: uuid.UUID) -> bool:
    """Make a generation the one that serves, and retire the one before, in one transaction.

    Returns False, and changes nothing, while passages have no vector in it.
    """
    with transaction.atomic():
        generation = IndexGeneration.objects.get(pk=generation_id)
        # The lock that every swap holds: what it sees missing stays so until the end.
        space = Space.objects.filter(pk=generation.space_id)
        space.update(index_revision=models.F("index_revision") + 1)
        if _missing(generation).exists():
            return False
        before = IndexGeneration.objects.filter(
            space=generation.space_id, status=GenerationStatus.ACTIVE
        ).exclude(pk=generation_id)
        before.update(status=GenerationStatus.RETIRED)
        IndexGeneration.objects.filter(pk=generation_id).update(
            status=GenerationStatus.ACTIVE, activated_at=timezone.now()
        )
    return True


def generation_delete(generation: IndexGeneration) -> None:
    """Remove a retired generation and its vectors. Raises ValueError for one in use."""
    generation.refresh_from_db()
    if generation.status == GenerationStatus.ACTIVE:
        raise ValueError("The active generation cannot be removed.")
    with connection.cursor() as cursor:
        cursor.execute(f'DROP INDEX IF EXISTS "{ann_index_name(generation.pk)}"')
    generation.delete()


def generations_maintain() -> None:
    """Fill in vectors that a model could not give before, and index what has become large."""
    active = IndexGeneration.objects.filter(status=GenerationStatus.ACTIVE)
    for generation in active:
        try:
            if _missing(generation).exists():
                generation_build(generation.pk)
            else:
                ann_index_ensure(generation)
        except EmbeddingUnavailable as error:
            log.warning("vectors_missing", generation=str(generation.pk), reason=error.reason)


def ann_index_name(generation_id: uuid.UUID) -> str:
    """Return the name of a generation's HNSW index."""
    return f"embedding_ann_{generation_id.hex}"


def ann_index_ensure(generation: IndexGeneration, *, least: int = ANN_FROM) -> bool:
    """Build the generation's HNSW index if it has at least that many vectors and none yet.

    CREATE INDEX CONCURRENTLY: outside a transaction only. Returns whether there is one now.
    """
    if generation.has_ann_index:
        return True
    if generation.embeddings.count() < least or connection.in_atomic_block:
        return False
    name = ann_index_name(generation.pk)
    with try_lock(f"ann:{generation.pk}") as held:
        if not held:
            return False
        with connection.cursor() as cursor:
            # One that was broken off is left behind invalid.
            cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
            cursor.execute(
                f'CREATE INDEX CONCURRENTLY "{name}" ON knowledge_embedding '
                f"USING hnsw ((vector::vector({generation.dimensions})) vector_ip_ops) "
                "WITH (m = 16, ef_construction = 64) WHERE generation_id = %s",
                [generation.pk],
            )
    IndexGeneration.objects.filter(pk=generation.pk).update(has_ann_index=True)
    generation.has_ann_index = True
    return True


def _missing(generation: IndexGeneration) -> models.QuerySet[Chunk]:
    held = Embedding.objects.filter(chunk=models.OuterRef("pk"), generation=generation)
    return Chunk.objects.filter(~models.Exists(held), space=generation.space_id)


def _nodes_embed(
    generation: IndexGeneration, model: EmbeddingModel, node_ids: list[uuid.UUID]
) -> None:
    """Give the passages of some nodes their vectors; nodes that moved on get them by their swap."""
    missing: dict[uuid.UUID, dict[int, uuid.UUID]] = {}
    rows = _missing(generation).filter(node__in=node_ids, version=models.F("node__version"))
    for node_id, position, chunk_id in rows.values_list("node", "position", "pk"):
        missing.setdefault(node_id, {})[position] = chunk_id
    chunk_ids, texts = [], []
    for node in Node.objects.filter(pk__in=missing):
        for indexed in passages_of(node):
            if indexed.passage.position in missing[node.pk]:
                chunk_ids.append(missing[node.pk][indexed.passage.position])
                texts.append(indexed.embedded)
    if not connection.in_atomic_block:
        connection.close()  # back to the pool while the model works
    usage = UsageContext("index", space_id=generation.space_id)
    vectors = embed_texts(model, texts, purpose="document", usage=usage)
    _vectors_store(generation, chunk_ids, vectors)


def _vectors_store(
    generation: IndexGeneration, chunk_ids: list[uuid.UUID], vectors: npt.NDArray[np.float32]
) -> None:
    """Store vectors of the passages that are still there."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, node_id FROM knowledge_chunk WHERE id = ANY(%s) FOR KEY SHARE", [chunk_ids]
        )
        nodes = dict(cursor.fetchall())
        cursor.execute(
            """
            CREATE TEMPORARY TABLE new_vectors (chunk_id uuid, node_id uuid, vector vector)
            """
        )
        with cursor.copy("COPY new_vectors FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid", "uuid", "bytea"])
            for chunk_id, vector in zip(chunk_ids, vectors, strict=True):
                if chunk_id in nodes:
                    copy.write_row((chunk_id, nodes[chunk_id], vector_pack(vector)))
        cursor.execute(
            """
            INSERT INTO knowledge_embedding (chunk_id, node_id, generation_id, vector)
            SELECT chunk_id, node_id, %s, vector FROM new_vectors
            ON CONFLICT (chunk_id, generation_id) DO NOTHING
            """,
            [generation.pk],
        )
        cursor.execute("DROP TABLE new_vectors")
