"""Keeping suggestions in step with nodes, answers and each other, in bounded batches.

An event marks nodes as due; `refresh` looks for the suggestions of due nodes, those that wait
longest first, for a bounded time. It may run twice, or be killed at any point: a node is due until
its suggestions are stored.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection

import structlog
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from knowledge import metrics
from knowledge.choices import NodeStatus, SuggestionStatus
from knowledge.models import Node, RelatingState, RelationSuggestion
from knowledge.relating.pairs import pairs_of, pairs_store, suggested_with

# In one order: two that mark the same nodes do not wait for each other.
_MARK = """
INSERT INTO knowledge_relatingstate (node_id, due_at)
SELECT id, %s FROM knowledge_node WHERE id = ANY(%s::uuid[]) ORDER BY id
ON CONFLICT (node_id) DO UPDATE SET due_at = excluded.due_at
"""
log = structlog.get_logger(__name__)

SECONDS = 20.0
"""Of work in one refresh; it is asked for every minute."""
BATCH = 50
MARKED = 2000  # nodes that are marked at once for having no row yet
BUSY = "knowledge.suggestions_refresh"


def relating_mark(nodes: Collection[uuid.UUID]) -> None:
    """Say that the suggestions of some nodes are to be looked for again."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [timezone.now(), list(nodes)])


def refresh(*, seconds: float = SECONDS) -> int:
    """Look for what is due, for about so many seconds at most; return how many nodes were done.

    One process at a time, to spare the machine: where another is at it, this returns 0.
    """
    ends = time.monotonic() + seconds
    if not cache.add(BUSY, 1, timeout=int(seconds) + 60):
        return 0
    done: set[uuid.UUID] = set()
    try:
        _rows_make()
        while time.monotonic() < ends and (batch := _due(done)):
            for node_id in batch:
                done.add(node_id)
                node_relate(node_id)
                if time.monotonic() >= ends:
                    break
    finally:
        cache.delete(BUSY)
    return len(done)


def _rows_make() -> None:
    """Mark published nodes that nothing was ever looked for, such as those from an upgrade."""
    missing = Node.objects.filter(relating=None, status=NodeStatus.PUBLISHED)
    ids = list(missing.order_by("pk").values_list("pk", flat=True)[:MARKED])
    now = timezone.now()
    RelatingState.objects.bulk_create(
        [RelatingState(node_id=node, due_at=now) for node in ids], ignore_conflicts=True
    )


def _due(done: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Return what is next. A text on its way into the index waits until it is there."""
    rows = RelatingState.objects.exclude(due_at=None).exclude(node__in=done)
    behind = Q(node__status=NodeStatus.PUBLISHED) & (
        Q(node__indexed_version=None) | ~Q(node__indexed_version=F("node__version"))
    )
    due = rows.exclude(behind).order_by("due_at", "node").values_list("node", flat=True)
    return list(due[:BATCH])


def node_relate(node_id: uuid.UUID) -> int:
    """Look for the suggestions of a node and store them; return how many are new.

    A node that is not published loses those that are undecided. A change meanwhile leaves it due.
    """
    began = timezone.now()
    started = time.perf_counter()
    node = Node.objects.filter(pk=node_id).first()
    made, crowding = 0, None
    if node is None or node.status != NodeStatus.PUBLISHED:
        _forget(node_id)
    else:
        pairs, surroundings = pairs_of(node, suggested_with(node_id))
        made, crowding = pairs_store(node, pairs), surroundings.crowding
    with transaction.atomic():
        rows = RelatingState.objects.filter(node=node_id)
        rows.update(done_at=began, crowding=crowding)
        rows.filter(due_at__lte=began).update(due_at=None)
    metrics.relating_seconds.observe(time.perf_counter() - started)
    return made


def _forget(node_id: uuid.UUID) -> None:
    rows = RelationSuggestion.objects.filter(Q(source=node_id) | Q(target=node_id))
    rows.filter(status=SuggestionStatus.OPEN).delete()
