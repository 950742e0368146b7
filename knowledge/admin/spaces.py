"""Spaces and their members."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.members import MemberPages
from knowledge.admin.space_quality import ReviewIntervals, SpaceQuality
from knowledge.choices import Visibility
from knowledge.models import Node, Space, SpaceRole
from project.accounts.choices import Role
from project.http.admin_base import (
    AcervoTabularInline,
    RefusalForm,
    badge,
    display,
    reflect,
)

FACTS = ("name", "slug", "description", "visibility", "allows_guests", "language")
RULES = (
    "required_approvals",
    "allows_self_approval",
    "requires_no_regression",
    "gate_k",
    "past_vectors_days",
)
FIELDS = (*FACTS, *RULES)
ANY = "any"
TONES = {Visibility.PUBLIC: "warning", Visibility.SIGNED_IN: "info", Visibility.MEMBERS: "default"}


class QuestionsField(forms.CharField):
    """Questions, one a line."""

    widget = UnfoldAdminExpandableTextareaWidget

    def to_python(self, value: Any) -> Any:
        """Return the list of the lines."""
        return [line.strip() for line in (value or "").splitlines() if line.strip()]


class SpaceForm(RefusalForm):
    """A space; its suggested questions by language, one a line."""

    class Meta:
        model = Space
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "questions_any" in self.fields:
            for code, lines in by_language(self.instance.suggested_questions).items():
                name = field_name(code)
                if name in self.fields:
                    self.fields[name].initial = "\n".join(lines)

    def clean(self) -> dict[str, Any]:
        """Say beside the switch that only public spaces take guests."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("allows_guests") and cleaned.get("visibility") != Visibility.PUBLIC:
            message = _("Only a public space may be asked without signing in.")
            self.add_error("allows_guests", message)
        return cleaned

    def questions(self) -> list[str] | dict[str, list[str]]:
        """Return the questions as a space keeps them; those of other languages stay."""
        known = by_language(self.instance.suggested_questions)
        for code in (ANY, *codes()):
            known[code] = self.cleaned_data.get(field_name(code), [])
        every = known.pop(ANY)
        named = {code: lines for code, lines in known.items() if lines}
        if not named:
            return every
        return {**named, **({ANY: every} if every else {})}


def codes() -> list[str]:
    """Return the languages of the interface, as questions name them."""
    return [code for code, _name in settings.LANGUAGES]


def field_name(code: str) -> str:
    """Return the name of the form's field for the questions of a language."""
    return f"questions_{code.replace('-', '_')}"


def by_language(stored: Any) -> dict[str, list[str]]:
    """Return stored questions by language; those of no language are for any."""
    if not isinstance(stored, dict):
        return {ANY: list(stored or [])}
    wanted = codes()
    lists: dict[str, list[str]] = {}
    for code, lines in stored.items():
        near = next((each for each in wanted if each.split("-")[0] == code), code)
        lists[near if near not in stored else code] = list(lines)
    return lists


for _code, _label in ((ANY, gettext_lazy("Any language")), *settings.LANGUAGES):
    SpaceForm.declared_fields[field_name(_code)] = QuestionsField(
        label=_label, required=False, help_text=gettext_lazy("One question a line, at most twelve.")
    )


class GroupRoles(AcervoTabularInline):
    """Roles of other groups; the space's own groups are kept by the page of its members."""

    model = SpaceRole
    fields = ("group", "role")
    verbose_name = gettext_lazy("role of a group")
    verbose_name_plural = gettext_lazy("roles of other groups")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the space's own groups out."""
        own = Q()
        for role in Role:
            own |= Q(group__name__endswith=f" · {role.name.lower()}")
        return super().get_queryset(request).exclude(own).select_related("group")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer groups without the link that makes new ones."""
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        for link in ("can_add_related", "can_change_related", "can_view_related"):
            setattr(field.widget, link, False)
        return field

    def _may(self, request: HttpRequest, obj: Any) -> bool:
        return has_role(request, Role.MANAGER, obj.pk if obj else None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)


@admin.register(Space)
class SpaceAdmin(MemberPages, SpaceQuality, SpaceScopedAdmin):
    """Spaces; managers change theirs, and whoever may add spaces makes new ones."""

    form = SpaceForm
    inlines: ClassVar[list[Any]] = [GroupRoles, ReviewIntervals]
    list_display = (
        "name", "visibility_badge", "language", "nodes", "score", "members", "is_default",
    )  # fmt: skip
    list_filter = ("visibility",)
    list_filter_submit = False
    search_fields = ("name", "slug", "description")
    ordering = ("name", "id")
    change_role = Role.MANAGER
    change_form_outer_before_template = "admin/knowledge/space/members_bar.html"

    @display(description=gettext_lazy("visible to"), ordering="visibility")
    def visibility_badge(self, space: Space) -> SafeString:
        """Show who may read it."""
        return badge(space.get_visibility_display(), TONES[Visibility(space.visibility)])

    @display(description=gettext_lazy("nodes"))
    def nodes(self, space: Any) -> int:
        """Show how many nodes it has."""
        return int(space.node_count)

    @display(description=gettext_lazy("members"))
    def members(self, space: Any) -> int:
        """Show how many people have a role through a group."""
        return int(space.member_count)

    def space_of(self, obj: Any) -> Any:
        """A space belongs to itself."""
        return obj.pk

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the spaces in which the person has a role."""
        rows: Any = super(SpaceScopedAdmin, self).get_queryset(request)
        rows = rows.with_role(request.user, self.view_role)
        match = request.resolver_match
        if match is None or not (match.url_name or "").endswith("_changelist"):
            return rows
        nodes = Node.objects.filter(space=OuterRef("pk")).order_by().values("space")
        count = nodes.annotate(count=Count("pk")).values("count")
        return self.scored(rows).annotate(
            node_count=_or_zero(count),
            member_count=Count("roles__group__user", distinct=True),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Making a space needs Django's permission, as the service asks it."""
        return staff(request).has_perm("knowledge.add_space")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the facts, then the questions of the empty chat."""
        questions = tuple(field_name(code) for code in (ANY, *codes()))
        return (
            (None, {"fields": FACTS}),
            (
                gettext_lazy("Rules for changes"),
                {
                    "fields": RULES,
                    "description": gettext_lazy(
                        "What a proposal needs before it can be merged, and what is kept of "
                        "the past."
                    ),
                },
            ),
            (
                gettext_lazy("Suggested questions"),
                {
                    "fields": questions,
                    "description": gettext_lazy(
                        "Shown in an empty chat. Readers get those of their language, "
                        "else English ones, else those of any language."
                    ),
                },
            ),
        )

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Propose the short name of a new space."""
        return {"slug": ("name",)} if obj is None else {}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Groups need a space that is stored."""
        return self.inlines if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the space to the service, and go on with what it stored."""
        data = {name: form.cleaned_data[name] for name in FIELDS if name in form.cleaned_data}
        data["suggested_questions"] = form.questions()
        if change:
            stored = services.space_update(acting_user=staff(request), space=obj, **data)
        else:
            stored = services.space_create(acting_user=staff(request), **data)
        reflect(obj, stored)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count what goes along; the service refuses while nodes are in use."""
        counts = {
            str(Space._meta.verbose_name_plural): len(objs),
            str(Node._meta.verbose_name_plural): Node.objects.filter(space__in=objs).count(),
        }
        return [str(each) for each in objs], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        services.space_delete(acting_user=staff(request), space=obj)


def _or_zero(count: Any) -> Any:
    return Coalesce(Subquery(count, output_field=IntegerField()), Value(0))
