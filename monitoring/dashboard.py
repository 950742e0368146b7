"""What the admin's first page shows: a few indexed queries, each for those who may see its rows."""

import datetime
from collections.abc import Callable
from typing import Any

import structlog
from django.contrib import admin
from django.db.models import Aggregate, Count, F, FloatField, Max, Q, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from redis import RedisError

from chat.choices import TurnStatus
from chat.models import Turn
from knowledge.choices import JobStatus, NodeStatus
from knowledge.models import IngestJob, Node, NodeQuality, Space
from knowledge.quality import space_scores, tone_of_score
from monitoring.attention import attention_of, list_url, rows_of
from monitoring.cache_figures import cache_figures
from project import heartbeat
from project.inference.models import UsageRecord, purpose_words

DAYS = 14
MOST_JOBS = 6
STATUS_ORDER = (
    NodeStatus.PUBLISHED, NodeStatus.IN_REVIEW, NodeStatus.DRAFT, NodeStatus.ARCHIVED,
)  # fmt: skip
OUTCOMES = (TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.FAILED)
log = structlog.get_logger(__name__)


class Percentile(Aggregate):
    """The value that a share of the rows does not exceed, as Postgres computes it."""

    function = "percentile_cont"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: Any, share: float, **extra: Any) -> None:
        super().__init__(expression, share=float(share), **extra)


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the admin's first page."""
    parts: dict[str, Callable[[HttpRequest], Any]] = {
        "nodes": _nodes,
        "jobs": _jobs,
        "turns": _turns,
        "latency": _latency,
        "costs": _costs,
        "processes": _processes,
        "freshness": _freshness,
        "caches": _caches,
    }
    board = {name: part(request) for name, part in parts.items()}
    board["attention"] = attention_of(request, board["processes"])
    return context | {"board": board, "title": _("Dashboard")}


def _nodes(request: HttpRequest) -> dict[str, Any] | None:
    rows = rows_of(request, Node)
    if rows is None:
        return None
    counts = dict(rows.order_by().values_list("status").annotate(Count("pk")))
    total = sum(counts.values())
    return {
        "total": total,
        "url": list_url(Node),
        "parts": [
            {
                "label": status.label,
                "key": str(status),
                "count": counts.get(status, 0),
                "share": round(counts.get(status, 0) / total * 100, 2) if total else 0,
                "url": list_url(Node, f"?status__exact={status}"),
            }
            for status in STATUS_ORDER
        ],
    }


def _jobs(request: HttpRequest) -> dict[str, Any] | None:
    rows = rows_of(request, IngestJob)
    if rows is None:
        return None
    day = timezone.now() - datetime.timedelta(days=1)
    counts = rows.order_by().aggregate(
        running=Count("pk", filter=Q(status=JobStatus.PROCESSING)),
        queued=Count("pk", filter=Q(status=JobStatus.QUEUED)),
        failed=Count("pk", filter=Q(status=JobStatus.FAILED)),
        done=Count("pk", filter=Q(status=JobStatus.COMPLETED, created_at__gte=day)),
    )
    cell = admin.site._registry[IngestJob].progress_now  # type: ignore[attr-defined]
    light = rows.select_related("source").defer("payload", "checkpoint")
    active = light.filter(status__in=[JobStatus.PROCESSING, JobStatus.QUEUED])
    shown = list(active.order_by("created_at")[:MOST_JOBS])
    is_idle = not shown
    if is_idle:
        shown = list(light.order_by("-created_at")[:4])
    return {
        **counts,
        "is_idle": is_idle,
        "url": list_url(IngestJob),
        "failed_url": list_url(IngestJob, "?status__exact=failed"),
        "rows": [
            {
                "name": str(job.source) if job.source else job.get_kind_display(),
                "url": reverse("admin:knowledge_ingestjob_change", args=[job.pk]),
                "cell": cell(job),
            }
            for job in shown
        ],
    }


def _turns(request: HttpRequest) -> dict[str, Any] | None:
    if rows_of(request, Turn) is None:
        return None
    today = timezone.localdate()
    first = today - datetime.timedelta(days=DAYS - 1)
    since = timezone.make_aware(datetime.datetime.combine(first, datetime.time.min))
    rows = Turn.objects.filter(created_at__gte=since).order_by()
    found: dict[tuple[datetime.date, str], int] = {
        (day, status): count
        for day, status, count in rows.annotate(day=TruncDate("created_at"))
        .values_list("day", "status")
        .annotate(Count("pk"))
    }
    days = [first + datetime.timedelta(days=n) for n in range(DAYS)]
    columns = [
        {
            "day": day,
            "counts": [
                {"key": str(each), "label": each.label, "count": found.get((day, each), 0)}
                for each in OUTCOMES
            ],
        }
        for day in days
    ]
    return {
        "columns": _stacked(columns),
        "total": sum(found.values()),
        "today": sum(count for (day, _s), count in found.items() if day == today),
        "failed": sum(count for (_d, status), count in found.items() if status == "failed"),
        "url": list_url(Turn),
        "outcomes": [{"key": str(each), "label": each.label} for each in OUTCOMES],
    }


def _stacked(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each count its place in a picture that is 100 high."""
    highest = max((sum(c["count"] for c in col["counts"]) for col in columns), default=0) or 1
    for number, column in enumerate(columns):
        column["x"] = number
        column["total"] = sum(each["count"] for each in column["counts"])
        top = 100.0
        for each in column["counts"]:
            height = each["count"] / highest * 100
            top -= height
            each["y"], each["height"] = round(top, 2), round(height, 2)
    return columns


def _latency(request: HttpRequest) -> list[dict[str, Any]] | None:
    if rows_of(request, Turn) is None:
        return None
    now = timezone.now()
    tables = []
    for label, days in ((_("24 hours"), 1), (_("7 days"), 7)):
        rows = Turn.objects.filter(
            created_at__gte=now - datetime.timedelta(days=days), status=TurnStatus.COMPLETED
        ).order_by()
        sums: dict[str, Any] = {}
        for key in ("first_token", "total"):
            value = Cast(KeyTextTransform(key, "timings"), FloatField())
            sums[f"{key}_50"] = Percentile(value, 0.5)
            sums[f"{key}_95"] = Percentile(value, 0.95)
        tables.append({"label": label, **rows.aggregate(count=Count("pk"), **sums)})
    worst = max((row[k] or 0 for row in tables for k in row if k[-2:] in {"50", "95"}), default=0)
    return [{**row, "bars": _latency_bars(row, worst)} for row in tables]


def _latency_bars(row: dict[str, Any], worst: float) -> list[dict[str, Any]]:
    names = {"first_token": _("First token"), "total": _("Whole answer")}
    return [
        {
            "name": name,
            "p50": row[f"{key}_50"],
            "p95": row[f"{key}_95"],
            "p50_width": round((row[f"{key}_50"] or 0) / worst * 100, 1) if worst else 0,
            "p95_width": round((row[f"{key}_95"] or 0) / worst * 100, 1) if worst else 0,
        }
        for key, name in names.items()
    ]


def _costs(request: HttpRequest) -> dict[str, Any] | None:
    if rows_of(request, UsageRecord) is None:
        return None
    since = timezone.now() - datetime.timedelta(days=7)
    rows = UsageRecord.objects.since(since)
    by_purpose = (
        rows.order_by()
        .values("purpose")
        .annotate(calls=Count("pk"), cost=Sum("cost"), tokens=Sum("prompt_tokens"))
        .order_by("-cost", "-calls")[:5]
    )
    purposes = [{**row, "purpose": purpose_words(row["purpose"])} for row in by_purpose]
    return {**rows.totals(), "purposes": purposes, "url": list_url(UsageRecord)}


def _processes(request: HttpRequest) -> dict[str, Any] | None:
    if not request.user.is_superuser:
        return None
    try:
        living = [each.process for each in heartbeat.living()]
    except (RedisError, OSError) as error:
        log.warning("dashboard_without_redis", error=type(error).__name__)
        return {"is_away": True, "rows": []}
    rows = [{"name": name, "count": living.count(name)} for name in heartbeat.PROCESSES]
    return {"is_away": False, "rows": rows}


def _caches(request: HttpRequest) -> dict[str, Any] | None:
    return cache_figures() if request.user.is_superuser else None


def _freshness(request: HttpRequest) -> list[dict[str, Any]] | None:
    spaces = rows_of(request, Space)
    if spaces is None:
        return None
    published = Q(nodes__status=NodeStatus.PUBLISHED)
    behind = published & (
        Q(nodes__indexed_version=None) | ~Q(nodes__indexed_version=F("nodes__version"))
    )
    rows = spaces.order_by("name").annotate(
        published=Count("nodes", filter=published),
        behind=Count("nodes", filter=behind),
        last=Max("nodes__published_at"),
    )[:8]
    rows = list(rows)
    scores = space_scores([space.pk for space in rows])
    return [
        {
            "name": space.name,
            "score": scores.get(space.pk, {}).get("score"),
            "score_tone": tone_of_score(scores.get(space.pk, {}).get("score")),
            "score_url": list_url(NodeQuality, f"?space={space.pk}"),
            "published": space.published,
            "behind": space.behind,
            "last": space.last,
            "share": round((1 - space.behind / space.published) * 100) if space.published else 100,
            "url": list_url(Node, f"?space__id__exact={space.pk}&attention=behind"),
        }
        for space in rows
    ]
