"""The fields that say how texts are cut, and the form that tries it."""

import json
from typing import Any, cast

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.chunking.cutting import DEFAULT, STRATEGIES, Cutting, CuttingFault, cutting_of
from knowledge.cutting_previews import MOST_CHARACTERS

NUMBERS = {
    parameter.name: parameter for each in STRATEGIES.values() for parameter in each.parameters
}
"""A field for each name; its range is the strategy's own."""
CUTTING_FIELDS = ("strategy", *NUMBERS)


def _strategies_of(name: str) -> str:
    """The strategies that take a parameter, for the script that hides it for the others."""
    taking = [
        each.name
        for each in STRATEGIES.values()
        if any(one.name == name for one in each.parameters)
    ]
    return " ".join(taking)


def _defaults_of(name: str) -> str:
    """The default of a parameter for each strategy, for the script that shows it."""
    return json.dumps(
        {
            each.name: parameter.default
            for each in STRATEGIES.values()
            for parameter in each.parameters
            if parameter.name == name
        }
    )


def _number(name: str) -> forms.IntegerField:
    parameter = NUMBERS[name]
    return forms.IntegerField(
        label=capfirst(cast("Any", parameter.title)),
        required=False,
        help_text=cast("Any", parameter.help),
        widget=forms.NumberInput(
            attrs={
                "class": "ac-input",
                "inputmode": "numeric",
                "data-defaults": _defaults_of(name),
                "data-of": _strategies_of(name),
            }
        ),
    )


class CuttingForm(forms.Form):
    """A strategy and its parameters; an empty parameter is its default."""

    strategy = forms.ChoiceField(
        label=gettext_lazy("Cut into passages"),
        choices=[(each.name, each.title) for each in STRATEGIES.values()],
        initial=DEFAULT,
        required=False,
        widget=forms.Select(attrs={"class": "ac-select", "data-cutting": ""}),
    )

    max_tokens = _number("max_tokens")
    overlap = _number("overlap")
    level = _number("level")
    rows = _number("rows")
    sentences = _number("sentences")
    repeated = _number("repeated")

    def clean(self) -> dict[str, Any]:
        """Put together what was chosen; the numbers of other strategies are let be."""
        data = super().clean() or self.cleaned_data
        strategy = STRATEGIES.get(data.get("strategy") or DEFAULT)
        if strategy is None or self.errors:
            return data
        value: dict[str, Any] = {"strategy": strategy.name}
        for parameter in strategy.parameters:
            if data.get(parameter.name) is not None:
                value[parameter.name] = data[parameter.name]
        try:
            data["cutting"] = cutting_of(value)
        except CuttingFault as fault:
            for name, message in fault.faults.items():
                self.add_error(name if name in self.fields else None, message)
        return data


def cutting_initial(cutting: Cutting) -> dict[str, Any]:
    """Return what the fields show for a cutting."""
    return {"strategy": cutting.strategy, **dict(cutting.values)}


class TryCuttingForm(CuttingForm):
    """A text, a node or a file, and how to cut it."""

    title = forms.CharField(
        label=gettext_lazy("Title"),
        required=False,
        max_length=300,
        help_text=gettext_lazy("Stands above every passage that is embedded."),
        widget=forms.TextInput(attrs={"class": "ac-input"}),
    )
    text = forms.CharField(
        label=gettext_lazy("Text"),
        required=False,
        max_length=MOST_CHARACTERS,
        strip=False,
        help_text=gettext_lazy("Markdown. A file, if one is chosen, goes before it."),
        widget=forms.Textarea(
            attrs={"class": "ac-input ac-code", "rows": 14, "spellcheck": "false"}
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a file"),
        required=False,
        help_text=gettext_lazy("Read as an upload would be, and not kept."),
        widget=forms.ClearableFileInput(attrs={"class": "ac-input"}),
    )

    def clean(self) -> dict[str, Any]:
        """Want something to cut."""
        data = super().clean()
        if not self.errors and not data.get("text", "").strip() and not data.get("file"):
            self.add_error("text", _("Write or paste a text, or choose a file."))
        return data
