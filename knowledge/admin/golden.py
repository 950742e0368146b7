"""Golden questions: the list, the form with its nodes, trying one out, and files of many."""

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.db.models import Count, Q
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, staff
from knowledge.admin.golden_forms import FIELDS, GoldenForm, StateFilter, Targets, grades_of
from knowledge.choices import GoldenOrigin
from knowledge.evaluating import searched
from knowledge.models import GoldenQuestion, Space
from project.accounts.choices import Role
from project.http.admin_base import (
    badge,
    display,
    posted_only,
    reflect,
    refusals_as_messages,
)
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

TITLES = 2  # nodes that the list names


@admin.register(GoldenQuestion)
class GoldenQuestionAdmin(SpaceScopedAdmin):
    """Editors make golden questions; every write goes through the services."""

    form = GoldenForm
    inlines: ClassVar[list[Any]] = [Targets]
    list_display = ("summary", "space", "nodes", "active_badge", "origin", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("space",)
    list_filter = (
        ("space", RelatedDropdownFilter),
        ("origin", ChoicesDropdownFilter),
        "is_active",
        StateFilter,
    )
    list_before_template = "admin/knowledge/goldenquestion/list_bar.html"
    search_fields = ("question", "notes", "targets__title")
    search_help_text = gettext_lazy("Words of the question, of the notes or of a node's title")
    ordering = ("-created_at", "id")
    delete_role = Role.EDITOR
    actions = ("golden_activate", "golden_rest")
    change_form_outer_after_template = "admin/knowledge/goldenquestion/form_bar.html"

    class Media:
        js = [Script("acervo/admin/golden.js", type="module")]

    @display(description=gettext_lazy("question"), ordering="question")
    def summary(self, golden: GoldenQuestion) -> SafeString:
        """Show the question with its tags below it."""
        facts = " · ".join([each for each in (golden.language, *golden.tags[:4]) if each])
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', golden.question, facts
        )

    @display(description=gettext_lazy("nodes that answer"))
    def nodes(self, golden: Any) -> SafeString:
        """Show the nodes, and whether one was deleted."""
        targets = list(golden.targets.all())
        titles = ", ".join(
            each.node.title if each.node else each.title for each in targets[:TITLES]
        )
        more = len(targets) - TITLES
        text = f"{titles} +{more}" if more > 0 else titles
        lost = sum(each.is_lost for each in targets)
        warning = badge(_("✕ %(count)s deleted") % {"count": lost}, "danger") if lost else ""
        return format_html('<span class="ac-two"><span>{}</span>{}</span>', text, warning)

    @display(description=gettext_lazy("active"), ordering="is_active")
    def active_badge(self, golden: GoldenQuestion) -> SafeString:
        """Show whether evaluations ask it."""
        if golden.is_active:
            return badge(_("✓ Active"), "success")
        return badge(_("– At rest"), "muted")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the questions of the person's spaces with their nodes."""
        return super().get_queryset(request).with_targets()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the question first."""
        return (
            (None, {"fields": ("space", "question", ("language", "is_active"), "tags", "notes")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A question stays in its space."""
        return ("space",) if obj is not None else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only the spaces that the person may write in."""
        if db_field.name == "space":
            kwargs["queryset"] = Space.objects.editable_by(staff(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin in the default space, or the only one."""
        data: dict[str, Any] = super().get_changeform_initial_data(request)
        spaces = list(Space.objects.editable_by(staff(request)).order_by("-is_default")[:2])
        if "space" not in data and spaces and (len(spaces) == 1 or spaces[0].is_default):
            data["space"] = spaces[0].pk
        return data

    # -- saving: the question and its nodes are one write ------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Wait for the nodes: `save_related` hands all of it to the service."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        """Hand the question with its nodes to the service, and go on with what it stored."""
        data: dict[str, Any] = {name: form.cleaned_data[name] for name in FIELDS}
        data["nodes"] = {}
        for formset in formsets:
            data["nodes"] |= grades_of(formset)
        obj, user = form.instance, staff(request)
        if change:
            stored = services.golden_update(acting_user=user, golden=obj, **cast("Any", data))
        else:
            stored = services.golden_create(
                acting_user=user, space=obj.space, origin=GoldenOrigin.ADMIN, **cast("Any", data)
            )
        reflect(obj, stored)

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: Any = False,  # noqa: FBT002 - Django's signature
    ) -> Any:
        """Tell of the question; its rows are written by the service."""
        return super().construct_change_message(request, form, [], add)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        services.golden_delete(acting_user=staff(request), golden=obj)

    @admin.action(description=gettext_lazy("Ask in evaluations"))
    def golden_activate(self, request: HttpRequest, rows: Any) -> None:
        """Let evaluations ask the chosen questions."""
        self._set_active(request, rows, is_active=True)

    @admin.action(description=gettext_lazy("Let rest"))
    def golden_rest(self, request: HttpRequest, rows: Any) -> None:
        """Leave the chosen questions out of evaluations."""
        self._set_active(request, rows, is_active=False)

    def _set_active(self, request: HttpRequest, rows: Any, *, is_active: bool) -> None:
        from_here = staff(request)
        for golden in rows:
            with refusals_as_messages(request):
                services.golden_update(acting_user=from_here, golden=golden, is_active=is_active)

    # -- pages of its own --------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add trying a question out, and files."""
        wrap = self.admin_site.admin_view
        return [
            path("try/", wrap(self.try_view), name="knowledge_goldenquestion_try"),
            path("import/", wrap(self.import_view), name="knowledge_goldenquestion_import"),
            *super().get_urls(),
        ]

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Return what search finds now for a question, as a piece of HTML."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        space = self._space(request)
        wanted = {each for each in map(uuid_or_none, request.POST.getlist("node")) if each}
        context: dict[str, Any] = {"wanted": [str(each) for each in wanted], "space": space}
        try:
            if space is None:
                raise Invalid(_("Choose a space that you may write in."), field="space")
            found, degraded = searched(
                request.POST.get("question", ""),
                space_id=space.pk,
                k=space.gate_k,
                language=request.POST.get("language", "")[:10],
            )
            ranks = {uuid.UUID(each["node"]) for each in found}
            context |= {"found": found, "degraded": degraded, "missing": len(wanted - ranks)}
        except ApiError as error:
            context["error"] = error.message
        return render(request, "admin/knowledge/goldenquestion/_found.html", context)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Take in a file; what is wrong with it is told by line, and nothing of it is stored."""
        problems: list[tuple[int, str]] = []
        if request.method == "POST":
            try:
                return self._take(request)
            except ApiError as error:
                messages.error(request, error.message)
                details = error.details if isinstance(error.details, dict) else {}
                problems = sorted(
                    (int(line), " ".join(said)) for line, said in details.items() if line.isdigit()
                )
        spaces = Space.objects.editable_by(staff(request)).order_by("-is_default", "name")
        context = self.page_context(
            request,
            title=_("Import golden questions"),
            spaces=list(spaces),
            chosen=request.POST.get("space") or request.GET.get("space", ""),
            problems=problems,
        )
        template = "admin/knowledge/goldenquestion/import.html"
        return TemplateResponse(request, template, context, status=400 if problems else 200)

    def _take(self, request: HttpRequest) -> HttpResponse:
        space, file = self._space(request), request.FILES.get("file")
        if space is None:
            raise Invalid(_("Choose a space that you may write in."), field="space")
        if file is None:
            raise Invalid(_("Choose a file."), field="file")
        taken = services.golden_import(acting_user=staff(request), space=space, data=file.read())
        text = _("%(made)s questions were made; the space had %(known)s of the file already.")
        messages.success(request, text % {"made": taken.made, "known": taken.known})
        return HttpResponseRedirect(self.address("changelist"))

    def _space(self, request: HttpRequest) -> Space | None:
        wanted = uuid_or_none(request.POST.get("space", ""))
        spaces = Space.objects.editable_by(staff(request))
        return spaces.filter(pk=wanted).first() if wanted else None


def most_asked_first(spaces: Iterable[Space]) -> list[tuple[Space, dict[str, int]]]:
    """Return spaces with their `golden_counts`, those with most questions to ask first."""
    counted = [(space, golden_counts(space)) for space in spaces]
    return sorted(counted, key=lambda each: -each[1]["active"])


def golden_counts(space: Space) -> dict[str, int]:
    """Return how many questions a space has, and how many evaluations ask."""
    rows = GoldenQuestion.objects.filter(space=space)
    counts: dict[str, int] = rows.aggregate(
        all=Count("pk"), active=Count("pk", filter=Q(is_active=True))
    )
    return counts
