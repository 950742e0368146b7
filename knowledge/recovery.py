"""Finding work that nobody has in hand: its message was lost, or its worker died.

What was sent lately is remembered in Redis, beside the queues: while a long queue is worked off
it is not sent over and over, and where Redis lost the queue it lost the memory too.
"""

import datetime
import re
import shutil
import time
import uuid
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from knowledge.choices import JobStatus, NodeStatus
from knowledge.kind_work import migrations_unattended
from knowledge.leases import stuck_jobs
from knowledge.models import EvaluationRun, IngestJob, Node, RetrievalTuning, Source
from knowledge.run_leases import runs_unattended
from project.aio import sync_redis

PATIENCE = datetime.timedelta(seconds=30)  # of a queued job
INDEX_PATIENCE = datetime.timedelta(seconds=20)  # of a node whose index is behind
AGAIN_AFTER = 60  # seconds
LIMIT = 500  # a sweep
QUEUE = "celery:ingest"
MOST_MESSAGES = 20_000  # looked at in a sweep
_JOB = re.compile(r"knowledge\.tasks\.ingest\W.*?argsrepr\W+([0-9a-f-]{36})")
_ORPHAN_AGE = 3600.0  # seconds
_FOLDER_AGE = 7 * 86_400.0  # seconds in which a failed job can go on where it stopped


def jobs_to_send() -> list[uuid.UUID]:
    """Return the jobs to send again, oldest first. Those in the broker's queue wait: not stuck."""
    stuck = stuck_jobs(patience=PATIENCE)
    if not stuck:
        return []
    try:
        waiting = _in_queue()
    except redis.RedisError:
        return []  # nothing can be sent while the broker is away
    return _not_sent_lately("job", [each for each in stuck if each not in waiting][:LIMIT])


def _in_queue() -> set[uuid.UUID]:
    """Return the jobs whose message is in the broker's queue, and in no worker's hands yet."""
    client, found = sync_redis(), set()
    for at in range(0, MOST_MESSAGES, 500):
        messages: Any = client.lrange(QUEUE, at, at + 499)
        for message in messages:
            named = _JOB.search(message)
            if named:
                found.add(uuid.UUID(named[1]))
        if len(messages) < 500:
            break
    return found


def nodes_to_index() -> list[uuid.UUID]:
    """Return the published nodes whose index has been behind for a while, oldest first.

    Those of an unfinished job are in its hands.
    """
    unfinished = IngestJob.objects.filter(status__in=[JobStatus.QUEUED, JobStatus.PROCESSING])
    held = set(chain.from_iterable(unfinished.values_list("nodes", flat=True)))
    rows = Node.objects.filter(
        ~Q(indexed_version=F("version")) | Q(indexed_version=None),
        status=NodeStatus.PUBLISHED,
        updated_at__lt=timezone.now() - INDEX_PATIENCE,
    ).exclude(pk__in=held)
    rows = rows.order_by("updated_at")
    return _not_sent_lately("node", rows.values_list("pk", flat=True)[:LIMIT])


def tunings_to_send() -> list[uuid.UUID]:
    """Return the tunings to send again, oldest first."""
    return _not_sent_lately(
        "tuning", runs_unattended(RetrievalTuning, timezone.now(), patience=PATIENCE)
    )


def evaluations_to_send() -> list[uuid.UUID]:
    """Return the evaluations to send again, oldest first."""
    return _not_sent_lately(
        "evaluation", runs_unattended(EvaluationRun, timezone.now(), patience=PATIENCE)
    )


def migrations_to_send() -> list[uuid.UUID]:
    """Return the migrations of kinds to send again, oldest first."""
    return _not_sent_lately("kind-migration", migrations_unattended())


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
    now = time.time() if now is None else now
    root = Path(settings.MEDIA_ROOT)
    removed = 0
    for path in root.glob("sources/*/*"):
        if path.stat().st_mtime < now - _ORPHAN_AGE and not _is_source(path.name):
            path.unlink(missing_ok=True)
            removed += 1
    for path in root.glob("jobs/*"):
        age = now - path.stat().st_mtime
        if age > _FOLDER_AGE or (age > _ORPHAN_AGE and not _is_needed(path.name)):
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def _is_source(name: str) -> bool:
    try:
        return Source.objects.filter(pk=uuid.UUID(name)).exists()
    except ValueError:
        return False


def _is_needed(name: str) -> bool:
    """Return whether a job may still go on with what its folder keeps."""
    ended = [JobStatus.COMPLETED, JobStatus.CANCELLED]
    try:
        return IngestJob.objects.filter(pk=uuid.UUID(name)).exclude(status__in=ended).exists()
    except ValueError:
        return False
