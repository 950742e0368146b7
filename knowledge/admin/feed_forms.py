"""The form of a feed: what every feed has, and the settings of its connector."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from knowledge.admin.node_forms import TagsField
from knowledge.connectors import Connector, Setting
from knowledge.models import Feed
from project.http.admin_base import RefusalForm

PREFIX = "set_"
COMMON = (
    "name", "interval_minutes", "is_enabled", "language", "tags", "gone_after", "least_share",
    "secret_variable",
)  # fmt: skip
"""What the form hands to the services as it stands."""


class FeedForm(RefusalForm):
    """A feed. Its secret goes in and never comes out again."""

    tags = TagsField(
        label=gettext_lazy("Tags"),
        max_length=5000,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For everything that comes of it. Separate tags with commas."),
    )
    new_secret = forms.CharField(
        required=False,
        max_length=4000,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    clear_secret = forms.BooleanField(
        label=gettext_lazy("Remove the stored secret"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    class Meta:
        model = Feed
        fields = ("space", *COMMON)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_secret" in self.fields:
            has_secret = self.instance.has_secret
            self.fields["new_secret"].help_text = (
                _("One is set. Leave this empty to keep it, or type the one that replaces it.")
                if has_secret
                else _("None is set. It is stored encrypted and never shown again.")
            )
            self.fields["clear_secret"].disabled = not has_secret
        for name, field in self.fields.items():
            if name.startswith(PREFIX) and self.instance.settings:
                value = self.instance.settings.get(name.removeprefix(PREFIX), field.initial)
                self.initial.setdefault(name, _shown(value))

    def chosen(self) -> dict[str, Any]:
        """Return the settings of the connector as they were typed."""
        return {
            name.removeprefix(PREFIX): value
            for name, value in self.cleaned_data.items()
            if name.startswith(PREFIX)
        }

    def secret(self) -> str | None:
        """Return the new secret, "" to remove it, None to keep the stored one."""
        if self.cleaned_data.get("new_secret"):
            return str(self.cleaned_data["new_secret"])
        return "" if self.cleaned_data.get("clear_secret") else None


def form_for(connector: type[Connector]) -> type[FeedForm]:
    """Return the form of the feeds of one connector."""
    fields: dict[str, Any] = {
        f"{PREFIX}{setting.name}": _field(setting) for setting in connector.settings
    }
    if connector.secret_label:
        fields["new_secret"] = forms.CharField(
            label=str(connector.secret_label),
            required=False,
            max_length=4000,
            widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        )
    return type("ConnectorFeedForm", (FeedForm,), fields)


def setting_names(connector: type[Connector]) -> list[str]:
    """Return the names of the form's fields for a connector's settings."""
    return [f"{PREFIX}{setting.name}" for setting in connector.settings]


def _field(setting: Setting) -> forms.Field:
    shared: dict[str, Any] = {"label": setting.label, "help_text": setting.help}
    if setting.kind == "flag":
        return forms.BooleanField(
            required=False, initial=setting.default, widget=UnfoldBooleanSwitchWidget, **shared
        )
    shared |= {"required": setting.is_required, "initial": _shown(setting.default)}
    if setting.kind == "number":
        shared["required"] = True
        return forms.IntegerField(
            min_value=setting.least, max_value=setting.most,
            widget=UnfoldAdminIntegerFieldWidget, **shared,
        )  # fmt: skip
    if setting.kind == "list":
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
        return forms.CharField(max_length=20_000, widget=widget, **shared)
    return forms.CharField(max_length=2000, widget=UnfoldAdminTextInputWidget, **shared)


def _shown(value: Any) -> Any:
    return "\n".join(value) if isinstance(value, list) else value
