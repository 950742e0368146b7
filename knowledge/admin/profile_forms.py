"""The forms of retrieval profiles: every knob with what it does, and where a version is to hold."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.knobs import GROUPS, KNOBS, Profile
from knowledge.models import Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.inference.choices import Purpose
from project.inference.models import ModelEndpoint

INSTALLATION = "installation"


class KnobsForm(forms.Form):
    """All knobs of a new version, beginning from another one, and a note."""

    note = forms.CharField(
        label=gettext_lazy("What this version is for"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "ac-input"}),
    )

    def __init__(self, *args: Any, base: Profile, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, about in KNOBS.items():
            self.fields[name] = _field(about, getattr(base, name))

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the knobs in their groups, for the page."""
        return [
            (
                str(title),
                [self[name] for name, each in KNOBS.items() if each.metadata["group"] == group],
            )
            for group, title in GROUPS.items()
        ]

    def knobs(self) -> dict[str, Any]:
        """Return the knobs as they were typed."""
        return {name: self.cleaned_data[name] for name in KNOBS}


class PlaceForm(forms.Form):
    """For what a version is to hold, and why."""

    place = forms.ChoiceField(label=gettext_lazy("Where"))
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2000,
        help_text=gettext_lazy("Kept with who and when."),
        widget=forms.TextInput(attrs={"class": "ac-input"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        spaces = Space.objects.with_role(user, Role.MANAGER).order_by("name")
        self.spaces = {str(space.pk): space for space in spaces}
        choices = [
            (key, _("Space “%(name)s”") % {"name": each}) for key, each in self.spaces.items()
        ]
        if user.is_superuser:
            choices.insert(0, (INSTALLATION, _("The installation")))
        place: Any = self.fields["place"]
        place.choices = choices
        place.widget.attrs["class"] = "ac-select"

    @property
    def space(self) -> Space | None:
        """The space that was chosen; None for the installation."""
        return self.spaces.get(self.cleaned_data["place"])


def _field(about: Any, value: Any) -> forms.Field:
    shared = {
        "label": about.metadata["label"],
        "help_text": about.metadata["help"],
        "initial": value,
    }
    if isinstance(about.default, str):
        rows = ModelEndpoint.objects.filter(purpose=Purpose.RERANK, is_active=True)
        choices = [("", _("None")), *((str(row.pk), row.name) for row in rows.order_by("name"))]
        return forms.ChoiceField(
            **shared,
            choices=choices,
            required=False,
            widget=forms.Select(attrs={"class": "ac-select"}),
        )
    low, high = about.metadata["low"], about.metadata["high"]
    is_whole = isinstance(about.default, int)
    kind = forms.IntegerField if is_whole else forms.FloatField
    attributes = {"class": "ac-input", "step": 1 if is_whole else "any"}
    return kind(**shared, min_value=low, max_value=high, widget=forms.NumberInput(attrs=attributes))
