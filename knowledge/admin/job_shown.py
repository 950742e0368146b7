"""How a job is shown: as a line in lists, and on its own page, which follows it as it happens."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.admin.access import has_role
from knowledge.choices import JobKind, JobStage, JobStatus, LogLevel
from knowledge.job_log import sentence
from knowledge.job_places import Place, place_of
from knowledge.models import FeedRun, IngestJob, Node, Source
from knowledge.representation import duplicate_of
from project.accounts.choices import Role
from project.http.admin_base import tone_of

STATUS_TONES = {
    JobStatus.QUEUED: "default",
    JobStatus.PROCESSING: "info",
    JobStatus.COMPLETED: "success",
    JobStatus.FAILED: "danger",
    JobStatus.CANCELLED: "muted",
}
LEVEL_TONES = {LogLevel.INFO: "default", LogLevel.WARNING: "warning", LogLevel.ERROR: "danger"}
MOST_NODES = 100
_STAGES = (JobStage.EXTRACT, JobStage.STORE, JobStage.EMBED, JobStage.SWAP)


def duration_words(seconds: float | None) -> str:
    """Return a length of time as people say it; "" for none."""
    if seconds is None:
        return ""
    if seconds < 90:
        whole = max(1, round(seconds))
        return ngettext("%(n)s second", "%(n)s seconds", whole) % {"n": whole}
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
    hours = round(minutes / 60)
    return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}


def progress_cell(job: IngestJob) -> SafeString:
    """Return the status, stage and progress of a job, as every list shows it."""
    place: Place = getattr(job, "place", None) or place_of(job)
    context = {
        "job": job,
        "percent": round(job.progress * 100),
        "tone": tone_of(STATUS_TONES, job.status),
        "position": place.position,
        "eta": duration_words(place.eta_seconds),
    }
    return mark_safe(render_to_string("admin/knowledge/ingestjob/progress.html", context))  # noqa: S308 - the template escapes


def progress_text(job: IngestJob) -> str:
    """Return the same in words alone."""
    if job.status == JobStatus.FAILED:
        return job.failure
    if job.status == JobStatus.COMPLETED:
        return ngettext("%(n)s node", "%(n)s nodes", len(job.nodes)) % {"n": len(job.nodes)}
    if job.status == JobStatus.PROCESSING:
        return f"{job.progress:.0%} · {job.get_stage_display()}"
    return str(job.get_status_display())


def about(job: IngestJob) -> str:
    """Return what a job is about."""
    if job.source is not None:
        return str(job.source)
    run = _feed_run(job)
    return str(run.feed) if run is not None else job.get_kind_display()


def _feed_run(job: IngestJob) -> FeedRun | None:
    if job.kind != JobKind.FEED:
        return None
    return job.feed_runs.select_related("feed").first()


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a job on its page: `state` is done, now, failed or next."""

    name: str
    state: str
    seconds: str


def steps_of(job: IngestJob) -> list[Step]:
    """Return the stages that a job goes through, with how long each took."""
    order = JobStage.values
    at = order.index(job.stage)
    steps = []
    for stage in _STAGES:
        seconds = job.timings.get(stage)
        known = isinstance(seconds, (int, float))
        if job.status == JobStatus.COMPLETED:
            state = "done"
        elif stage == job.stage and job.status == JobStatus.PROCESSING:
            state = "now"
        elif stage == job.stage and job.status == JobStatus.FAILED:
            state = "failed"
        else:
            state = "done" if order.index(stage) < at else "next"
        shown = f"{number_format(float(seconds), 1)} s" if known else ""
        steps.append(Step(str(stage.label), state, shown))
    return steps


def counts_of(job: IngestJob, place: Place) -> list[tuple[str, str, str]]:
    """Return the figures of a job: name, value and what stands below it."""
    figures: list[tuple[str, str, str]] = []
    if place.position is not None:
        figures.append((_("Place in the queue"), number_format(place.position), ""))
    if not job.has_ended:
        figures.append((_("About left"), duration_words(place.eta_seconds) or "–", ""))
    figures.append(_count(_("Pages"), job.pages_done, job.pages_total, job.pages_rate))
    figures.append(_count(_("Passages"), job.passages_done, job.passages_total, job.passages_rate))
    figures.append((_("Tries"), number_format(job.attempts), ""))
    if job.started_at is not None:
        ends = job.finished_at or timezone.now()
        figures.append((_("Since its start"), duration_words(_seconds(job.started_at, ends)), ""))
    return figures


def _seconds(start: datetime.datetime, end: datetime.datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def _count(
    name: str, done: int | None, total: int | None, rate: float | None
) -> tuple[str, str, str]:
    if done is None:
        return name, "–", ""
    value = number_format(done)
    if total is not None:
        value = _("%(done)s of %(all)s") % {"done": value, "all": number_format(total)}
    speed = _("%(rate)s a second") % {"rate": number_format(rate, 1)} if rate else ""
    return name, value, speed


def live_context(job: IngestJob, request: HttpRequest) -> dict[str, Any]:
    """Return what the page of a job shows and keeps up to date."""
    place = place_of(job)
    may_curate = has_role(request, Role.CURATOR, job.space_id)
    may_act = may_curate or job.created_by_id == request.user.pk
    lines = [
        {"line": line, "tone": tone_of(LEVEL_TONES, line.level), "text": sentence(line)}
        for line in job.log.order_by("-id")
    ]
    return {
        "job": job,
        "tone": tone_of(STATUS_TONES, job.status),
        "percent": round(job.progress * 100),
        "steps": steps_of(job),
        "figures": counts_of(job, place),
        "lines": lines,
        "nodes": _nodes(job),
        "more_nodes": max(0, len(job.nodes) - MOST_NODES),
        "may_cancel": may_act and not job.has_ended and not job.cancel_requested,
        "may_retry": may_act and job.status in {JobStatus.FAILED, JobStatus.CANCELLED},
        "may_dismiss": may_act and job.is_dead,
        "may_restore": may_act and job.status == JobStatus.FAILED and not job.is_dead,
        "may_take_out": bool(job.nodes) and may_curate and job.kind != JobKind.RELEASE,
    }


def facts_context(job: IngestJob) -> dict[str, Any]:
    """Return what the page of a job says of where it comes from, which never changes."""
    earlier = duplicate_of(job)
    run = _feed_run(job)
    return {
        "about": about(job),
        "duplicate": Source.objects.filter(pk=earlier).first() if earlier else None,
        "run": run,
    }


def _nodes(job: IngestJob) -> list[tuple[str, Node]]:
    found = Node.objects.filter(pk__in=job.nodes[:MOST_NODES]).only("pk", "title", "status")
    return [
        (reverse("admin:knowledge_node_change", args=[node.pk]), node)
        for node in found.order_by("title")
    ]
