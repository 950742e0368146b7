"""Kinds: their schemas, how often they are used, and the plan to change one."""

import json
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Q
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import has_role, staff
from knowledge.admin.cutting_forms import CUTTING_FIELDS
from knowledge.admin.cutting_pages import CuttingPages
from knowledge.admin.kind_forms import EXAMPLE, FIELDS, STEP_EXAMPLES, KindForm, PlanForm
from knowledge.admin.kind_rows import rows_shown
from knowledge.kinds import nodes_of
from knowledge.metadata.outline import fields_of
from knowledge.metadata.steps import OPERATIONS
from knowledge.models import Kind, KindMigration, Space
from knowledge.recutting import count_to_recut
from project.accounts.choices import Role
from project.http.admin_base import display, reflect
from project.http.errors import ApiError

SHOWN = 50  # nodes below a trial


@admin.register(Kind)
class KindAdmin(CuttingPages):
    """Editors read what a kind wants; managers of its space write it, superusers those of all."""

    form = KindForm
    change_role = add_role = delete_role = Role.MANAGER
    list_display = ("summary", "where", "version_now", "wanted", "usage", "updated_at")
    list_display_links = ("summary",)
    list_select_related = ("space",)
    list_filter = (("space", RelatedDropdownFilter),)
    search_fields = ("name", "title", "description")
    ordering = ("name", "id")
    change_form_outer_before_template = "admin/knowledge/kind/bar.html"
    change_form_outer_after_template = "admin/knowledge/kind/example.html"

    class Media:
        css = {"all": ["acervo/admin/cutting.css"]}
        js = [
            Script("acervo/admin/kinds.js", type="module"),
            Script("acervo/admin/cutting.js", type="module"),
        ]

    # -- the list --------------------------------------------------------------------------------

    @display(description=gettext_lazy("kind"), ordering="name")
    def summary(self, kind: Kind) -> SafeString:
        """Show the title with the name below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', kind, kind.name
        )

    @display(description=gettext_lazy("space"), ordering="space")
    def where(self, kind: Kind) -> str:
        """Show the space, or that it is for all."""
        return str(kind.space) if kind.space is not None else _("All spaces")

    @display(description=gettext_lazy("schema"), ordering="schema_version")
    def version_now(self, kind: Kind) -> str:
        """Show the version of the schema."""
        if not kind.metadata_schema:
            return _("none")
        return _("version %(number)s") % {"number": kind.schema_version}

    @display(description=gettext_lazy("fields"))
    def wanted(self, kind: Kind) -> str:
        """Show the names of the outer fields."""
        names = [fact.path for fact in fields_of(kind.metadata_schema) if "." not in fact.path]
        return ", ".join(names[:6]) + (" …" if len(names) > 6 else "") if names else "–"

    @display(description=gettext_lazy("nodes"))
    def usage(self, kind: Kind) -> SafeString:
        """Show how many nodes have the kind, with a link to them."""
        count = nodes_of(kind).count()
        link = f"{reverse('admin:knowledge_node_changelist')}?kind={kind.name}"
        return format_html('<a class="ac-link" href="{}">{}</a>', link, count)

    # -- who may ---------------------------------------------------------------------------------

    def space_of(self, obj: Any) -> UUID:
        """Return the id of the kind's space."""
        return cast("UUID", obj.space_id)

    def _may(self, request: HttpRequest, role: Role, obj: Any) -> bool:
        if isinstance(obj, Kind) and obj.space_id is None:
            is_read = role == self.view_role
            return bool(request.user.is_superuser) or (is_read and has_role(request, role))
        return super()._may(request, role, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the kinds of the person's spaces, and those of all."""
        rows = admin.ModelAdmin.get_queryset(self, request)
        own = Space.objects.with_role(staff(request), self.view_role)
        return rows.filter(Q(space=None) | Q(space__in=own))

    # -- the form --------------------------------------------------------------------------------

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields; a schema that nodes follow is shown, not typed over."""
        is_used = obj is not None and nodes_of(obj).exists()
        schema = "schema_text" if is_used else "metadata_schema"
        return ("space", "name", "title", "description", *CUTTING_FIELDS, schema)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A kind keeps its space and name."""
        return ("space", "name", "schema_text") if obj is not None else ()

    @display(description=gettext_lazy("metadata schema"))
    def schema_text(self, kind: Kind) -> SafeString:
        """Show the schema as text."""
        text = json.dumps(kind.metadata_schema, indent=2, ensure_ascii=False)
        return format_html('<pre class="ac-pre">{}</pre>', text)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the spaces that the person manages; all of them to superusers only."""
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "space" and field is not None:
            for link in ("can_add_related", "can_change_related", "can_view_related"):
                setattr(field.widget, link, False)
            field.queryset = Space.objects.with_role(staff(request), Role.MANAGER)
            field.empty_label = _("All spaces") if request.user.is_superuser else None
            field.required = not request.user.is_superuser
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the kind to its service."""
        data = {name: form.cleaned_data[name] for name in FIELDS if name in form.cleaned_data}
        if "cutting" in form.cleaned_data:
            data["chunking"] = form.cleaned_data["cutting"].as_json()
        user = staff(request)
        if change:
            stored = services.kind_update(acting_user=user, kind=obj, **cast("Any", data))
        else:
            wanted = {"space": obj.space, "name": obj.name, **data}
            stored = services.kind_create(acting_user=user, **cast("Any", wanted))
        reflect(obj, stored)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        services.kind_delete(acting_user=staff(request), kind=obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name what goes along: plans that came to nothing."""
        plans = KindMigration.objects.filter(kind__in=objs).count()
        counts = {
            str(Kind._meta.verbose_name_plural): len(objs),
            str(KindMigration._meta.verbose_name_plural): plans,
        }
        return [str(each) for each in objs], counts, set(), []

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Add what the page shows around the form."""
        around = {"example": json.dumps(EXAMPLE, indent=2), "show_history": False}
        if obj is None:
            return around
        stored = Kind.objects.select_related("space").get(pk=obj.pk)
        migrations = KindMigration.objects.visible_to(staff(request)).filter(kind=stored)
        return around | {
            "kind": stored,
            "usage": nodes_of(stored).count(),
            "to_recut": count_to_recut(stored.name),
            "may_try_cutting": has_role(request, Role.CURATOR),
            "facts": fields_of(stored.metadata_schema),
            "may_plan": self.has_change_permission(request, stored),
            "migrations": migrations[:10],
        }

    # -- planning a change -----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the page that plans a change."""
        wrap = self.admin_site.admin_view
        own = path("<path:object_id>/plan/", wrap(self.plan_view), name="knowledge_kind_plan")
        return [own, *self.cutting_urls(), *super().get_urls()]

    def plan_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the new schema and the steps, try them on every node, and keep the plan."""
        kind = self.get_object(request, unquote(object_id))
        if not isinstance(kind, Kind) or not self.has_change_permission(request, kind):
            raise Http404(_("There is no such kind, or it is not yours to change."))
        first = {"schema": kind.metadata_schema, "steps": []}
        form = PlanForm(request.POST or None, initial=first)
        context: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            wanted = {"acting_user": staff(request), "kind": kind, **form.cleaned_data}
            try:
                if "_plan" in request.POST:
                    return self._planned(request, services.kind_migration_plan(**wanted))
                trial = services.kind_migration_try(limit=SHOWN, **wanted)
                context = {"migration": trial.migration, "rows": rows_shown(trial.rows)}
            except ApiError as error:
                _show(form, error)
        context |= self.page_context(
            request,
            title=_("Plan a change"),
            subtitle=str(kind),
            original=kind,
            kind=kind,
            form=form,
            usage=nodes_of(kind).count(),
            step_examples=[
                (op, json.dumps(STEP_EXAMPLES[op]), OPERATIONS[op]) for op in OPERATIONS
            ],
        )
        return TemplateResponse(request, "admin/knowledge/kind/plan.html", context)

    def _planned(self, request: HttpRequest, migration: KindMigration) -> HttpResponse:
        count = migration.counts.get("nodes", 0)
        text = ngettext(
            "The plan is made for %(count)s node.", "The plan is made for %(count)s nodes.", count
        )
        if not migration.is_running:
            messages.success(request, text % {"count": count})
        address = reverse("admin:knowledge_kindmigration_change", args=[migration.pk])
        return HttpResponseRedirect(address)


def _show(form: PlanForm, error: ApiError) -> None:
    """Put what a service refused at its field, every place of it."""
    by_path = (error.details or {}).get(error.field) if isinstance(error.details, dict) else None
    field = error.field if error.field in form.fields else None
    if field and isinstance(by_path, dict):
        for place, texts in by_path.items():
            form.add_error(field, f"{place}: {texts[0]}")
    else:
        form.add_error(field, error.message)
