"""Index generations: which model serves which space, and changing it without an outage."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.access import role_of
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.jobs import progress_cell
from knowledge.ann import ANN_FROM
from knowledge.ann_progress import ann_progress
from knowledge.choices import GenerationStatus, GenerationSwitching, JobStatus
from knowledge.generation_choosing import newest_comparison, verdict_of
from knowledge.generation_reading import fill_of, generation_before, vectors_held
from knowledge.models import Chunk, GenerationSwitch, IndexGeneration, Space
from project.accounts.choices import Role
from project.http.admin_base import badge, display, posted_only, refusals_as_messages, tone_of
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none
from project.inference.choices import Purpose
from project.inference.embeddings import default_model
from project.inference.models import ModelEndpoint

TONES = {
    GenerationStatus.BUILDING: "info",
    GenerationStatus.READY: "warning",
    GenerationStatus.ACTIVE: "success",
    GenerationStatus.RETIRED: "muted",
    GenerationStatus.DELETING: "muted",
}
HISTORY = 10  # switches that a page shows


@admin.register(IndexGeneration)
class IndexGenerationAdmin(SpaceScopedAdmin):
    """Built beside the one that serves, compared, switched, rolled back, deleted; by services."""

    empty_words = gettext_lazy("A space has its first index as soon as a node in it is published.")
    view_role = Role.CURATOR
    add_role = Role.MANAGER
    list_display = ("summary", "space", "status_badge", "job_now", "activated_at", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("space", "endpoint", "job")
    list_filter = (("space", RelatedDropdownFilter), ("status", ChoicesDropdownFilter))
    list_before_template = "admin/knowledge/indexgeneration/list_bar.html"
    search_fields = ("model_key", "space__name", "id__exact")
    ordering = ("space__name", "-created_at", "id")
    change_form_template = "admin/knowledge/indexgeneration/one.html"

    class Media:
        js = [Script("acervo/admin/jobs.js", type="module")]

    @display(description=gettext_lazy("model"), ordering="model_key")
    def summary(self, generation: IndexGeneration) -> str:
        """Show the model."""
        return generation.model_key

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, generation: IndexGeneration) -> SafeString:
        """Show the status as a coloured word."""
        return state_badge(generation)

    @display(description=gettext_lazy("job"))
    def job_now(self, generation: IndexGeneration) -> str | SafeString:
        """Show how far its job is, or why it failed; a script keeps it up to date."""
        job = generation.job
        if job is None or job.status == JobStatus.COMPLETED:
            return "–"
        return progress_cell(job)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what changes it has buttons of its own."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a job deletes it."""
        return False

    # -- one generation ----------------------------------------------------------------------------

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show how far it is, how it compares, and what can be done."""
        return {} if obj is None else generation_context(obj, request)

    def get_urls(self) -> list[URLPattern]:
        """Add the buttons of one generation."""
        wrap, base, name = self.admin_site.admin_view, "<path:object_id>", "knowledge_generation"
        return [
            path(f"{base}/progress/", wrap(self.progress_view), name=f"{name}_progress"),
            path(f"{base}/compare/", wrap(self.compare_view), name=f"{name}_compare"),
            path(f"{base}/activate/", wrap(self.activate_view), name=f"{name}_activate"),
            path(f"{base}/retry/", wrap(self.retry_view), name=f"{name}_retry"),
            path(f"{base}/stop/", wrap(self.stop_view), name=f"{name}_stop"),
            path(f"{base}/remove/", wrap(self.remove_view), name=f"{name}_remove"),
            *super().get_urls(),
        ]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return how far the HNSW index is."""
        build = ann_progress(self._opened(request, object_id).pk)
        if build is None:
            return JsonResponse({"ended": True})
        return JsonResponse({"percent": build.percent, "text": build.words, "ended": False})

    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask the golden questions of what serves and of this one."""
        generation = self._opened(request, object_id)
        if (refused := posted_only(request)) is not None:
            return refused
        with refusals_as_messages(request):
            services.generation_compare(acting_user=staff(request), generation=generation)
            messages.success(request, _("The golden questions are being asked of both."))
        return self.redirect_to(generation.pk)

    def activate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether it is to serve, with the verdict; let it."""
        generation = self._opened(request, object_id)
        if request.method != "POST":
            about = generation_context(generation, request)
            about |= {"title": _("Let this index serve?"), "original": generation}
            context = self.page_context(request, **about)
            return TemplateResponse(
                request, "admin/knowledge/indexgeneration/activate.html", context
            )
        with refusals_as_messages(request):
            row = services.generation_switch(
                acting_user=staff(request),
                generation=generation,
                reason=request.POST.get("reason", "").strip()[:2000],
            )
            if row.status == GenerationStatus.ACTIVE:
                messages.success(request, _("This index serves now."))
            else:
                text = _("A job fills in what is missing; then this index serves.")
                messages.info(request, text)
        return self.redirect_to(generation.pk)

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go on with a build that failed."""
        generation = self._opened(request, object_id)
        if (refused := posted_only(request)) is not None:
            return refused
        if generation.job is not None:
            with refusals_as_messages(request):
                services.job_retry(acting_user=staff(request), job=generation.job)
                messages.success(request, _("The build goes on where it stopped."))
        return self.redirect_to(generation.pk)

    def stop_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stop the job of a generation; what serves is as it was."""
        generation = self._opened(request, object_id)
        if (refused := posted_only(request)) is not None:
            return refused
        if generation.job is not None:
            with refusals_as_messages(request):
                services.job_cancel(acting_user=staff(request), job=generation.job)
                messages.success(request, _("The job ends at its next step."))
        return self.redirect_to(generation.pk)

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to delete a generation; do it."""
        generation = self._opened(request, object_id)
        if request.method != "POST":
            context = self.page_context(
                request,
                title=_("Delete this index?"),
                subtitle=str(generation),
                original=generation,
                generation=generation,
                vectors=vectors_held(generation),
            )
            return TemplateResponse(request, "admin/knowledge/indexgeneration/remove.html", context)
        with refusals_as_messages(request):
            services.generation_remove(acting_user=staff(request), generation=generation)
            messages.success(request, _("A job deletes its vectors."))
        return self.redirect_to(generation.pk)

    def _opened(self, request: HttpRequest, object_id: str) -> IndexGeneration:
        generation = self.get_object(request, unquote(object_id))
        if generation is None or not self.has_view_permission(request, generation):
            raise Http404(_("There is no such index, or it is not yours to see."))
        assert isinstance(generation, IndexGeneration)
        return generation

    # -- starting ----------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show the page that starts a build; start it."""
        if not has_role(request, self.add_role):
            return HttpResponseRedirect(self.address("changelist"))
        if request.method == "POST":
            try:
                generation = services.generation_begin(
                    acting_user=staff(request), **_wanted(request)
                )
            except ApiError as error:
                messages.error(request, error.message)
            else:
                return self.redirect_to(generation.pk)
        spaces = Space.objects.with_role(staff(request), Role.MANAGER).order_by("name")
        counted = [(space, Chunk.objects.filter(space=space).count()) for space in spaces]
        context = self.page_context(
            request,
            title=_("Build an index"),
            spaces=sorted(counted, key=lambda each: -each[1]),
            endpoints=list(_endpoints()),
            builtin=default_model().key,
            switchings=_switchings(),
            typed=request.POST if request.method == "POST" else request.GET,
        )
        return TemplateResponse(request, "admin/knowledge/indexgeneration/start.html", context)


def state_badge(generation: IndexGeneration) -> SafeString:
    """Return where a generation stands, as a coloured word."""
    if generation.has_failed:
        return badge(_("Build failed"), "danger")
    return badge(generation.get_status_display(), tone_of(TONES, generation.status))


def generation_context(generation: IndexGeneration, request: HttpRequest) -> dict[str, Any]:
    """Return everything that the page of a generation shows."""
    run = newest_comparison(generation)
    active = IndexGeneration.objects.filter(
        space=generation.space_id, status=GenerationStatus.ACTIVE
    ).first()
    role = role_of(staff(request), generation.space)
    history = GenerationSwitch.objects.filter(space=generation.space_id)
    job, fill = generation.job, fill_of(generation)
    return {
        "generation": generation,
        "title": generation.model_key,
        "subtitle": str(generation.space),
        "state": state_badge(generation),
        "fill": fill,
        "percent": round(100 * fill.share, 1),
        "ann": ann_progress(generation.pk),
        "ann_from": ANN_FROM,
        "job": job,
        "progress": progress_cell(job) if job is not None else "",
        "run": run,
        "verdict": verdict_of(run) if run is not None else None,
        "active": active,
        "before": generation_before(generation) if active == generation else None,
        "is_manager": role is not None and role >= Role.MANAGER,
        "may_serve": generation.status in {GenerationStatus.READY, GenerationStatus.RETIRED},
        "may_remove": generation.status not in {GenerationStatus.ACTIVE, GenerationStatus.DELETING}
        and (job is None or job.has_ended),
        "switches": list(history.select_related("created_by")[:HISTORY]),
        "show_history": False,
    }


def _endpoints() -> Any:
    return ModelEndpoint.objects.filter(purpose=Purpose.EMBEDDING, is_active=True).order_by("name")


def _switchings() -> list[tuple[str, str, str]]:
    help_texts = {
        GenerationSwitching.MANUAL: _(
            "The new index waits until somebody looks at the comparison and switches."
        ),
        GenerationSwitching.AUTOMATIC: _(
            "The golden questions are asked of both; the new index serves when neither recall nor "
            "mean reciprocal rank nor nDCG falls. Otherwise it waits, and says why."
        ),
        GenerationSwitching.AT_ONCE: _("The new index serves as soon as it is whole."),
    }
    return [(value, str(value.label), text) for value, text in help_texts.items()]


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """Return what the form asks for. Raises Invalid."""
    wanted = uuid_or_none(request.POST.get("space", ""))
    spaces = Space.objects.with_role(staff(request), Role.MANAGER)
    space = spaces.filter(pk=wanted).first() if wanted else None
    if space is None:
        raise Invalid(_("Choose a space that you manage."), field="space")
    switching = request.POST.get("switching", GenerationSwitching.MANUAL)
    if switching not in GenerationSwitching.values:
        raise Invalid(_("Choose who switches."), field="switching")
    endpoint = None
    if text := request.POST.get("endpoint", ""):
        pk = uuid_or_none(text)
        endpoint = _endpoints().filter(pk=pk).first() if pk else None
        if endpoint is None:
            raise Invalid(_("There is no such embedding model in use."), field="endpoint")
    return {"space": space, "endpoint": endpoint, "switching": GenerationSwitching(switching)}
