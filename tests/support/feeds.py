"""Running feeds as the workers do: every queued job, until nothing is left to do."""

from typing import Any

from django.utils import timezone

from knowledge.choices import JobStatus
from knowledge.ingestion import job_work
from knowledge.models import FeedRun, IngestJob, Node, Space
from knowledge.services import feed_create, feed_sync
from project.accounts.models import User

MOST_ROUNDS = 50


def work_all() -> None:
    """Work off all jobs; one that pauses gets its next turn at once."""
    for _round in range(MOST_ROUNDS):
        open_jobs = IngestJob.objects.filter(status__in=[JobStatus.QUEUED, JobStatus.PROCESSING])
        ids = list(open_jobs.order_by("created_at").values_list("pk", flat=True))
        if not ids:
            return
        for job_id in ids:
            IngestJob.objects.filter(pk=job_id, lease_owner="").update(lease_until=None)
            job_work(job_id)
    raise AssertionError("the jobs do not come to an end")


def synced(feed: Any, user: User) -> FeedRun:
    """Run a feed to its end and return the run."""
    run = feed_sync(acting_user=user, feed=feed)
    work_all()
    run.refresh_from_db()
    return run


def feed_made(owner: User, space: Space, connector: str, **fields: Any) -> Any:
    values = {"name": f"{connector} {timezone.now().timestamp()}", "interval_minutes": 0, **fields}
    return feed_create(acting_user=owner, space=space, connector=connector, **values)


def counts(run: FeedRun) -> dict[str, int]:
    """What a run counted, without the zeros."""
    names = ("added", "changed", "unchanged", "gone", "faults")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


def contents(**wanted: Any) -> dict[str, str]:
    """Titles and texts of nodes."""
    rows = Node.objects.filter(**{"status": "published", **wanted})
    return dict(rows.values_list("title", "content"))
