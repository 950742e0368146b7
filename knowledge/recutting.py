"""Cutting nodes anew whose kind is cut otherwise by now, while search goes on.

A node remembers by which cutting its passages were made. The sweep prepares the new passages beside
those that serve, and a swap puts them in their place in one transaction, so that every search finds
the old ones or the new ones of a node. Passages whose text stays have their vectors in the cache.
Those of past versions stay as they were.
"""

import time
import uuid
from typing import Any

import structlog
from django.db import connection

from knowledge.choices import NodeStatus
from knowledge.cuttings import cutting_told
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import Kind, Node
from project.aio import sync_redis
from project.inference.types import EmbeddingUnavailable

BATCH = 32  # nodes a transaction
SECONDS = 45.0  # a run
_RUNNING = "acervo:nodes-recut"
log = structlog.get_logger(__name__)

_OUTDATED = """
FROM knowledge_node AS node
LEFT JOIN knowledge_kind AS own ON own.space_id = node.space_id AND own.name = node.kind
LEFT JOIN knowledge_kind AS general ON general.space_id IS NULL AND general.name = node.kind
WHERE node.status = %(published)s AND node.indexed_version IS NOT NULL
    AND node.indexed_cutting <> COALESCE(own.cutting_key, general.cutting_key, '')
    AND (node.indexed_cutting <> '' OR node.kind = ANY(%(kinds)s))
"""


def nodes_to_recut(limit: int, *, kind: str | None = None) -> list[uuid.UUID]:
    """Return published nodes whose passages were cut otherwise than their kinds say now."""
    where, values = _wanted(kind)
    values["limit"] = limit
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT node.id {_OUTDATED} {where} ORDER BY node.id LIMIT %(limit)s",
            values,
        )
        return [row[0] for row in cursor.fetchall()]


def count_to_recut(kind: str | None = None) -> int:
    """Return how many there are, of one kind's name or of all."""
    where, values = _wanted(kind)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_OUTDATED} {where}", values)
        return int(cursor.fetchone()[0])


def _wanted(kind: str | None) -> tuple[str, dict[str, Any]]:
    special = Kind.objects.exclude(cutting_key="").values_list("name", flat=True)
    values: dict[str, Any] = {
        "published": str(NodeStatus.PUBLISHED),
        "kinds": list(special.distinct()),
        "kind": kind,
    }
    return ("AND node.kind = %(kind)s" if kind else "", values)


def nodes_recut(*, seconds: float = SECONDS) -> int:
    """Cut outdated nodes anew for a while; return how many.

    One run at a time does it; two would give the same. What cannot be embedded now keeps its old
    passages and is tried again by a later run.
    """
    client = sync_redis()
    if not client.set(_RUNNING, 1, nx=True, ex=round(2 * seconds) + 60):
        return 0
    try:
        done = _batches_recut(time.monotonic() + seconds)
    finally:
        client.delete(_RUNNING)
    if done:
        log.info("nodes_recut", nodes=done)
    return done


def _batches_recut(until: float) -> int:
    done = 0
    tried: set[uuid.UUID] = set()
    while time.monotonic() < until:
        ids = [pk for pk in nodes_to_recut(BATCH + len(tried)) if pk not in tried][:BATCH]
        if not ids:
            break
        tried.update(ids)
        try:
            done += swap(prepare_nodes(list(Node.objects.filter(pk__in=ids))))
        except EmbeddingUnavailable as error:
            log.warning("recutting_waits_for_a_model", reason=error.reason)
            break
    return done


def key_of(kind: Kind) -> str:
    """Return what stands for a kind's cutting on its row."""
    return cutting_told(kind.chunking).key
