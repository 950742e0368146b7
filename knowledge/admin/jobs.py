"""Ingest jobs, with their progress as it happens."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, staff
from knowledge.admin.job_lists import (
    AgeFilter,
    DeadFilter,
    dismissed_keep,
    dismissed_take,
    list_context,
    placed,
)
from knowledge.admin.job_shown import (
    STATUS_TONES,
    about,
    facts_context,
    live_context,
    progress_cell,
    progress_text,
)
from knowledge.models import IngestJob
from project.http.admin_base import display, each_done, posted_only, refusals_as_messages
from project.http.errors import ApiError
from project.http.ids import uuid_or_none

__all__ = ["STATUS_TONES", "IngestJobAdmin", "progress_cell"]
MOST_WATCHED = 100
_LIVE = "admin/knowledge/ingestjob/live.html"


@admin.register(IngestJob)
class IngestJobAdmin(SpaceScopedAdmin):
    """Jobs are made by uploads and bulk calls: here they are watched, tried again and cancelled."""

    empty_words = gettext_lazy(
        "Uploads, feeds and indexes are worked on by jobs: add a source, and its job shows up here."
    )
    list_display = ("summary", "progress_now", "space", "attempts", "created_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("space", "source", "created_by")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("space", RelatedDropdownFilter),
        AgeFilter,
        DeadFilter,
    )
    search_fields = ("source__title", "source__filename", "trace_id", "id__exact")
    search_help_text = gettext_lazy("Title or file name, trace id, or id of a job")
    ordering = ("-created_at", "id")
    actions = ("jobs_retry", "jobs_cancel", "jobs_dismiss", "jobs_restore")
    list_before_template = "admin/knowledge/ingestjob/list_bar.html"
    change_form_template = "admin/knowledge/ingestjob/job.html"

    class Media:
        js = [Script("acervo/admin/jobs.js", type="module")]
        css = {"all": ["acervo/admin/jobs.css"]}

    @display(description=gettext_lazy("job"), ordering="created_at")
    def summary(self, job: IngestJob) -> SafeString:
        """Show what is read, and of which kind the job is."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>',
            about(job),
            job.get_kind_display(),
        )

    @display(description=gettext_lazy("progress"), ordering="status")
    def progress_now(self, job: IngestJob) -> SafeString:
        """Show how far it is; a script keeps it up to date."""
        return progress_cell(job)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        """Ask for the places of a page's jobs at once."""
        return placed(super().get_changelist(request, **kwargs))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the jobs of the person's spaces; their payloads can be large."""
        return super().get_queryset(request).defer("payload", "checkpoint")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the state of the queue above the list."""
        above = list_context(request, self.get_queryset(request))
        return super().changelist_view(request, {**above, **(extra_context or {})})

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

    @admin.action(description=gettext_lazy("Dismiss failures"), permissions=["view"])
    def jobs_dismiss(self, request: HttpRequest, rows: Any) -> None:
        """Take the chosen failures off the list of dead letters; one button brings them back."""
        user, done = staff(request), []

        def dismiss(job: IngestJob) -> None:
            services.job_dismiss(acting_user=user, job=job)
            done.append(str(job.pk))

        each_done(request, rows, dismiss, quiet=True)
        dismissed_keep(request, done)

    @admin.action(description=gettext_lazy("Put failures back"), permissions=["view"])
    def jobs_restore(self, request: HttpRequest, rows: Any) -> None:
        """Put the chosen failures back on the list of dead letters."""
        user = staff(request)
        each_done(request, rows, lambda job: services.job_restore(acting_user=user, job=job))

    def get_urls(self) -> list[URLPattern]:
        """Add the progress of many jobs, what a page follows, and the buttons of one."""
        wrap, name = self.admin_site.admin_view, "knowledge_ingestjob"
        views: dict[str, Callable[..., HttpResponse]] = {
            "live": self.live_view,
            "retry": self.retry_view,
            "cancel": self.cancel_view,
            "dismiss": self.dismiss_view,
            "restore": self.restore_view,
        }
        return [
            path("progress/", wrap(self.progress_view), name=f"{name}_progress"),
            path("undo/", wrap(self.undo_view), name=f"{name}_undo"),
            *(
                path(f"<path:object_id>/{word}/", wrap(view), name=f"{name}_{word}")
                for word, view in views.items()
            ),
            *super().get_urls(),
        ]

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show the job, with its log, as it is now."""
        if obj is None:
            return {}
        facts = facts_context(obj)
        return {
            **live_context(obj, request),
            **facts,
            "title": _("Job: %(about)s") % {"about": facts["about"]},
            "subtitle": str(obj.space),
        }

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """Return `{"jobs": {id: {html, ended, …}}}` for `?id=…`, of those that may be seen."""
        ids = [each for each in map(uuid_or_none, request.GET.getlist("id")[:MOST_WATCHED]) if each]
        jobs = self.get_queryset(request).filter(pk__in=ids)
        found = {
            str(job.pk): {
                "html": progress_cell(job),
                "text": progress_text(job),
                "ended": job.has_ended,
                "status": job.status,
                "progress": job.progress,
            }
            for job in jobs
        }
        return JsonResponse({"jobs": found})

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return `{html, ended, said}`: what the page of a job shows now."""
        job = self._job(request, object_id)
        html = render_to_string(_LIVE, live_context(job, request), request=request)
        said = f"{job.get_status_display()}, {job.get_stage_display()}, {job.progress:.0%}"
        return JsonResponse({"html": html, "ended": job.has_ended, "said": said})

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Queue a job again."""
        return self._do(request, object_id, services.job_retry, _("The job is queued again."))

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Cancel a job."""
        text = _("The job is cancelled, or will be at its next step.")
        return self._do(request, object_id, services.job_cancel, text)

    def dismiss_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a failure off the list of dead letters."""
        text = _("Dismissed: it is no longer among the dead letters.")
        return self._do(request, object_id, services.job_dismiss, text)

    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put a failure back on the list of dead letters."""
        text = _("It is among the dead letters again.")
        return self._do(request, object_id, services.job_restore, text)

    def undo_view(self, request: HttpRequest) -> HttpResponse:
        """Put back what was dismissed last."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        user = staff(request)
        rows = self.get_queryset(request).filter(pk__in=dismissed_take(request))
        count = each_done(
            request, rows, lambda job: services.job_restore(acting_user=user, job=job), quiet=True
        )
        text = ngettext("%(n)s failure is back.", "%(n)s failures are back.", count)
        messages.success(request, text % {"n": count})
        return HttpResponseRedirect(f"{self.address('changelist')}?dead=open")

    def _job(self, request: HttpRequest, object_id: str) -> IngestJob:
        job: IngestJob | None = self.get_object(request, unquote(object_id))
        if job is None or not self.has_view_permission(request, job):
            raise Http404(_("There is no such job, or it is not yours to see."))
        return job

    def _do(self, request: HttpRequest, object_id: str, service: Any, text: str) -> HttpResponse:
        refused = posted_only(request)
        if refused is not None:
            return refused
        job = self._job(request, object_id)
        if request.headers.get("Accept") == "application/json":  # a script, which tells it itself
            try:
                row = service(acting_user=staff(request), job=job)
            except ApiError as error:
                return JsonResponse({"message": error.message}, status=error.status)
            return JsonResponse({"status": row.status})
        with refusals_as_messages(request):
            service(acting_user=staff(request), job=job)
            messages.success(request, text)
        return self.redirect_to(job.pk)
