"""Items of a feed that a run did not find: noted, kept for a while, and archived at last."""

import uuid

from django.db.models import F, Q
from django.utils import timezone

from knowledge.choices import FeedAction, NodeStatus, SourceKind
from knowledge.indexing import unindex_node
from knowledge.models import FeedChange, FeedItem, FeedRun, Node
from knowledge.writing import statuses_write
from project.accounts.models import User

BATCH = 500


def gone_note(run: FeedRun) -> int:
    """Write a change for every known item that the run did not see; return how many there are."""
    rows = (
        FeedItem.objects.filter(feed=run.feed_id, gone_at=None)
        .exclude(sha256="")
        .filter(Q(seen_run=None) | ~Q(seen_run=run.pk))
    )
    changes = [
        FeedChange(run=run, item_id=pk, action=FeedAction.GONE)
        for pk in rows.values_list("pk", flat=True)
    ]
    FeedChange.objects.bulk_create(changes, batch_size=BATCH, ignore_conflicts=True)
    return len(changes)


def gone_archive(run: FeedRun, user: User) -> int:
    """Count the run against what it missed, and archive what is due; return how many nodes went.

    Due is what a person confirmed, and what was missed by as many runs in a row as the feed says.
    In the caller's transaction.
    """
    missed = run.changes.filter(action=FeedAction.GONE, applied_at=None)
    items = FeedItem.objects.filter(pk__in=missed.values("item"), gone_at=None)
    if not run.is_confirmed:
        items.update(missing_runs=F("missing_runs") + 1)
        limit = run.feed.gone_after
        if limit is None:
            return 0
        items = items.filter(missing_runs__gte=limit)
    due = list(items.select_for_update(no_key=True).order_by("pk"))
    archived = 0
    for at in range(0, len(due), BATCH):
        archived += _archive(due[at : at + BATCH], user)
    now = timezone.now()
    ids = [item.pk for item in due]
    FeedItem.objects.filter(pk__in=ids).update(gone_at=now)
    missed.filter(item__in=ids).update(applied_at=now)
    return archived


def _archive(items: list[FeedItem], user: User) -> int:
    """Archive the nodes that stand on these items alone; hand the others over."""
    ids = {pk for item in items for pk in item.nodes}
    kept: set[uuid.UUID] = set()
    others = FeedItem.objects.filter(nodes__overlap=list(ids), gone_at=None)
    for other in others.exclude(pk__in=[item.pk for item in items]).exclude(source=None):
        shared = ids & set(other.nodes) - kept
        Node.objects.filter(pk__in=shared).update(source=other.source)
        kept |= shared
    rows = (
        Node.objects.filter(pk__in=ids - kept)
        .exclude(status=NodeStatus.ARCHIVED)
        .exclude(source__kind=SourceKind.UPLOAD)  # somebody gave the same bytes by hand
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
    nodes = list(rows)
    if nodes:
        statuses_write(nodes, NodeStatus.ARCHIVED, author=user)
        for node in nodes:
            unindex_node(node)
    return len(nodes)
