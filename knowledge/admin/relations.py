"""Relations, on the page of a node and in a list of their own."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.choices import RelationOrigin, RelationStatus
from knowledge.models import Node, Relation
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import AcervoTabularInline, badge, display, each_done, reflect

CHANGED = ("kind", "weight", "metadata", "status")
"""What the form may change of a relation that is stored."""


class _Relations(AcervoTabularInline):
    """Relations at one end of the page's node. To change one, delete it and make another."""

    model = Relation
    fields: ClassVar[Any] = ("kind", "weight", "status", "origin")
    readonly_fields = ("origin",)
    show_count = True

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the relations both of whose ends the person may open."""
        every: Any = super().get_queryset(request)
        rows = every.visible_to(request.user)
        light = ("title", "space", "version", "external_id")
        return rows.select_related("source", "target").only(
            "kind", "weight", "status", "origin", "created_at",
            *(f"source__{name}" for name in light), *(f"target__{name}" for name in light),
        )  # fmt: skip

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person edits the space."""
        return has_role(request, Role.EDITOR, obj.space_id if obj else None)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person edits the space."""
        return has_role(request, Role.EDITOR, obj.space_id if obj else None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person edits the space."""
        return has_role(request, Role.EDITOR, obj.space_id if obj else None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: on a node's page relations are made and deleted, on their own they change."""
        return False


class RelationsOut(_Relations):
    """What the node points to."""

    fk_name = "source"
    fields = ("target", "kind", "weight", "status", "origin")
    autocomplete_fields = ("target",)
    verbose_name_plural = _("relations to others")


class RelationsIn(_Relations):
    """What points to the node."""

    fk_name = "target"
    fields = ("source", "kind", "weight", "status", "origin")
    autocomplete_fields = ("source",)
    verbose_name_plural = _("relations from others")


def relations_save(user: User, formset: Any) -> None:
    """Make and delete relations as a formset says. Raises what the services raise."""
    made = formset.save(commit=False)
    for relation in formset.deleted_objects:
        services.relation_delete(acting_user=user, relation=relation)
    for relation in made:
        stored = services.relation_create(
            acting_user=user,
            source=relation.source,
            target=relation.target,
            kind=relation.kind,
            weight=relation.weight,
            status=relation.status,
        )
        reflect(relation, stored)
    formset.save_m2m()


@admin.register(Relation)
class RelationAdmin(SpaceScopedAdmin):
    """Every relation; a change of one is a new version of it."""

    list_display = (
        "source",
        "kind_word",
        "target",
        "weight",
        "status_badge",
        "created_at",
    )
    list_display_links = ("kind_word",)
    list_select_related = ("source", "target")
    list_filter = (("status", ChoicesDropdownFilter), ("origin", ChoicesDropdownFilter))
    search_fields = ("source__title", "target__title", "kind")
    autocomplete_fields = ("source", "target")
    fields = ("source", "kind", "target", "weight", "metadata", "status")
    ordering = ("-created_at", "id")
    delete_role = Role.EDITOR
    actions = ("relations_confirm",)

    @display(description=_("kind"), ordering="kind")
    def kind_word(self, relation: Relation) -> str:
        """Show the kind with an arrow."""
        return f"→ {relation.kind.replace('_', ' ')} →"

    @display(description=_("status"), ordering="status")
    def status_badge(self, relation: Relation) -> str:
        """Show the status as a coloured word."""
        is_sure = relation.status == RelationStatus.CONFIRMED
        return badge(relation.get_status_display(), "success" if is_sure else "warning")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the relations that touch a space the person edits."""
        rows: Any = super(SpaceScopedAdmin, self).get_queryset(request)
        editable = Node.objects.editable_by(staff(request))
        rows = rows.defer("source__content", "target__content")
        if staff(request).is_superuser:
            return rows
        rows = rows.filter(Q(source__in=editable) | Q(target__in=editable))
        return rows.visible_to(request.user)

    def space_of(self, obj: Any) -> Any:
        """A relation belongs to the space of its source."""
        return obj.source.space_id

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Between other nodes it would be another relation."""
        return ("source", "target") if obj is not None else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse for a relation that a text makes: it is changed there."""
        if isinstance(obj, Relation) and obj.origin == RelationOrigin.TEXT:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse for a relation that a text makes: it is removed there."""
        if isinstance(obj, Relation) and obj.origin == RelationOrigin.TEXT:
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the relation to the service."""
        if change:
            changes = {
                name: form.cleaned_data[name] for name in CHANGED if name in form.changed_data
            }
            stored = services.relation_update(acting_user=staff(request), relation=obj, **changes)
            reflect(obj, stored)
            return
        stored = services.relation_create(
            acting_user=staff(request),
            source=obj.source,
            target=obj.target,
            kind=obj.kind,
            weight=obj.weight,
            metadata=obj.metadata,
            status=obj.status,
        )
        reflect(obj, stored)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        services.relation_delete(acting_user=staff(request), relation=obj)

    @admin.action(description=_("Confirm"))
    def relations_confirm(self, request: HttpRequest, rows: Any) -> None:
        """Vouch for the chosen relations."""
        user = staff(request)
        each_done(
            request,
            rows,
            lambda relation: services.relation_update(
                acting_user=user, relation=relation, status=RelationStatus.CONFIRMED
            ),
        )
