"""Working off a run of a feed.

1. list: the connector says what there is; what is new or changed is fetched and kept aside. Each
   item is a checkpoint: whoever goes on after a killed worker fetches none of them again.
2. judge: a run that finds nothing, far fewer items than are known, or the same bytes under most of
   their keys, is suspicious. It changes nothing until a person confirms it.
3. apply: each new or changed item gets a job that reads it, as an upload does. The run waits for
   them without holding a worker.
4. finish, in one transaction: items that were missed often enough are archived, and the feed
   remembers where it is.

Only the first run of a feed applies while it lists: there is nothing that it could harm.
"""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.choices import FeedAction, FeedRunStatus, JobKind, JobStage, JobStatus
from knowledge.connectors import (
    Connector,
    ConnectorFault,
    Found,
    calls_told,
    connector_of,
    settings_cleaned,
)
from knowledge.feed_gone import gone_archive, gone_note
from knowledge.feed_memory import FeedMemory, found_note
from knowledge.feed_outcomes import schedule
from knowledge.feed_secrets import feed_secret
from knowledge.job_news import emit_updated
from knowledge.job_sending import job_send
from knowledge.leases import Hold, JobPaused
from knowledge.models import Feed, FeedChange, FeedItem, FeedRun, IngestJob
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict, NotFound
from project.tracing import current_trace_id

TURN = 600.0  # seconds of listing before others have a turn
MOST_NODES = 10_000  # that the job of a run names
_LISTED, _APPLIED = 0.4, 0.95  # progress at the ends of those parts
_LEAST_EQUAL = 3  # items with the same new bytes that are no accident
_UNFINISHED = [JobStatus.QUEUED, JobStatus.PROCESSING]


def feed_work(hold: Hold, user: User) -> None:
    """Go on with the run of a job, with the rights of a user.

    Raises JobPaused to be called again, ConnectorFault and the errors of `project.http.errors`.
    """
    run = FeedRun.objects.select_related("feed__space").filter(job=hold.job).first()
    if run is None:
        raise NotFound(_("The feed is gone."))
    _revive(run)
    if not run.is_listed:
        with hold.stage(JobStage.EXTRACT, 0.0):
            _list(hold, run, user)
            _judge(run)
    if run.message and not run.is_confirmed:
        _suspect(hold, run)
        return
    with hold.stage(JobStage.STORE, _LISTED):
        _apply(hold, run, user)
    _wait(hold, run)
    _finish(hold, run, user)


def connector_made(feed: Feed) -> Connector:
    """Return the connector of a feed, ready to run. Raises ConnectorFault."""
    kind = connector_of(feed.connector)
    return kind(settings_cleaned(kind, feed.settings), secret=feed_secret(feed))


def change_apply(run: FeedRun, change_id: int, user: User) -> None:
    """Give an item its new content: the job that reads it is queued with that."""
    with transaction.atomic():
        rows = FeedChange.objects.select_for_update(of=("self",), no_key=True)
        change = rows.select_related("item", "source").filter(pk=change_id, applied_at=None).first()
        if change is None or change.source is None:
            return
        item = change.item
        job = IngestJob.objects.create(
            kind=JobKind.SOURCE,
            space=run.feed.space,
            source=change.source,
            created_by=user,
            trace_id=current_trace_id(),
            payload={"restores": True} if item.gone_at else {},
        )
        facts = change.facts
        item.source, item.sha256 = change.source, facts["sha256"]
        item.etag, item.memo, item.url = facts["etag"], facts["memo"], facts["url"]
        item.modified = parse_datetime(facts["modified"]) if facts["modified"] else None
        item.gone_at = None
        item.save()
        change.job, change.applied_at = job, timezone.now()
        change.save(update_fields=["job", "applied_at"])
        emit_updated(job)
        job_send(job)


def _revive(run: FeedRun) -> None:
    """Let the run of a job that is tried again go on."""
    if run.status == FeedRunStatus.RUNNING:
        return
    with transaction.atomic():
        feed = Feed.objects.select_for_update(no_key=True).get(pk=run.feed_id)
        if feed.runs.filter(status=FeedRunStatus.RUNNING).exists():
            raise Conflict(_("A later run of this feed is under way."), code="run_under_way")
        run.status, run.finished_at, run.message = FeedRunStatus.RUNNING, None, ""
        run.is_listed = False
        run.save()


def _list(hold: Hold, run: FeedRun, user: User) -> None:
    connector, memory = connector_made(run.feed), FeedMemory(run)
    ends, count = time.monotonic() + TURN, 0
    try:
        for found in _found(connector, memory):
            change = found_note(run, memory, type(connector), found, user)
            if change is not None and not run.known:
                change_apply(run, change.pk, user)
            count += 1
            hold.advance()
            expected = max(run.known, 1)
            hold.progress(_LISTED * (count / (count + 50) if not run.known
                                     else min(1.0, count / expected)))  # fmt: skip
            if time.monotonic() > ends:
                raise JobPaused(0.0)
    finally:
        memory.flush()
    run.cursor = memory.cursor


def _found(connector: Connector, memory: FeedMemory) -> Iterator[Found]:
    with calls_told():
        yield from connector.items(memory)


def _judge(run: FeedRun) -> None:
    """Count what was found, note what is missing, and say in `message` what is wrong with it."""
    with transaction.atomic():
        gone = gone_note(run)
        counts = {
            row["action"]: row["count"]
            for row in run.changes.order_by().values("action").annotate(count=Count("pk"))
        }
        seen = FeedItem.objects.filter(feed=run.feed_id, seen_run=run.pk).count()
        run.added = counts.get(FeedAction.ADDED, 0)
        run.changed = counts.get(FeedAction.CHANGED, 0)
        run.faults = counts.get(FeedAction.FAULT, 0)
        run.gone = gone
        run.unchanged = max(0, seen - run.added - run.changed - run.faults)
        run.message = _problem(run, gone)
        run.is_listed = True
        run.save()
    if not seen and not run.known:
        raise ConnectorFault(_("Nothing that can be read was found there."), is_lasting=True)


def _problem(run: FeedRun, gone: int) -> str:
    left = run.known - gone
    if run.known and left <= 0:
        return _("Nothing of what is known was found.")
    if left * 100 < run.feed.least_share * run.known:
        facts = {"left": left, "known": run.known}
        return _("Only %(left)s of %(known)s known items were found.") % facts
    alike = (
        run.changes.filter(action=FeedAction.CHANGED)
        .order_by()
        .values("facts__sha256")
        .annotate(count=Count("pk"))
        .order_by("-count")
        .first()
    )
    most = alike["count"] if alike else 0
    if most >= _LEAST_EQUAL and most * 100 > (100 - run.feed.least_share) * run.known:
        return _("%(count)s known items have the same new content.") % {"count": most}
    return ""


def _suspect(hold: Hold, run: FeedRun) -> None:
    """End the job, and leave the run to a person."""
    with hold.finishing():
        run.status, run.finished_at = FeedRunStatus.SUSPICIOUS, timezone.now()
        run.save()
        feed = Feed.objects.select_for_update(no_key=True).get(pk=run.feed_id)
        feed.last_synced_at, feed.last_error = run.finished_at, run.message
        schedule(feed)
        feed.save(update_fields=["last_synced_at", "last_error", "next_sync_at"])
        _announce(run, "suspicious")


def _apply(hold: Hold, run: FeedRun, user: User) -> None:
    waiting = run.changes.filter(applied_at=None).exclude(source=None).order_by("pk")
    for change_id in list(waiting.values_list("pk", flat=True)):
        hold.check()
        change_apply(run, change_id, user)
        hold.advance()


def _wait(hold: Hold, run: FeedRun) -> None:
    """Raise JobPaused while items are being read."""
    jobs = IngestJob.objects.filter(pk__in=run.changes.exclude(job=None).values("job"))
    total = jobs.count()
    left = jobs.filter(status__in=_UNFINISHED).count()
    hold.progress(_LISTED + (_APPLIED - _LISTED) * (1 - left / total if total else 1.0))
    if left:
        raise JobPaused(min(10.0, 0.5 + left / 4))


def _finish(hold: Hold, run: FeedRun, user: User) -> None:
    with hold.finishing() as row:
        archived = gone_archive(run, user)
        row.nodes = _nodes_of(run)
        run.status, run.finished_at = FeedRunStatus.COMPLETED, timezone.now()
        run.message = _ending(run, archived)
        run.save()
        feed = Feed.objects.select_for_update(no_key=True).get(pk=run.feed_id)
        feed.cursor = run.cursor or feed.cursor
        feed.last_synced_at, feed.last_error, feed.failures = run.finished_at, "", 0
        schedule(feed)
        feed.save()
        _announce(run, "synced")


def _nodes_of(run: FeedRun) -> list[uuid.UUID]:
    """Return the nodes that the run's items became, each once."""
    nodes: dict[uuid.UUID, None] = {}
    jobs = IngestJob.objects.filter(pk__in=run.changes.exclude(job=None).values("job"))
    for ids in jobs.order_by("created_at").values_list("nodes", flat=True):
        nodes |= dict.fromkeys(ids)
    return list(nodes)[:MOST_NODES]


def _ending(run: FeedRun, archived: int) -> str:
    """Return what a person should know of a run that completed."""
    jobs = run.changes.filter(job__status__in=[JobStatus.FAILED, JobStatus.CANCELLED])
    parts = []
    if failed := jobs.count():
        text = ngettext("%(count)s item could not be read.", "%(count)s items could not be read.",
                        failed)  # fmt: skip
        parts.append(text % {"count": failed})
    waiting = run.changes.filter(action=FeedAction.GONE, applied_at=None).count()
    if waiting:
        text = ngettext("%(count)s missing item is kept for now.",
                        "%(count)s missing items are kept for now.", waiting)  # fmt: skip
        parts.append(text % {"count": waiting})
    if archived:
        text = ngettext("%(count)s node was archived.", "%(count)s nodes were archived.", archived)
        parts.append(text % {"count": archived})
    return " ".join(parts)


def _announce(run: FeedRun, what: str) -> None:
    counts: dict[str, Any] = {
        name: getattr(run, name) for name in ("added", "changed", "unchanged", "gone", "faults")
    }
    emit(
        f"knowledge.feed.{what}",
        {"feed": str(run.feed_id), "run": str(run.pk), **counts},
        space_id=run.feed.space_id,
        subject_id=run.feed_id,
    )
