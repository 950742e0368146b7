"""The HNSW index of a generation's vectors, in half precision.

One index a generation: m = 16 links a vector and layer, 64 candidates while building (the values
that Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW
graphs" (2018), and pgvector start from). Indexes are made and removed CONCURRENTLY, so that neither
searches nor writers wait. One that was broken off, or has gone, is made anew by the sweep. Indexes
in full precision, of older versions, serve until theirs in half precision is there.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import structlog
from django.db import connection

from knowledge.models import IndexGeneration
from project.locks import try_lock

log = structlog.get_logger(__name__)

ANN_FROM = 10_000
"""Vectors from which on a generation has an HNSW index; below, all are looked at in 5 ms."""
MOST_DIMENSIONS = 4000
"""What pgvector can index of a halfvec; longer vectors are scanned."""
_PREFIX = "embedding_half_"
_FULL_PREFIX = "embedding_ann_"  # of indexes in full precision


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """An index that is being built. `share` is what is done of its longest phase, 0 to 1."""

    generation: uuid.UUID
    phase: str
    share: float


def ann_index_name(generation_id: uuid.UUID) -> str:
    """Return the name of a generation's HNSW index."""
    return f"{_PREFIX}{generation_id.hex}"


def ann_vector(dimensions: int, *, is_half: bool) -> str:
    """Return the SQL that a scan must sort by to go through an index of vectors that long."""
    return f"(vector::{'halfvec' if is_half else 'vector'}({int(dimensions)}))"


def ann_index_ensure(generation: IndexGeneration, *, least: int = ANN_FROM) -> bool:
    """Build the generation's HNSW index if it has at least that many vectors and none yet.

    Outside a transaction only. Returns whether there is an index now, which may be an older one.
    """
    if connection.in_atomic_block or generation.dimensions > MOST_DIMENSIONS:
        return generation.has_ann_index
    valid = _valid_indexes(generation.pk)
    if ann_index_name(generation.pk) in valid:
        _note(generation, has_ann_index=True, ann_is_half=True)
        _drop_others(generation.pk)
        return True
    _note(generation, has_ann_index=bool(valid), ann_is_half=False)
    if not valid and generation.embeddings.count() < least:
        return False
    with try_lock(f"ann:{generation.pk}") as held:
        if held:
            _build(generation)
    return generation.has_ann_index


def ann_index_drop(generation_id: uuid.UUID) -> None:
    """Remove the HNSW indexes of a generation; no writer waits. Outside a transaction only."""
    with connection.cursor() as cursor:
        for prefix in (_PREFIX, _FULL_PREFIX):
            cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{prefix}{generation_id.hex}"')


def ann_index_builds() -> list[IndexBuild]:
    """Return the indexes that are being built now, in whichever process."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT relname, phase,
                CASE WHEN blocks_total > 0 THEN blocks_done::float8 / blocks_total ELSE 0 END
            FROM pg_stat_progress_create_index JOIN pg_class ON pg_class.oid = index_relid
            WHERE relname LIKE %s
            """,
            [_PREFIX.replace("_", r"\_") + "%"],
        )
        return [
            IndexBuild(uuid.UUID(name.removeprefix(_PREFIX)), phase, min(1.0, share))
            for name, phase, share in cursor.fetchall()
        ]


def _build(generation: IndexGeneration) -> None:
    name = ann_index_name(generation.pk)
    log.info("ann_index_begun", generation=str(generation.pk))
    with connection.cursor() as cursor:
        # One that was broken off is left behind invalid.
        cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
        cursor.execute(
            f'CREATE INDEX CONCURRENTLY "{name}" ON knowledge_embedding '
            f"USING hnsw ({ann_vector(generation.dimensions, is_half=True)} halfvec_ip_ops) "
            "WITH (m = 16, ef_construction = 64) WHERE generation_id = %s",
            [generation.pk],
        )
    # What searches by the older index now is done before the next sweep removes it.
    _note(generation, has_ann_index=True, ann_is_half=True)
    log.info("ann_index_built", generation=str(generation.pk))


def _note(generation: IndexGeneration, **state: bool) -> None:
    """Keep what search has to know of the index, if it is news."""
    news = {name: value for name, value in state.items() if getattr(generation, name) != value}
    if not news:
        return
    IndexGeneration.objects.filter(pk=generation.pk).update(**news)
    for name, value in news.items():
        setattr(generation, name, value)


def _valid_indexes(generation_id: uuid.UUID) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE indisvalid AND indrelid = 'knowledge_embedding'::regclass AND relname = ANY(%s)",
            [[f"{prefix}{generation_id.hex}" for prefix in (_PREFIX, _FULL_PREFIX)]],
        )
        return {name for (name,) in cursor.fetchall()}


def _drop_others(generation_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{_FULL_PREFIX}{generation_id.hex}"')
