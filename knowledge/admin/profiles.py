"""Retrieval profiles: their versions side by side, new ones, and which of them holds."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from knowledge import services
from knowledge.admin.access import has_role, staff
from knowledge.admin.profile_forms import INSTALLATION, KnobsForm, PlaceForm
from knowledge.admin.profile_shown import compared, figures_shown, held_now, holding
from knowledge.models import EvaluationRun, ProfileActivation, RetrievalProfile, Space
from knowledge.profiles import profile_of
from project.accounts.choices import Role
from project.http.admin_base import (
    AcervoAdmin,
    badge,
    display,
    posted_only,
    refusals_as_messages,
)
from project.http.errors import ApiError
from project.http.ids import uuid_or_none

HISTORY = 20
EVALUATIONS = 10


@admin.register(RetrievalProfile)
class RetrievalProfileAdmin(AcervoAdmin):
    """Curators read versions; managers make them and choose for their spaces."""

    list_display = ("summary", "origin", "holds", "held_out", "author", "created_at")
    list_display_links = ("summary",)
    list_filter = (("origin", ChoicesDropdownFilter),)
    search_fields = ("note", "author_name")
    ordering = ("-version",)
    list_before_template = "admin/knowledge/retrievalprofile/list_bar.html"
    change_form_template = "admin/knowledge/retrievalprofile/one.html"

    # -- the list --------------------------------------------------------------------------------

    @display(description=gettext_lazy("version"), ordering="version")
    def summary(self, row: RetrievalProfile) -> SafeString:
        """Show the number with the note below it."""
        title = _("Version %(number)s") % {"number": row.version}
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', title, row.note[:160]
        )

    @display(description=gettext_lazy("holds for"))
    def holds(self, row: RetrievalProfile) -> SafeString:
        """Show where it holds now."""
        places = [place for place, _activation in holding(row)]
        if not places:
            return badge(_("not active"), "muted")
        return format_html_join(" ", "{}", ((badge(place, "success"),) for place in places))

    @display(description=gettext_lazy("By"), ordering="author_name")
    def author(self, row: RetrievalProfile) -> str:
        """Show who made it."""
        return row.author_name or "–"

    @display(description=gettext_lazy("held out"))
    def held_out(self, row: RetrievalProfile) -> str:
        """Show what a learned version came to on questions that it was not learned from."""
        if not row.figures:
            return "–"
        values = [number_format(row.figures[when]["ndcg"], 3) for when in ("before", "after")]
        return f"nDCG@{row.figures['k']} {values[0]} → {values[1]}"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Add what holds for the installation."""
        context = {"holding": held_now(None), "may_make": self.has_add_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    # -- who may ---------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the person curates a space."""
        return has_role(request, Role.CURATOR)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person curates a space."""
        return has_role(request, Role.CURATOR)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the person manages a space."""
        return has_role(request, Role.MANAGER)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Versions never change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Versions stay: somebody may have searched with them."""
        return False

    # -- one version -----------------------------------------------------------------------------

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show the knobs beside those of another version, the figures, and what held when."""
        return {} if obj is None else self._shown(request, obj)

    def _shown(self, request: HttpRequest, row: RetrievalProfile) -> dict[str, Any]:
        others = RetrievalProfile.objects.exclude(pk=row.pk).order_by("-version")
        wanted = uuid_or_none(request.GET.get("compare", ""))
        active = held_now(None)
        usual = row.based_on or (active if active != row else others.first())
        other = others.filter(pk=wanted).first() if wanted else usual
        user = staff(request)
        runs = EvaluationRun.objects.visible_to(user).filter(profile_id=row.pk)
        kept = ProfileActivation.objects.visible_to(user).filter(profile=row)
        return {
            "profile": row,
            "other": other,
            "others": others[:100],
            "groups": compared(row, other),
            "places": holding(row),
            "figures": figures_shown(row),
            "runs": runs.select_related("space")[:EVALUATIONS],
            "activations": kept.select_related("space", "activated_by", "previous")[:HISTORY],
            "may_make": self.has_add_permission(request),
            "tuning": row.tunings.first(),
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the pages that make a version and let it hold."""
        wrap, base, name = self.admin_site.admin_view, "<path:object_id>", "knowledge_profile"
        return [
            path("roll-back/", wrap(self.roll_back_view), name=f"{name}_roll_back"),
            path(f"{base}/new/", wrap(self.new_view), name=f"{name}_new"),
            path(f"{base}/activate/", wrap(self.activate_view), name=f"{name}_activate"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Begin from what holds for the installation."""
        base = held_now(None)
        return self.new_view(request, str(base.pk))

    def new_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the knobs and the note of a new version; store it."""
        base = self._opened(request, object_id)
        if not self.has_add_permission(request):
            raise Http404(_("There is no such page, or it is not yours to see."))
        form = KnobsForm(request.POST or None, base=profile_of(base))
        if request.method == "POST" and form.is_valid():
            try:
                made = services.profile_create(
                    acting_user=staff(request),
                    knobs=form.knobs(),
                    note=form.cleaned_data["note"],
                    based_on=base,
                )
            except ApiError as error:
                field = (error.field or "").removeprefix("knobs.")
                form.add_error(field if field in form.fields else None, error.message)
            else:
                text = _("Version %(number)s is stored. Nothing searches with it yet.")
                messages.success(request, text % {"number": made.version})
                return self.redirect_to(made.pk)
        context = self.page_context(
            request,
            title=_("New version of version %(number)s") % {"number": base.version},
            original=base,
            profile=base,
            form=form,
        )
        return TemplateResponse(request, "admin/knowledge/retrievalprofile/new.html", context)

    def activate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask where the version is to hold, and why; let it."""
        row = self._opened(request, object_id)
        form = PlaceForm(request.POST or None, user=staff(request))
        if request.method == "POST" and form.is_valid():
            with refusals_as_messages(request):
                services.profile_activate(
                    acting_user=staff(request),
                    profile=row,
                    reason=form.cleaned_data["reason"],
                    space=form.space,
                )
                messages.success(request, _("It holds now: the next search uses it."))
                return self.redirect_to(row.pk)
        rows = Space.objects.with_role(staff(request), Role.MANAGER).order_by("name")
        context = self.page_context(
            request,
            title=_("Activate version %(number)s") % {"number": row.version},
            original=row,
            profile=row,
            form=form,
            installation=held_now(None),
            own=[(space, held_now(space)) for space in rows if held_now(space)],
        )
        return TemplateResponse(request, "admin/knowledge/retrievalprofile/activate.html", context)

    def roll_back_view(self, request: HttpRequest) -> HttpResponse:
        """Let what held before hold again."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        form = PlaceForm(
            {**request.POST.dict(), "place": request.POST.get("place") or INSTALLATION},
            user=staff(request),
        )
        back = request.POST.get("profile", "")
        if not form.is_valid():
            messages.error(request, _("Say why, for those who look at it later."))
        else:
            with refusals_as_messages(request):
                row = services.profile_roll_back(
                    acting_user=staff(request), reason=form.cleaned_data["reason"], space=form.space
                )
                messages.success(request, _("What held before holds again."))
                back = str(row.profile_id or back)
        return self.redirect_to(back)

    def _opened(self, request: HttpRequest, object_id: str) -> RetrievalProfile:
        row = self.get_object(request, unquote(object_id))
        if not isinstance(row, RetrievalProfile) or not self.has_view_permission(request, row):
            raise Http404(_("There is no such version, or it is not yours to see."))
        return row
