"""Keeping what the checks found in step with nodes, their neighbours and the calendar.

An event marks rows as stale; `refresh` checks stale rows, oldest first, and after them those that
were checked longest ago, for a bounded time. It may run twice, or be killed at any point: a row is
stale until its findings are stored.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Collection, Iterable
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from knowledge import metrics
from knowledge.choices import NodeStatus, RelationStatus
from knowledge.models import Node, NodeQuality, Relation
from knowledge.quality.catalogue import CATALOGUE, rank_of
from knowledge.quality.checks import CARE, INDEX_PATIENCE, care_findings, checks_of
from knowledge.quality.duplicates import Print
from knowledge.quality.scoring import score_of, weight_of
from knowledge.quality.types import Finding, NodeState
from project.locks import transaction_lock

log = structlog.get_logger(__name__)

SECONDS = 30.0
"""Of work in one refresh; it is asked for every minute."""
OLDEST = datetime.timedelta(hours=24)
BATCH = 50
MARKED = 2000  # new rows of one refresh
BUSY = "knowledge.quality_refresh"
MARKING = "knowledge.quality_marks"
"""Whoever marks several rows holds this lock: in any order of their own they would deadlock."""

BEHIND = Q(node__status=NodeStatus.PUBLISHED) & (
    Q(node__indexed_version=None) | ~Q(node__indexed_version=F("node__version"))
)


def node_mark(node_id: uuid.UUID) -> None:
    """Say that a node, and those that its change concerns, are to be checked again.

    Those are the ones that link to it and the ones whose findings name it. Must run in a
    transaction. A node that is gone or archived loses its row.
    """
    transaction_lock(MARKING)
    node = Node.objects.filter(pk=node_id).only("pk", "space", "status", "title", "external_id")
    row = node.first()
    concerned = set(
        NodeQuality.objects.filter(mentions__contains=[node_id]).values_list("node", flat=True)
    )
    ends = Relation.objects.filter(Q(target=node_id) | Q(source=node_id))
    for pair in ends.values_list("source", "target"):
        concerned.update(each for each in pair if each is not None)
    if row is not None:
        names = [name.lower() for name in (row.title, row.external_id) if name]
        waiting = Node.objects.filter(space=row.space_id, wiki_links__overlap=names)
        concerned |= set(waiting.values_list("pk", flat=True))
    _mark(concerned - {node_id})
    if row is None or row.status == NodeStatus.ARCHIVED:
        NodeQuality.objects.filter(node=node_id).update(
            findings=[], codes=[], mentions=[], text_hash="", bands=[], score=None, stale_at=None
        )
        return
    NodeQuality.objects.bulk_create(
        [NodeQuality(node_id=row.pk, space_id=row.space_id, stale_at=timezone.now())],
        update_conflicts=True,
        unique_fields=["node"],
        update_fields=["stale_at"],
    )


def _mark(nodes: Collection[uuid.UUID]) -> None:
    NodeQuality.objects.filter(node__in=nodes).update(stale_at=Now())


def refresh(*, seconds: float = SECONDS) -> int:
    """Check what is due, for about so many seconds at most; return how many nodes were checked.

    One process at a time, to spare the machine: where another is at it, this returns 0.
    """
    ends = time.monotonic() + seconds
    # No lock of the database: its connection goes back to the pool while a model works.
    if not cache.add(BUSY, 1, timeout=int(seconds) + 60):
        return 0
    checked: set[uuid.UUID] = set()
    try:
        rows_make()
        calendar_mark()
        while time.monotonic() < ends and (batch := _due(checked)):
            for node_id in batch:
                checked.add(node_id)
                node_check(node_id)
                if time.monotonic() >= ends:
                    break
    finally:
        cache.delete(BUSY)
    return len(checked)


@transaction.atomic
def rows_make() -> int:
    """Give nodes a row that have none, such as those from before there were rows."""
    transaction_lock(MARKING)
    missing = Node.objects.filter(quality=None).exclude(status=NodeStatus.ARCHIVED)
    pairs = missing.order_by("pk").values_list("pk", "space")[:MARKED]
    now = timezone.now()
    made = NodeQuality.objects.bulk_create(
        [NodeQuality(node_id=node, space_id=space, stale_at=now) for node, space in pairs],
        ignore_conflicts=True,
    )
    return len(made)


def calendar_mark() -> None:
    """Mark what became due by time alone: reviews, ends of validity, and a late index."""
    now, today = timezone.now(), timezone.localdate()
    soon = datetime.timedelta(days=settings.ACERVO_REVIEW_NOTICE_DAYS)
    is_late = BEHIND & Q(node__updated_at__lt=now - INDEX_PATIENCE)
    changed = (
        (Q(node__review_due__lte=today), "review_overdue"),
        (Q(node__review_due__lte=today + soon, node__review_due__gt=today), "review_soon"),
        (Q(node__valid_until__lte=now), "expired"),
        (Q(node__valid_until__lte=now + soon, node__valid_until__gt=now), "expires_soon"),
        (is_late, "not_indexed"),
    )
    rows = NodeQuality.objects.filter(stale_at=None).exclude(node__status=NodeStatus.ARCHIVED)
    for condition, code in changed:
        due = rows.filter(condition).exclude(codes__contains=[code])
        with transaction.atomic():
            transaction_lock(MARKING)
            _mark(set(due.values_list("node", flat=True)[:MARKED]))


def _due(checked: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Return what to check next. A text on its way into the index is checked when it is there."""
    rows = NodeQuality.objects.exclude(node__in=checked).exclude(node__status=NodeStatus.ARCHIVED)
    rows = rows.exclude(BEHIND, node__updated_at__gt=timezone.now() - INDEX_PATIENCE)
    stale = list(rows.stale().order_by("stale_at").values_list("node", flat=True)[:BATCH])
    if stale:
        return stale
    old = rows.filter(checked_at__lt=timezone.now() - OLDEST).order_by("checked_at")
    return list(old.values_list("node", flat=True)[:BATCH])


def node_check(node_id: uuid.UUID) -> NodeQuality | None:
    """Check a stored node and keep what was found; None for one that is gone or archived.

    A change meanwhile leaves the row stale. Texts that turned out to be named are checked next.
    """
    began = timezone.now()
    started = time.perf_counter()
    node = Node.objects.select_related("owner").filter(pk=node_id).first()
    if node is None or node.status == NodeStatus.ARCHIVED:
        NodeQuality.objects.filter(node=node_id).update(stale_at=None)
        return None
    findings = checks_of(NodeState.of(node))
    row = row_store(node, findings, began=began)
    metrics.quality_seconds.observe(time.perf_counter() - started)
    return row


def care_check(node_id: uuid.UUID) -> None:
    """Bring what was found of owner, review, validity and index up to date, at once and cheaply.

    What was found of the text stays as it is; a node that was never checked waits for the refresh.
    """
    with transaction.atomic():
        transaction_lock(MARKING)
        row = NodeQuality.objects.exclude(score=None).filter(node=node_id).first()
        node = Node.objects.select_related("owner").filter(pk=node_id).first()
        if row is None or node is None:
            return
        kept = [each for each in row.findings if each["code"] in CATALOGUE.keys() - CARE]
        kept += [each.stored() for each in care_findings(NodeState.of(node))]
        row.findings = sorted(kept, key=lambda each: rank_of(each["code"]))
        row.codes = sorted({each["code"] for each in kept})
        row.score = score_of(each["code"] for each in kept)
        row.save(update_fields=["findings", "codes", "score"])


def row_store(node: Node, findings: list[Finding], *, began: datetime.datetime) -> NodeQuality:
    """Keep what was found of the stored state of a node by checks that began at a moment."""
    print_ = Print.of(node.content)
    mentioned = _mentioned(findings)
    links_in = Relation.objects.filter(target=node, status=RelationStatus.CONFIRMED).count()
    values: dict[str, Any] = {
        "space_id": node.space_id,
        "version": node.version,
        "score": score_of(each.code for each in findings),
        "weight": weight_of(links_in),
        "findings": [each.stored() for each in findings],
        "codes": sorted({each.code for each in findings}),
        "mentions": sorted(mentioned),
        "text_hash": print_.hash,
        "bands": list(print_.bands),
        "checked_at": began,
    }
    with transaction.atomic():
        transaction_lock(MARKING)
        row, _made = NodeQuality.objects.update_or_create(node_id=node.pk, defaults=values)
        NodeQuality.objects.filter(pk=node.pk, stale_at__lte=began).update(stale_at=None)
        blind = NodeQuality.objects.filter(node__in=mentioned, checked_at__lt=began, stale_at=None)
        _mark(set(blind.exclude(mentions__contains=[node.pk]).values_list("node", flat=True)))
    return row


def _mentioned(findings: Iterable[Finding]) -> set[uuid.UUID]:
    """Return the nodes that are part of the problem, not only the target of a link."""
    pairs = ("duplicate", "near_duplicate", "contradiction")
    named = (each.details.get("node") for each in findings if each.code in pairs)
    return {uuid.UUID(node) for node in named if node}
