"""What the tables and queues say right now; read by health, metrics and the dashboard."""

import datetime

import redis
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from chat.choices import TurnStatus
from chat.models import Turn
from knowledge.choices import GenerationStatus, JobStatus, NodeStatus
from knowledge.models import Chunk, IndexGeneration, IngestJob, Node, NodeQuality, Space
from knowledge.quality import space_scores
from project.aio import sync_redis
from project.events.models import Event

QUEUES = ("ingest", "embed", "memory", "webhooks", "maintenance")
BROKER_PREFIX = "celery:"


def queue_lengths() -> dict[str, int]:
    """Return how many tasks wait in each queue; raises RedisError."""
    client = sync_redis()
    return {name: int(client.llen(BROKER_PREFIX + name)) for name in QUEUES}


def queue_lengths_or_none() -> dict[str, int]:
    """Return how many tasks wait in each queue, nothing while Redis is away."""
    try:
        return queue_lengths()
    except redis.RedisError:
        return {}


def job_counts() -> dict[str, int]:
    """Return how many jobs there are of each status."""
    rows = IngestJob.objects.order_by().values_list("status").annotate(Count("pk"))
    return dict.fromkeys(JobStatus.values, 0) | dict(rows)


def jobs_with_lost_lease() -> int:
    """Return how many jobs are held by a worker that no longer renews its lease."""
    return IngestJob.objects.filter(
        status=JobStatus.PROCESSING, lease_until__lt=timezone.now()
    ).count()


def node_counts() -> dict[str, int]:
    """Return how many nodes there are of each status."""
    rows = Node.objects.order_by().values_list("status").annotate(Count("pk"))
    return dict.fromkeys(NodeStatus.values, 0) | dict(rows)


def turns_unfinished() -> dict[str, int]:
    """Return how many turns are queued and running."""
    waiting = (TurnStatus.QUEUED, TurnStatus.RUNNING)
    rows = Turn.objects.filter(status__in=waiting).order_by().values_list("status")
    return dict.fromkeys((str(each) for each in waiting), 0) | dict(rows.annotate(Count("pk")))


def nodes_behind(*, older_than_seconds: int) -> int:
    """Return how many published nodes have waited that long for the index of their version."""
    limit = timezone.now() - datetime.timedelta(seconds=older_than_seconds)
    return (
        Node.objects.filter(status=NodeStatus.PUBLISHED, updated_at__lt=limit)
        .filter(Q(indexed_version=None) | ~Q(indexed_version=F("version")))
        .count()
    )


def space_quality() -> dict[str, int]:
    """Return the score of each space that has checked nodes, by its short name."""
    names = dict(Space.objects.values_list("pk", "slug"))
    return {names[space]: row["score"] for space, row in space_scores(list(names)).items()}


def checks_due() -> int:
    """Return how many nodes wait to be checked."""
    return NodeQuality.objects.stale().count()


def passages_without_vector() -> int:
    """Return how many passages the active generations have no vector of."""
    total = 0
    for generation in IndexGeneration.objects.filter(status=GenerationStatus.ACTIVE):
        passages = Chunk.objects.filter(space=generation.space_id).count()
        total += max(0, passages - generation.embeddings.count())
    return total


def event_backlog() -> tuple[int, float, int]:
    """Return how many events are unsettled, the oldest one's age in seconds, and those given up."""
    row = Event.objects.filter(settled_at=None).aggregate(
        waiting=Count("pk", filter=Q(failed_at=None)),
        oldest=Min("created_at", filter=Q(failed_at=None)),
        given_up=Count("pk", filter=~Q(failed_at=None)),
    )
    age = (timezone.now() - row["oldest"]).total_seconds() if row["oldest"] else 0.0
    return row["waiting"], round(age, 1), row["given_up"]
