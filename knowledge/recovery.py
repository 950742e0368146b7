"""Finding work that nobody has in hand: its message was lost, or its worker died.

What was sent lately is remembered in Redis, beside the queues: while a long queue is worked off
it is not sent over and over, and where Redis lost the queue it lost the memory too.
"""

import datetime
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

import redis
from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from knowledge.choices import NodeStatus
from knowledge.leases import stuck_jobs
from knowledge.models import Node, Source
from project.aio import sync_redis

PATIENCE = datetime.timedelta(seconds=30)  # of a queued job
INDEX_PATIENCE = datetime.timedelta(seconds=20)  # of a node whose index is behind
AGAIN_AFTER = 60  # seconds
LIMIT = 500  # a sweep
_ORPHAN_AGE = 3600.0  # seconds


def jobs_to_send() -> list[uuid.UUID]:
    """Return the jobs to send again, oldest first."""
    rows = stuck_jobs(timezone.now(), patience=PATIENCE)
    return _not_sent_lately("job", rows.values_list("pk", flat=True)[:LIMIT])


def nodes_to_index() -> list[uuid.UUID]:
    """Return the published nodes whose index has been behind for a while, oldest first."""
    rows = Node.objects.filter(
        ~Q(indexed_version=F("version")) | Q(indexed_version=None),
        status=NodeStatus.PUBLISHED,
        updated_at__lt=timezone.now() - INDEX_PATIENCE,
    ).order_by("updated_at")
    return _not_sent_lately("node", rows.values_list("pk", flat=True)[:LIMIT])


def _not_sent_lately(kind: str, ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    client = sync_redis()
    try:
        return [
            each
            for each in ids
            if client.set(f"acervo:sent:{kind}:{each}", 1, nx=True, ex=AGAIN_AFTER)
        ]
    except redis.RedisError:
        return []  # nothing can be sent while the broker is away


def files_sweep(*, now: float | None = None) -> int:
    """Remove files that no row names and folders of jobs that ended; return how many.

    Only what is old enough: an upload under way has its file before its row.
    """
    before = (time.time() if now is None else now) - _ORPHAN_AGE
    root = Path(settings.MEDIA_ROOT)
    removed = 0
    for path in root.glob("sources/*/*"):
        if path.stat().st_mtime < before and not _is_source(path.name):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_source(name: str) -> bool:
    try:
        return Source.objects.filter(pk=uuid.UUID(name)).exists()
    except ValueError:
        return False
