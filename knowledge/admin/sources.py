"""Sources: what was uploaded, and the page that uploads more."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.jobs import STATUS_TONES, progress_cell
from knowledge.choices import JobStatus
from knowledge.models import IngestJob, Source, Space
from knowledge.parsing import Format
from project.accounts.choices import Role
from project.http.admin_base import badge, display, tone_of
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

MOST_FILES = 100  # of a form without scripts; Django takes no more
MOST_NODES = 30


@admin.register(Source)
class SourceAdmin(SpaceScopedAdmin):
    """What was read, as it came in. A source never changes: upload another one."""

    empty_words = gettext_lazy(
        "Files that you upload, and those that feeds bring in, are kept here beside the "
        "nodes made from them."
    )
    list_display = (
        "summary", "space", "kind", "size_words", "node_count", "last_job", "created_by",
        "created_at",
    )  # fmt: skip
    list_display_links = ("summary",)
    list_select_related = ("space", "created_by")
    list_filter = (("space", RelatedDropdownFilter), "kind")
    search_fields = ("title", "filename", "sha256")
    ordering = ("-created_at", "id")
    fields = (
        "title", "filename", "space", "kind", "content_type", "size_words", "sha256", "language",
        "tags", "origin", "replaces", "created_by", "created_at", "stored_file", "job_list",
        "node_list",
    )  # fmt: skip

    @display(description=gettext_lazy("source"), ordering="title")
    def summary(self, source: Source) -> SafeString:
        """Show the title with the file's name below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>',
            source.title or source.filename,
            source.filename,
        )

    @display(description=gettext_lazy("size"), ordering="size")
    def size_words(self, source: Source) -> str:
        """Show the size in readable units."""
        return filesizeformat(source.size)

    @display(description=gettext_lazy("nodes"))
    def node_count(self, source: Any) -> int:
        """Show how many nodes came of it."""
        return int(source.nodes_made)

    @display(description=gettext_lazy("last job"))
    def last_job(self, source: Any) -> str | SafeString:
        """Show how its last reading went."""
        if source.job_status is None:
            return "–"
        label = JobStatus(source.job_status).label
        return badge(label, tone_of(STATUS_TONES, source.job_status))

    @display(description=gettext_lazy("file"))
    def stored_file(self, source: Source) -> SafeString:
        """Link to the download."""
        link = reverse("source-file", args=[source.pk])
        return format_html('<a class="ac-link" href="{}">{}</a>', link, _("Download"))

    @display(description=gettext_lazy("jobs"))
    def job_list(self, source: Source) -> str | SafeString:
        """Show the jobs that read it."""
        rows = [
            (
                reverse("admin:knowledge_ingestjob_change", args=[job.pk]),
                date_format(localtime(job.created_at), "SHORT_DATETIME_FORMAT"),
                progress_cell(job),
            )
            for job in source.jobs.order_by("-created_at")[:10]
        ]
        line = '<li><a class="ac-link" href="{}">{}</a> {}</li>'
        return format_html('<ul class="ac-plain">{}</ul>', format_html_join("", line, rows))

    @display(description=gettext_lazy("nodes"))
    def node_list(self, source: Source) -> str | SafeString:
        """Show the nodes that came of it."""
        nodes = source.nodes.only("pk", "title").order_by("title")[: MOST_NODES + 1]
        rows = [
            (reverse("admin:knowledge_node_change", args=[node.pk]), node.title)
            for node in nodes[:MOST_NODES]
        ]
        if not rows:
            return "–"
        line = '<li><a class="ac-link" href="{}">{}</a></li>'
        return format_html('<ul class="ac-plain">{}</ul>', format_html_join("", line, rows))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the sources of the person's spaces, with what the list shows of them."""
        rows = super().get_queryset(request)
        last = IngestJob.objects.filter(source=OuterRef("pk")).order_by("-created_at")
        return rows.annotate(
            nodes_made=Count("nodes"), job_status=Subquery(last.values("status")[:1])
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a source is what came in."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nodes and citations lead back to it."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the address that takes one file."""
        wrap = self.admin_site.admin_view
        own = [path("upload/", wrap(self.upload_view), name="knowledge_source_upload")]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show the page that uploads files; without scripts it sends them all at once."""
        if not self.has_add_permission(request):
            return HttpResponseRedirect(self.address("changelist"))
        if request.method == "POST":
            done = self._take_all(request)
            if done:
                return HttpResponseRedirect(reverse("admin:knowledge_ingestjob_changelist"))
        spaces = list(Space.objects.editable_by(staff(request)).order_by("-is_default", "name"))
        context = self.page_context(
            request,
            title=_("Add sources"),
            spaces=spaces,
            chosen=request.POST.get("space") or request.GET.get("space", ""),
            formats=[each.value.upper() for each in Format],
            limit=settings.ACERVO_MAX_UPLOAD_BYTES,
            publishes=has_role(request, Role.CURATOR),
            upload_url=self.address("upload"),
            jobs_url=reverse("admin:knowledge_ingestjob_changelist"),
        )
        return TemplateResponse(request, "admin/knowledge/source/upload.html", context)

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take one file and answer with its job, or with what is wrong with the file."""
        if request.method != "POST" or not self.has_add_permission(request):
            return JsonResponse({"message": _("This is not allowed.")}, status=403)
        try:
            space = self._space(request)
            file = request.FILES.get("file")
            if file is None:
                raise Invalid(_("Choose a file."), field="file")
            taken = self._take(request, space, file)
        except ApiError as error:
            return JsonResponse({"message": error.message}, status=error.status)
        job = taken.job
        known = taken.duplicate_of
        return JsonResponse(
            {
                "job": str(job.pk),
                "url": reverse("admin:knowledge_ingestjob_change", args=[job.pk]),
                "notice": _("The space already has this file; its nodes stay as they are.")
                if known
                else "",
            },
            status=202,
        )

    def _take_all(self, request: HttpRequest) -> int:
        """Take every file of a form; tell of each what became of it; return how many went."""
        files = request.FILES.getlist("file")
        if not files:
            messages.error(request, _("Choose one or more files."))
        done = 0
        try:
            space = self._space(request)
        except ApiError as error:
            messages.error(request, error.message)
            return 0
        if len(files) > MOST_FILES:
            text = _("The first %(count)s files were taken: send the others by themselves.")
            messages.warning(request, text % {"count": MOST_FILES})
        for file in files[:MOST_FILES]:
            try:
                self._take(request, space, file)
            except ApiError as error:
                messages.error(request, f"{file.name}: {error.message}")
            else:
                done += 1
        if done:
            messages.success(request, _("%(count)s files are being read.") % {"count": done})
        return done

    def _take(self, request: HttpRequest, space: Space, file: Any) -> Any:
        tags = request.POST.get("tags", "").split(",")
        taken = services.source_upload(
            acting_user=staff(request),
            space=space,
            file=file,
            filename=file.name or "",
            content_type=file.content_type or "",
            tags=tags,
            language=request.POST.get("language", "").strip(),
            replaces=services.source_named(staff(request), space, file.name or "")
            if request.POST.get("same_name")
            else None,
        )
        self.log_addition(request, taken.source, "")
        return taken

    def _space(self, request: HttpRequest) -> Space:
        wanted = uuid_or_none(request.POST.get("space", ""))
        space = (
            Space.objects.editable_by(staff(request))
            .filter(pk__in=[wanted] if wanted else [])
            .first()
        )
        if space is None:
            raise Invalid(_("Choose a space that you may write in."), field="space")
        return space
