"""The form of a node: Markdown with a preview, tags as text, and the version it was made from."""

import json
from typing import Any, ClassVar

from django import forms
from django.forms.fields import InvalidJSONInput
from django.forms.widgets import Script
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from knowledge.admin.merge_marks import has_marks
from knowledge.merging.text import with_line_ends_of
from knowledge.models import Node
from project.http.admin_base import RefusalForm

FIELDS = (
    "kind",
    "title",
    "content",
    "language",
    "tags",
    "metadata",
    "owner",
    "external_id",
    "valid_from",
    "valid_until",
    "review_due",
)
"""What the form hands to the services."""

KINDS = ("article", "policy", "procedure", "faq", "product", "incident", "guide", "definition")
"""Proposed while typing; any other may be typed too."""


class MarkdownEditor(forms.Textarea):
    """A text area with a toolbar and a preview; without scripts it is a text area."""

    template_name = "admin/knowledge/node/editor.html"

    class Media:
        js: ClassVar[list[Any]] = [Script("acervo/admin/editor.js", type="module")]

    def _render(self, template_name: str, context: Any, renderer: Any = None) -> SafeString:
        # The renderer of forms does not look where the project keeps its templates.
        return mark_safe(render_to_string(template_name, context))  # noqa: S308 - the template escapes


class MetadataText(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # the theme has no types
    """A text area beside which a script shows what the kind wants."""

    class Media:
        js: ClassVar[list[Any]] = [Script("acervo/admin/kinds.js", type="module")]


class TagsField(forms.CharField):
    """Tags as text with commas between them."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", _("Separate tags with commas."))
        super().__init__(required=False, **options)

    def prepare_value(self, value: Any) -> Any:
        """Return the text of a list of tags."""
        return ", ".join(value) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> Any:
        """Return the tags, each once, in order."""
        if isinstance(value, (list, tuple)):
            return list(value)
        names = (each.strip() for each in (value or "").split(","))
        return list(dict.fromkeys(name for name in names if name))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the tags differ."""
        return bool(list(initial or []) != self.to_python(data))


class JsonObjectField(forms.JSONField):
    """A JSON object, shown with one pair a line."""

    def prepare_value(self, value: Any) -> Any:
        """Return the object as readable text; what was typed stays as it is."""
        if isinstance(value, dict) or value is None:
            return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
        return super().prepare_value(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed, as text where it cannot be shown as a value."""
        try:
            value = super().bound_data(data, initial)
            json.dumps(value, ensure_ascii=False).encode()
        except (RecursionError, UnicodeEncodeError):
            return InvalidJSONInput(data)
        return value

    def to_python(self, value: Any) -> Any:
        """Return what the text says. Raises ValidationError for what cannot be stored, too."""
        try:
            found = super().to_python(value)
            json.dumps(found, ensure_ascii=False).encode()
        except RecursionError:
            raise forms.ValidationError(_("This is nested too deeply.")) from None
        except UnicodeEncodeError:
            message = _("The text holds characters that cannot be stored.")
            raise forms.ValidationError(message) from None
        return found

    def clean(self, value: Any) -> Any:
        """Return the object; nothing typed is an empty one."""
        return super().clean(value) or {}


class NodeForm(RefusalForm):
    """A node as curators write it.

    `expected_version` is the version that the form was filled from or merged with, `merged_from`
    the one that the writer began with when they are two.
    """

    content = forms.CharField(
        label=_("Content"),
        required=False,
        strip=False,
        widget=MarkdownEditor(attrs={"rows": 26}),
    )
    tags = TagsField(label=_("Tags"), max_length=5000, widget=UnfoldAdminTextInputWidget)
    metadata = JsonObjectField(
        label=_("Metadata"),
        required=False,
        help_text=_("A JSON object, or nothing."),
        widget=MetadataText(attrs={"rows": 6, "class": "ac-code"}),
    )
    reason = forms.CharField(
        label=_("Reason for this version"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Kept with the version, for those who read its history."),
    )
    expected_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    merged_from = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    class Meta:
        model = Node
        fields = ("space", *FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding and "expected_version" in self.fields:
            self.fields["expected_version"].initial = self.instance.version

    def clean_content(self) -> str:
        """Return the text with the line ends it had: browsers send their own kind."""
        typed = _unified(self.cleaned_data["content"])
        stored: str = self.instance.content
        return stored if typed == _unified(stored) else with_line_ends_of(typed, stored)

    def clean_expected_version(self) -> int | None:
        """Return the version that may be replaced; a form for a stored node must name it."""
        expected: int | None = self.cleaned_data["expected_version"]
        if expected is None and not self.instance._state.adding:
            raise forms.ValidationError(_("The form does not say which version it was made from."))
        return expected

    def clean(self) -> dict[str, Any]:
        """Refuse a merged text in which places are still marked as undecided."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("merged_from") and has_marks(cleaned.get("content", "")):
            message = _("Places of the text are still undecided; they are marked with <<<<<<<.")
            self.add_error("content", message)
        return cleaned


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
