"""Starting runs of feeds: by hand, and those that the schedule has due."""

import uuid

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import FeedRunStatus, JobKind
from knowledge.feed_outcomes import changes_drop
from knowledge.job_news import emit_updated
from knowledge.job_sending import job_send
from knowledge.models import Feed, FeedItem, FeedRun, IngestJob
from project.accounts.models import User
from project.http.errors import ApiError, Conflict, NotFound
from project.tracing import current_trace_id

MOST_AT_ONCE = 100
log = structlog.get_logger(__name__)


@transaction.atomic
def run_start(feed: Feed, *, started_by: User | None = None) -> FeedRun:
    """Queue a run of a feed; one that waited for a decision is discarded by that.

    Raises NotFound for a feed that is gone, and Conflict while a run is under way.
    """
    row = Feed.objects.select_for_update(no_key=True).filter(pk=feed.pk).first()
    if row is None:
        raise NotFound(_("The feed is gone."))
    if row.owner is None:
        message = _("The feed has no owner any more: save it again to become its owner.")
        raise Conflict(message, code="no_owner")
    running_refuse(row)
    for waiting in row.runs.filter(status=FeedRunStatus.SUSPICIOUS):
        run_close(waiting, by=None)
    known = FeedItem.objects.filter(feed=row, gone_at=None).exclude(sha256="").count()
    run = FeedRun.objects.create(feed=row, known=known, started_by=started_by)
    run_queue(run, row.owner)
    return run


def run_queue(run: FeedRun, owner: User) -> None:
    """Queue a job that goes on with a run, in the caller's transaction."""
    job = IngestJob.objects.create(
        kind=JobKind.FEED,
        space=run.feed.space,
        created_by=owner,
        trace_id=current_trace_id(),
        payload={"feed": run.feed.name},
    )
    run.job = job
    run.save(update_fields=["job"])
    emit_updated(job)
    job_send(job)


def run_close(run: FeedRun, *, by: User | None) -> None:
    """Discard a run that waits for a decision; its list of what it found stays."""
    changes_drop(run, keep_list=True)
    run.status, run.decided_by = FeedRunStatus.DISCARDED, by
    run.save(update_fields=["status", "decided_by"])


def running_refuse(feed: Feed) -> None:
    """Raise Conflict while a run of a feed is under way."""
    running = feed.runs.filter(status=FeedRunStatus.RUNNING).first()
    if running is not None:
        raise Conflict(
            _("A run of this feed is under way."),
            code="run_under_way",
            details={"run": str(running.pk), "job": str(running.job_id)},
        )


def feeds_due() -> list[uuid.UUID]:
    """Return the enabled feeds whose time has come and that are not being run, oldest first."""
    rows = Feed.objects.filter(is_enabled=True, next_sync_at__lte=timezone.now())
    running = FeedRun.objects.filter(status=FeedRunStatus.RUNNING).values("feed")
    due = rows.exclude(pk__in=running).order_by("next_sync_at")
    return list(due.values_list("pk", flat=True)[:MOST_AT_ONCE])


def feeds_run_due() -> None:
    """Start a run of every feed that is due."""
    for feed_id in feeds_due():
        feed = Feed.objects.filter(pk=feed_id).first()
        if feed is None:
            continue
        try:
            run_start(feed)
        except ApiError as error:  # somebody was quicker, or it has no owner
            Feed.objects.filter(pk=feed_id).update(last_error=error.message)
            log.warning("feed_not_started", feed=str(feed_id), code=error.code)
