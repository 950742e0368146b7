"""Learning retrieval profiles from golden questions: starting it, watching it, what came of it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.evaluation_views import STATUS_TONES
from knowledge.admin.golden import most_asked_first
from knowledge.admin.profile_shown import figures_shown
from knowledge.models import RetrievalProfile, RetrievalTuning, Space
from knowledge.tuning import LEAST
from project.accounts.choices import Role
from project.http.admin_base import badge, display, posted_only, refusals_as_messages, tone_of
from project.http.errors import ApiError
from project.http.ids import uuid_or_none


@admin.register(RetrievalTuning)
class RetrievalTuningAdmin(SpaceScopedAdmin):
    """Rows are written by their workers: here they are started, watched, read and cancelled."""

    empty_words = gettext_lazy(
        "Learning tries every knob on the golden questions of a space, and stores a "
        "version that finds more."
    )
    view_role = Role.CURATOR
    list_display = ("summary", "space", "state", "profile", "created_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("space", "profile", "created_by")
    list_filter = (("status", ChoicesDropdownFilter), ("space", RelatedDropdownFilter))
    list_before_template = "admin/knowledge/retrievaltuning/list_bar.html"
    search_fields = ("trace_id", "space__name")
    ordering = ("-created_at", "id")
    change_form_template = "admin/knowledge/retrievaltuning/one.html"

    class Media:
        js = [Script("acervo/admin/tunings.js", type="module")]

    @display(description=gettext_lazy("tuning"), ordering="created_at")
    def summary(self, row: RetrievalTuning) -> SafeString:
        """Show what came of it."""
        words = row.outcome or row.error or row.get_status_display()
        return format_html('<span class="ac-two"><b>{}</b><small>{}</small></span>', row, words)

    @display(description=gettext_lazy("status"), ordering="status")
    def state(self, row: RetrievalTuning) -> SafeString:
        """Show where it stands."""
        return badge(row.get_status_display(), tone_of(STATUS_TONES, row.status))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Add what the bar above the list says."""
        context = {"least": LEAST, "may_start": self.has_add_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the person manages a space."""
        return has_role(request, Role.MANAGER)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only workers write here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was tried stays."""
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Ask which space to learn from; begin."""
        if not self.has_add_permission(request):
            return HttpResponseRedirect(self.address("changelist"))
        spaces = list(Space.objects.with_role(staff(request), Role.MANAGER).order_by("name"))
        if request.method == "POST":
            wanted = uuid_or_none(request.POST.get("space", ""))
            space = next((each for each in spaces if each.pk == wanted), None)
            try:
                if space is not None:
                    row = services.tuning_start(acting_user=staff(request), space=space)
                    return self.redirect_to(row.pk)
                messages.error(request, _("Name a space."))
            except ApiError as error:
                messages.error(request, error.message)
        offered = most_asked_first(spaces)
        context = self.page_context(
            request,
            title=_("Learn a retrieval profile"),
            may_learn=any(counts["active"] >= LEAST for _space, counts in offered),
            spaces=offered,
            least=LEAST,
            typed=request.POST.get("space", request.GET.get("space", "")),
        )
        return TemplateResponse(request, "admin/knowledge/retrievaltuning/start.html", context)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show how far it is, or what came of it."""
        if obj is None:
            return {}
        return {
            "tuning": obj,
            "percent": round(obj.done * 100),
            "state": self.state(obj),
            "figures": figures_shown(RetrievalProfile(figures=obj.figures)),
            "may_cancel": not obj.has_ended and has_role(request, Role.MANAGER, obj.space_id),
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the progress and the button of one."""
        wrap, base, name = self.admin_site.admin_view, "<path:object_id>", "knowledge_tuning"
        return [
            path(f"{base}/progress/", wrap(self.progress_view), name=f"{name}_progress"),
            path(f"{base}/cancel/", wrap(self.cancel_view), name=f"{name}_cancel"),
            *super().get_urls(),
        ]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return how far it is."""
        row = self._opened(request, object_id)
        return JsonResponse({"percent": round(row.done * 100), "ended": row.has_ended})

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Cancel a tuning."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row = self._opened(request, object_id)
        with refusals_as_messages(request):
            services.tuning_cancel(acting_user=staff(request), tuning=row)
            messages.success(request, _("It is cancelled; the present profile stays."))
        return self.redirect_to(row.pk)

    def _opened(self, request: HttpRequest, object_id: str) -> RetrievalTuning:
        row = self.get_object(request, unquote(object_id))
        if not isinstance(row, RetrievalTuning) or not self.has_view_permission(request, row):
            raise Http404(_("There is no such tuning, or it is not yours to see."))
        return row
