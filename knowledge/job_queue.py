"""The queue of jobs as it is now: how many wait and run, and what the last hour brought."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min, Q, Sum
from django.db.models.functions import Now

from knowledge.choices import JobStatus
from knowledge.database_time import database_now

HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class QueueState:
    """Numbers of jobs; `pausing` wait for their next try or for others, not for a worker."""

    waiting: int
    running: int
    pausing: int
    dead: int
    oldest_waiting_seconds: int | None
    completed_last_hour: int
    failed_last_hour: int
    pages_last_hour: int
    passages_last_hour: int


def queue_state(jobs: Any) -> QueueState:
    """Return the state of some jobs' queue; two queries over indexes of what is under way."""
    now = database_now()
    is_due = Q(lease_until=None) | Q(lease_until__lte=Now())
    waits = Q(status=JobStatus.QUEUED) & is_due
    runs = Q(status=JobStatus.PROCESSING) & ~Q(lease_owner="")
    unfinished = jobs.order_by().filter(status__in=[JobStatus.QUEUED, JobStatus.PROCESSING])
    here = unfinished.aggregate(
        waiting=Count("pk", filter=waits),
        running=Count("pk", filter=runs),
        pausing=Count("pk", filter=~waits & ~runs),
        oldest=Min("queued_at", filter=waits),
    )
    ended = jobs.order_by().filter(finished_at__gt=now - HOUR)
    done = ended.aggregate(
        completed=Count("pk", filter=Q(status=JobStatus.COMPLETED)),
        failed=Count("pk", filter=Q(status=JobStatus.FAILED)),
        pages=Sum(F("pages_done")),
        passages=Sum(F("passages_done")),
    )
    oldest = here["oldest"]
    return QueueState(
        here["waiting"],
        here["running"],
        here["pausing"],
        jobs.order_by().dead().count(),
        None if oldest is None else max(0, round((now - oldest).total_seconds())),
        done["completed"],
        done["failed"],
        done["pages"] or 0,
        done["passages"] or 0,
    )
