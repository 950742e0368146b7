"""Ingest jobs, with their progress as it happens."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff, uuid_or_none
from knowledge.choices import JobKind, JobStage, JobStatus
from knowledge.job_places import place_of
from knowledge.models import IngestJob, Node
from project.accounts.choices import Role
from project.http.admin_base import (
    display,
    each_done,
    posted_only,
    refusals_as_messages,
    tone_of,
)

STATUS_TONES = {
    JobStatus.QUEUED: "default",
    JobStatus.PROCESSING: "info",
    JobStatus.COMPLETED: "success",
    JobStatus.FAILED: "danger",
    JobStatus.CANCELLED: "muted",
}
MOST_WATCHED = 60


def progress_cell(job: IngestJob) -> SafeString:
    """Return the status, stage and progress of a job, as its page and every list show it."""
    place = place_of(job)
    context = {
        "job": job,
        "percent": round(job.progress * 100),
        "tone": tone_of(STATUS_TONES, job.status),
        "position": place.position,
        "eta": place.eta_seconds,
    }
    return mark_safe(render_to_string("admin/knowledge/ingestjob/progress.html", context))  # noqa: S308 - the template escapes


@admin.register(IngestJob)
class IngestJobAdmin(SpaceScopedAdmin):
    """Jobs are made by uploads and bulk calls: here they are watched, tried again and cancelled."""

    list_display = ("summary", "progress_now", "space", "attempts", "created_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("space", "source", "created_by")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("space", RelatedDropdownFilter),
    )
    search_fields = ("source__title", "source__filename", "trace_id")
    ordering = ("-created_at", "id")
    actions = ("jobs_retry", "jobs_cancel")
    fields = (
        "progress_now", "space", "kind", "source_link", "node_links", "timing_bars", "attempts",
        "error_code", "error_message", "trace_id", "created_by", "created_at", "started_at",
        "finished_at",
    )  # fmt: skip
    change_form_outer_before_template = "admin/knowledge/ingestjob/buttons.html"

    class Media:
        js = [Script("acervo/admin/jobs.js", type="module")]

    @display(description=gettext_lazy("job"), ordering="created_at")
    def summary(self, job: IngestJob) -> SafeString:
        """Show what is read, and of which kind the job is."""
        run = job.feed_runs.select_related("feed").first() if job.kind == JobKind.FEED else None
        about = job.source or (run.feed if run is not None else None)
        name = str(about) if about else str(job.pk)[:8]
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', name, job.get_kind_display()
        )

    @display(description=gettext_lazy("progress"), ordering="status")
    def progress_now(self, job: IngestJob) -> SafeString:
        """Show how far it is; a script keeps it up to date."""
        return progress_cell(job)

    @display(description=gettext_lazy("source"))
    def source_link(self, job: IngestJob) -> str | SafeString:
        """Link to the source."""
        if job.source is None:
            return "–"
        link = reverse("admin:knowledge_source_change", args=[job.source.pk])
        return format_html('<a class="ac-link" href="{}">{}</a>', link, job.source)

    @display(description=gettext_lazy("nodes"))
    def node_links(self, job: IngestJob) -> str | SafeString:
        """Link to the nodes that it made."""
        nodes = Node.objects.filter(pk__in=job.nodes[:100]).only("pk", "title").order_by("title")
        rows = [(reverse("admin:knowledge_node_change", args=[each.pk]), each) for each in nodes]
        line = '<li><a class="ac-link" href="{}">{}</a></li>'
        if not rows:
            return "–"
        return format_html('<ul class="ac-plain">{}</ul>', format_html_join("", line, rows))

    @display(description=gettext_lazy("time a stage"))
    def timing_bars(self, job: IngestJob) -> str | SafeString:
        """Show how long each stage took, as bars."""
        steps = [
            (stage.label, float(job.timings[stage]))
            for stage in JobStage
            if isinstance(job.timings.get(stage), (int, float))
        ]
        longest = max((seconds for _name, seconds in steps), default=0.0)
        if not longest:
            return "–"
        rows = [
            (name, round(seconds / longest * 100), f"{number_format(seconds, 2)} s")
            for name, seconds in steps
        ]
        line = (
            '<div class="ac-bar"><span>{}</span><i><b style="width:{}%"></b></i><em>{}</em></div>'
        )
        return format_html('<div class="ac-bars">{}</div>', format_html_join("", line, rows))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: an upload makes a job."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a job is written by its worker."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: it says how its nodes came to be."""
        return False

    @admin.action(description=gettext_lazy("Try again"), permissions=["view"])
    def jobs_retry(self, request: HttpRequest, rows: Any) -> None:
        """Queue the chosen jobs again."""
        user = staff(request)
        each_done(request, rows, lambda job: services.job_retry(acting_user=user, job=job))

    @admin.action(description=gettext_lazy("Cancel"), permissions=["view"])
    def jobs_cancel(self, request: HttpRequest, rows: Any) -> None:
        """Cancel the chosen jobs."""
        user = staff(request)
        each_done(request, rows, lambda job: services.job_cancel(acting_user=user, job=job))

    def get_urls(self) -> list[URLPattern]:
        """Add the progress of many jobs, and the buttons of one."""
        wrap = self.admin_site.admin_view
        return [
            path("progress/", wrap(self.progress_view), name="knowledge_ingestjob_progress"),
            path(
                "<path:object_id>/retry/", wrap(self.retry_view), name="knowledge_ingestjob_retry"
            ),
            path(
                "<path:object_id>/cancel/",
                wrap(self.cancel_view),
                name="knowledge_ingestjob_cancel",
            ),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Offer the way back to those who may take it."""
        extra = {"may_take_out": has_role(request, Role.CURATOR), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, extra)

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """Return `{"jobs": {id: {html, ended}}}` for `?id=…&id=…`, as far as they may be seen."""
        ids = [each for each in map(uuid_or_none, request.GET.getlist("id")[:MOST_WATCHED]) if each]
        jobs = self.get_queryset(request).filter(pk__in=ids).defer("payload", "checkpoint")
        found = {str(job.pk): {"html": progress_cell(job), "ended": job.has_ended} for job in jobs}
        return JsonResponse({"jobs": found})

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Queue a job again."""
        return self._do(request, object_id, services.job_retry, _("The job is queued again."))

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Cancel a job."""
        text = _("The job is cancelled, or will be at its next step.")
        return self._do(request, object_id, services.job_cancel, text)

    def _do(self, request: HttpRequest, object_id: str, service: Any, text: str) -> HttpResponse:
        refused = posted_only(request)
        if refused is not None:
            return refused
        job = self.get_object(request, unquote(object_id))
        if job is None or not self.has_view_permission(request, job):
            raise Http404(_("There is no such job, or it is not yours to see."))
        with refusals_as_messages(request):
            service(acting_user=staff(request), job=job)
            messages.success(request, text)
        return self.redirect_to(job.pk)
