"""What becomes of a run of a feed that does not complete: nothing of it is left to be applied."""

import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from knowledge.choices import FeedRunStatus, JobStatus
from knowledge.models import Feed, FeedItem, FeedRun, IngestJob, Source
from knowledge.models.sources import source_path

FIRST_WAIT = datetime.timedelta(minutes=5)
_FOLLOWED = {
    JobStatus.FAILED: FeedRunStatus.FAILED,
    JobStatus.CANCELLED: FeedRunStatus.CANCELLED,
}


def run_follow(job: IngestJob) -> None:
    """Let the run of a job that failed or was cancelled end with it, in the same transaction."""
    status = _FOLLOWED.get(JobStatus(job.status))
    if status is None:
        return
    for run in FeedRun.objects.filter(job=job, status=FeedRunStatus.RUNNING):
        changes_drop(run)
        run.status, run.finished_at = status, timezone.now()
        run.message = job.error_message
        run.save(update_fields=["status", "finished_at", "message"])
        feed = Feed.objects.select_for_update(no_key=True).get(pk=run.feed_id)
        if status == FeedRunStatus.FAILED:
            feed.failures = min(feed.failures + 1, 30_000)
            feed.last_error = job.error_message
        schedule(feed)
        feed.save(update_fields=["failures", "last_error", "next_sync_at"])


def schedule(feed: Feed) -> None:
    """Set when a feed runs next: after a failure soon, later each time. Not saved yet."""
    now, interval = timezone.now(), feed.interval
    if interval is None:
        feed.next_sync_at = None
        return
    wait = interval
    if feed.failures:
        wait = min(interval, FIRST_WAIT * 2 ** min(feed.failures - 1, 12))
    feed.next_sync_at = now + wait


def changes_drop(run: FeedRun, *, keep_list: bool = False) -> None:
    """Forget what a run fetched and did not apply, in the caller's transaction.

    Its items are as unseen as before. `keep_list` leaves the list of what it had found.
    """
    waiting = run.changes.filter(applied_at=None)
    items = list(waiting.values_list("item", flat=True))
    sources = list(waiting.exclude(source=None).values_list("source", flat=True))
    FeedItem.objects.filter(pk__in=items, seen_run=run.pk).update(seen_run=None)
    if not keep_list:
        waiting.delete()
        FeedItem.objects.filter(pk__in=items, sha256="", source=None, changes=None).delete()
    for source in Source.objects.filter(pk__in=sources, nodes=None, jobs=None):
        _source_drop(source)


def _source_drop(source: Source) -> None:
    path = Path(settings.MEDIA_ROOT) / source_path(source, "")
    source.delete()
    transaction.on_commit(lambda: path.unlink(missing_ok=True))
