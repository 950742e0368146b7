"""The list of jobs: its filters, and what stands above it."""

import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from knowledge.admin.job_shown import duration_words
from knowledge.choices import JobStatus
from knowledge.database_time import database_now
from knowledge.job_places import places_of
from knowledge.job_queue import queue_state
from project.http.api import id_of
from project.http.errors import NotFound

DISMISSED = "acervo_jobs_dismissed"
"""Where a session keeps the jobs that were dismissed last, to be restored with one button."""
MOST_UNDONE = 500
_HOUR = datetime.timedelta(hours=1)


class AgeFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """When a job was made."""

    title = gettext_lazy("age")
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the ages."""
        return [
            ("hour", _("In the last hour")),
            ("day", _("In the last 24 hours")),
            ("week", _("In the last 7 days")),
            ("older", _("Older than 7 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the jobs of that age."""
        now = database_now()
        match self.value():
            case "hour":
                return queryset.filter(created_at__gte=now - _HOUR)
            case "day":
                return queryset.filter(created_at__gte=now - 24 * _HOUR)
            case "week":
                return queryset.filter(created_at__gte=now - 168 * _HOUR)
            case "older":
                return queryset.filter(created_at__lt=now - 168 * _HOUR)
        return queryset


class DeadFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """Failures for good: those that wait for somebody, and those that were seen to."""

    title = gettext_lazy("dead letters")
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return both kinds."""
        return [("open", _("Waiting for somebody")), ("dismissed", _("Dismissed"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the failures of that kind."""
        match self.value():
            case "open":
                return queryset.dead()
            case "dismissed":
                return queryset.filter(status=JobStatus.FAILED).exclude(dismissed_at=None)
        return queryset


def placed(base: type[Any]) -> type[Any]:
    """Return the change list `base` that asks once where all the jobs of a page stand."""

    class JobChangeList(base):  # type: ignore[misc]  # the theme has no types
        """Jobs with their places."""

        result_list: Any

        def get_results(self, request: HttpRequest) -> None:
            """Fetch the page, and the places of its jobs."""
            super().get_results(request)
            rows: list[Any] = list(self.result_list)
            places = places_of(rows)
            for job in rows:
                job.place = places[job.pk]
            self.result_list = rows

    return JobChangeList


def list_context(request: HttpRequest, jobs: Any) -> dict[str, Any]:
    """Return the overview of the queue, the chips, and what can be undone."""
    state = queue_state(jobs)
    oldest = duration_words(state.oldest_waiting_seconds)
    figures = [
        (_("Waiting"), state.waiting, _("oldest: %(age)s") % {"age": oldest} if oldest else ""),
        (_("Running"), state.running, ""),
        (_("Pausing"), state.pausing, _("for a next try, or for others") if state.pausing else ""),
        (_("Completed in the last hour"), state.completed_last_hour, ""),
        (_("Failed in the last hour"), state.failed_last_hour, ""),
        (_("Pages in the last hour"), state.pages_last_hour, ""),
        (_("Passages in the last hour"), state.passages_last_hour, ""),
    ]
    base = reverse("admin:knowledge_ingestjob_changelist")
    chosen = (request.GET.get("status__exact"), request.GET.get("dead"))
    chips = [
        (base, _("All"), None, chosen == (None, None)),
        (f"{base}?status__exact=queued", _("Waiting"), None, chosen[0] == "queued"),
        (f"{base}?status__exact=processing", _("Running"), None, chosen[0] == "processing"),
        (f"{base}?dead=open", _("Dead letters"), state.dead, chosen[1] == "open"),
        (f"{base}?dead=dismissed", _("Dismissed"), None, chosen[1] == "dismissed"),
    ]
    return {
        "queue_figures": [(name, number_format(value), below) for name, value, below in figures],
        "job_chips": chips,
        "shows_dead": chosen[1] == "open",
        "dismissed": request.session.get(DISMISSED, []),
    }


def dismissed_keep(request: HttpRequest, ids: list[str]) -> None:
    """Remember what was dismissed just now."""
    request.session[DISMISSED] = ids[:MOST_UNDONE]


def dismissed_take(request: HttpRequest) -> list[Any]:
    """Return what was dismissed last, once."""
    found = []
    for each in request.session.pop(DISMISSED, []):
        try:
            found.append(id_of(each))
        except NotFound:
            continue
    return found
