"""The form of a golden question: its words, and a row for each node that answers it."""

import uuid
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from knowledge.admin.access import has_role
from knowledge.admin.node_forms import TagsField
from knowledge.choices import NodeStatus
from knowledge.models import GoldenQuestion, GoldenTarget
from knowledge.models.evaluation import QUESTION_LIMIT
from project.accounts.choices import Role
from project.http.admin_base import AcervoTabularInline, RefusalForm, display

FIELDS = ("question", "language", "tags", "notes", "is_active")
"""What the form hands to the services, beside the nodes."""


class GoldenForm(RefusalForm):
    """A golden question; its nodes are rows below."""

    question = forms.CharField(
        label=gettext_lazy("Question"),
        max_length=QUESTION_LIMIT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=gettext_lazy("As somebody would ask it."),
    )
    tags = TagsField(label=gettext_lazy("Tags"), max_length=5000, widget=UnfoldAdminTextInputWidget)

    notes = forms.CharField(
        label=gettext_lazy("Notes"),
        required=False,
        max_length=5000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=gettext_lazy("Why it matters, or who asked."),
    )

    class Meta:
        model = GoldenQuestion
        fields = ("space", *FIELDS)


class TargetForm(forms.ModelForm):
    """A node that answers; one that was deleted may stay, to be seen."""

    class Meta:
        model = GoldenTarget
        fields = ("node", "grade")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding and self.instance.is_lost and "node" in self.fields:
            self.fields["node"].required = False


class Targets(AcervoTabularInline):
    """The nodes that answer the question."""

    model = GoldenTarget
    form = TargetForm
    fields: ClassVar[Any] = ("node", "grade", "state")
    readonly_fields = ("state",)
    autocomplete_fields = ("node",)
    tab = False
    min_num = 1

    @display(description=gettext_lazy("state"))
    def state(self, target: GoldenTarget) -> str | SafeString:
        """Show what has become of the node."""
        if target._state.adding:
            return ""
        if target.node is None:
            text = _("Deleted: %(title)s") % {"title": target.title}
            return format_html('<span class="ac-badge ac-danger">✕ {}</span>', text)
        return format_html(
            '<a class="ac-link" href="{}">{}</a> <small>{}</small>',
            target.node.get_absolute_url(), _("Read"), target.node.get_status_display(),
        )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch the nodes along."""
        return super().get_queryset(request).select_related("node__space")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer nodes without the links that make or change one."""
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        for link in ("add", "change", "delete", "view"):
            setattr(field.widget, f"can_{link}_related", False)
        return field

    def _may(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_role(request, Role.EDITOR, obj.space_id if obj else None)

    has_view_permission = has_add_permission = has_change_permission = has_delete_permission = _may


class StateFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """Questions whose nodes are gone or not published."""

    title = gettext_lazy("nodes")
    parameter_name = "nodes"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [("lost", _("A node was deleted")), ("hidden", _("A node is not published"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the questions with such a node."""
        match self.value():
            case "lost":
                return queryset.filter(targets__node=None).distinct()
            case "hidden":
                hidden = GoldenTarget.objects.exclude(node=None).exclude(
                    node__status=NodeStatus.PUBLISHED
                )
                return queryset.filter(targets__in=hidden).distinct()
        return queryset


def grades_of(formset: Any) -> dict[uuid.UUID, int]:
    """Return the nodes of the rows with their grades, those that were deleted by their old ids."""
    grades: dict[uuid.UUID, int] = {}
    for form in formset.forms:
        cleaned = getattr(form, "cleaned_data", None)
        if not cleaned or cleaned.get("DELETE"):
            continue
        node = cleaned.get("node")
        if node is not None:
            grades[node.pk] = cleaned["grade"]
        elif not form.instance._state.adding:
            grades[form.instance.node_key] = cleaned["grade"]
    return grades
