"""The forms of kinds: the schema as text, and the plan to change it."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from knowledge.admin.cutting_forms import CuttingForm, cutting_initial
from knowledge.admin.node_forms import JsonObjectField
from knowledge.cuttings import cutting_told
from knowledge.metadata.outline import FieldFact, fields_of
from knowledge.metadata.schemas import BadSchema, schema_check
from knowledge.models import Kind
from project.accounts.models import User
from project.http.admin_base import RefusalForm

FIELDS = ("title", "description", "metadata_schema")
CODE = {"class": "ac-input ac-code", "spellcheck": "false"}
EXAMPLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "audience": {"type": "string", "description": "Whom it is for"},
        "level": {"enum": ["basic", "advanced"]},
        "effective": {"type": "string", "format": "date"},
    },
    "required": ["audience"],
    "additionalProperties": False,
}
STEP_EXAMPLES: dict[str, dict[str, Any]] = {
    "rename": {"op": "rename", "path": "mail", "to": "email"},
    "default": {"op": "default", "path": "level", "value": "basic"},
    "remove": {"op": "remove", "path": "fax"},
    "move": {"op": "move", "from": "email", "to": "contact.email"},
    "copy": {"op": "copy", "from": "owner", "to": "contact.name"},
    "convert": {"op": "convert", "path": "effective", "to": "date"},
    "map": {"op": "map", "path": "level", "values": {"easy": "basic"}},
}


class KindForm(CuttingForm, RefusalForm):
    """A kind, with its schema as text that says what is wrong with it, and where."""

    metadata_schema = JsonObjectField(
        label=gettext_lazy("Metadata schema"),
        required=False,
        help_text=gettext_lazy("JSON Schema, draft 2020-12; empty for any metadata."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18, "class": "ac-code"}),
    )

    class Meta:
        model = Kind
        fields = ("space", "name", *FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kind = kwargs.get("instance")
        if kind is not None:
            cutting = cutting_initial(cutting_told(kind.chunking))
            kwargs["initial"] = cutting | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)

    def clean_metadata_schema(self) -> Any:
        """Refuse what cannot be used, naming every place."""
        schema = self.cleaned_data["metadata_schema"]
        try:
            schema_check(schema)
        except BadSchema as error:
            raise forms.ValidationError([str(problem) for problem in error.problems]) from None
        return schema


class StepsField(JsonObjectField):
    """A JSON list, shown with one step a line."""

    def prepare_value(self, value: Any) -> Any:
        """Return the list as readable text; what cannot be read stays as it was typed."""
        if not isinstance(value, list):
            return super().prepare_value(value)
        lines = (f"  {json.dumps(step, ensure_ascii=False)}" for step in value)
        return "[\n" + ",\n".join(lines) + "\n]" if value else "[]"


class PlanForm(forms.Form):
    """The schema to come, and the steps to it."""

    schema = JsonObjectField(
        label=gettext_lazy("New schema"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 18, **CODE}),
    )
    steps = StepsField(
        label=gettext_lazy("Steps"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 10, "data-steps": "", **CODE}),
    )

    def clean_steps(self) -> Any:
        """Return the steps; nothing typed is none."""
        return self.cleaned_data["steps"] or []


@dataclass(frozen=True, slots=True)
class WantedFields:
    """What a kind wants of metadata, for those who fill it in."""

    kind: Kind
    facts: list[FieldFact]


def kinds_wanted(user: User) -> list[WantedFields]:
    """Return the kinds with a schema that a person's nodes may have."""
    rows = Kind.objects.visible_to(user).exclude(metadata_schema={}).order_by("name", "pk")[:200]
    return [WantedFields(kind, fields_of(kind.metadata_schema)) for kind in rows]
