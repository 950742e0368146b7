"""Filling generations: every passage of a space gets its vector, beside what serves.

Passages are embedded as they are stored, also those of a version that is not the newest one any
more: a generation takes over only when nothing of what search serves is missing in it. Can be
stopped at any point and run again: what has its vector is not embedded twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from knowledge.ann import ann_index_ensure
from knowledge.binary import vector_pack
from knowledge.choices import GenerationStatus
from knowledge.cuttings import Cuttings
from knowledge.generations import generation_model, passages_missing
from knowledge.models import Chunk, IndexGeneration, Node, NodeVersion
from knowledge.passages import passages_of, without_markup
from knowledge.revisions import spaces_note
from project.events.services import emit
from project.inference.embeddings import embed_texts
from project.inference.types import EmbeddingModel, EmbeddingUnavailable, UsageContext

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = structlog.get_logger(__name__)

BUILD_NODES = 50  # read at once
BUILD_BATCH = 256  # passages embedded and stored at once


def generation_build(
    generation_id: uuid.UUID, *, progress: Callable[[float], None] | None = None
) -> None:
    """Give every passage of the space its vector in a generation, then call it ready.

    One that is large has its HNSW index before that. `progress` is told the share that is done,
    and may raise to stop. Raises EmbeddingUnavailable.
    """
    generation = IndexGeneration.objects.get(pk=generation_id)
    generation_fill(generation, progress=progress)
    ann_index_ensure(generation)
    with transaction.atomic():
        building = IndexGeneration.objects.filter(
            pk=generation_id, status=GenerationStatus.BUILDING
        )
        if building.update(status=GenerationStatus.READY, notice=""):
            emit(
                "knowledge.generation.built",
                {"generation": str(generation_id), "switching": generation.switching},
                space_id=generation.space_id,
                subject_id=generation_id,
            )


def generation_fill(
    generation: IndexGeneration, *, progress: Callable[[float], None] | None = None
) -> None:
    """Give the passages that have no vector in a generation theirs. Raises EmbeddingUnavailable."""
    model = generation_model(generation)
    everything = Chunk.objects.filter(space=generation.space_id).count()
    missing = passages_missing(generation)
    left = missing.count()
    node_ids = list(missing.order_by("node").values_list("node", flat=True).distinct())
    for at in range(0, len(node_ids), BUILD_NODES):
        rows = list(
            missing.filter(node__in=node_ids[at : at + BUILD_NODES])
            .only("node", "version", "position", "start", "end", "heading_path", "text")
            .order_by("node", "version", "position")
        )
        for first in range(0, len(rows), BUILD_BATCH):
            batch = rows[first : first + BUILD_BATCH]
            _passages_embed(generation, model, batch)
            left -= len(batch)
            if progress and everything:
                progress(min(1.0, max(0.0, 1 - left / everything)))


def generations_maintain() -> None:
    """Fill in vectors that a model could not give before, and index what has become large.

    Of what serves, and of what served until lately: then the way back stays short.
    """
    for generation in generations_kept():
        try:
            if passages_missing(generation).exists():
                generation_fill(generation)
            ann_index_ensure(generation)
        except EmbeddingUnavailable as error:
            log.warning("vectors_missing", generation=str(generation.pk), reason=error.reason)


def generations_kept() -> Iterable[IndexGeneration]:
    """Return the generations that no job is about and that are to be whole, what serves first."""
    wanted = [GenerationStatus.ACTIVE, GenerationStatus.READY, GenerationStatus.RETIRED]
    rows = IndexGeneration.objects.written(timezone.now()).filter(status__in=wanted)
    return sorted(rows, key=lambda row: row.status != GenerationStatus.ACTIVE)


def _passages_embed(
    generation: IndexGeneration, model: EmbeddingModel, passages: Sequence[Chunk]
) -> None:
    texts = _texts_of(passages)
    if not connection.in_atomic_block:
        connection.close()  # back to the pool while the model works
    usage = UsageContext("index", space_id=generation.space_id)
    subjects = [passage.node_id for passage in passages]
    vectors = embed_texts(model, texts, purpose="document", usage=usage, subjects=subjects)
    _vectors_store(generation, [passage.pk for passage in passages], vectors)


def _texts_of(passages: Sequence[Chunk]) -> list[str]:
    """Return what the model is to read of stored passages: the same as when they were indexed.

    Where the text would be cut otherwise today, the stored passage with its headings stands for
    itself.
    """
    made = _embedded_today({passage.node_id for passage in passages})
    versions = {(passage.node_id, passage.version) for passage in passages}
    titles = _titles(versions)
    texts = []
    for passage in passages:
        key = (passage.node_id, passage.version, passage.start, passage.end)
        title = titles.get((passage.node_id, passage.version), "")
        parts = (title, " > ".join(passage.heading_path), without_markup(passage.text))
        texts.append(made.get(key) or "\n".join(part for part in parts if part))
    return texts


def _embedded_today(node_ids: set[uuid.UUID]) -> dict[tuple[uuid.UUID, int, int, int], str]:
    found = {}
    nodes = list(Node.objects.filter(pk__in=node_ids))
    cuttings = Cuttings(nodes)
    for node in nodes:
        for indexed in passages_of(node, cuttings.of(node)):
            place = (indexed.passage.start, indexed.passage.end)
            found[node.pk, node.version, *place] = indexed.embedded
    return found


def _titles(versions: set[tuple[uuid.UUID, int]]) -> dict[tuple[Any, int], str]:
    rows = NodeVersion.objects.filter(
        id__in={node for node, _version in versions},
        version__in={version for _node, version in versions},
    ).values_list("id", "version", "title")
    return {(node, version): title for node, version, title in rows}


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
        spaces_note([generation.space_id])
