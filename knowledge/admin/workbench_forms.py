"""What the workbench is asked: a question with its filters, and what to compare it with."""

from __future__ import annotations

import io
import uuid
from dataclasses import replace
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ParseError

from knowledge.admin.access import staff
from knowledge.admin.workbench_sides import Side, generation_name, profile_name, side_name
from knowledge.choices import SearchMode
from knowledge.models import IndexGeneration, RetrievalProfile, Space
from knowledge.moments import time_of
from knowledge.types import MAX_RESULTS, SearchRequest
from project.http.errors import ApiError, Invalid
from project.http.parsers import JsonParser

QUERY_LIMIT = 2000
FILTERS = (
    "limit",
    "kinds",
    "tags",
    "language",
    "created_after",
    "created_before",
    "external_ids",
    "metadata",
    "min_score",
    "as_of",
    "release",
    "profile",
    "generation",
)
OTHERS = ("b_profile", "b_generation", "b_mode", "b_as_of", "b_release")
"""The fields of the other side; one that is empty is as on this side."""


def _select(**attrs: Any) -> forms.Select:
    return forms.Select(attrs={"class": "ac-select", **attrs})


def _text(**attrs: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "ac-input", **attrs})


class WorkbenchForm(forms.Form):
    """The question, where to look, and the other side of a comparison."""

    q = forms.CharField(
        label=gettext_lazy("Question"),
        max_length=QUERY_LIMIT,
        required=False,
        widget=_text(type="search", autocomplete="off"),
    )
    space = forms.ModelChoiceField(
        Space.objects.none(),
        label=gettext_lazy("Space"),
        required=False,
        empty_label=gettext_lazy("All that you may read"),
        widget=_select(),
    )
    mode = forms.ChoiceField(
        choices=SearchMode.choices,
        label=gettext_lazy("Mode"),
        required=False,
        widget=_select(),
    )
    limit = forms.IntegerField(
        label=gettext_lazy("Results"),
        min_value=1,
        max_value=MAX_RESULTS,
        required=False,
        widget=forms.NumberInput(attrs={"class": "ac-input", "placeholder": "10"}),
    )
    kinds = forms.CharField(label=gettext_lazy("Kinds"), required=False, widget=_text())
    tags = forms.CharField(label=gettext_lazy("Tags"), required=False, widget=_text())
    language = forms.CharField(
        label=gettext_lazy("Language of the nodes"),
        max_length=10,
        required=False,
        widget=_text(),
    )
    created_after = forms.DateTimeField(
        label=gettext_lazy("Made from"),
        required=False,
        widget=forms.DateInput(attrs={"class": "ac-input", "type": "date"}),
    )
    created_before = forms.DateTimeField(
        label=gettext_lazy("Made before"),
        required=False,
        widget=forms.DateInput(attrs={"class": "ac-input", "type": "date"}),
    )
    external_ids = forms.CharField(
        label=gettext_lazy("External ids"), required=False, widget=_text()
    )
    metadata = forms.CharField(
        label=gettext_lazy("Metadata (JSON)"),
        required=False,
        widget=_text(placeholder='{"region": "north"}'),
    )
    min_score = forms.FloatField(
        label=gettext_lazy("Least score"),
        min_value=0,
        max_value=1,
        required=False,
        widget=forms.NumberInput(attrs={"class": "ac-input", "step": "0.01"}),
    )
    as_of = forms.CharField(
        label=gettext_lazy("As of"),
        required=False,
        widget=_text(placeholder="2026-03-01"),
    )
    release = forms.CharField(
        label=gettext_lazy("Release"), max_length=120, required=False, widget=_text()
    )
    profile = forms.ModelChoiceField(
        RetrievalProfile.objects.none(),
        label=gettext_lazy("Retrieval profile"),
        required=False,
        empty_label=gettext_lazy("The active one"),
        widget=_select(),
    )
    generation = forms.ModelChoiceField(
        IndexGeneration.objects.none(),
        label=gettext_lazy("Index generation"),
        required=False,
        empty_label=gettext_lazy("The one that serves"),
        widget=_select(),
    )
    b_profile = forms.ModelChoiceField(
        RetrievalProfile.objects.none(),
        label=gettext_lazy("Retrieval profile"),
        required=False,
        empty_label=gettext_lazy("As on the left"),
        widget=_select(),
    )
    b_generation = forms.ModelChoiceField(
        IndexGeneration.objects.none(),
        label=gettext_lazy("Index generation"),
        required=False,
        empty_label=gettext_lazy("As on the left"),
        widget=_select(),
    )
    b_mode = forms.ChoiceField(
        choices=[("", gettext_lazy("As on the left")), *SearchMode.choices],
        label=gettext_lazy("Mode"),
        required=False,
        widget=_select(),
    )
    b_as_of = forms.CharField(
        label=gettext_lazy("As of"), required=False, widget=_text(placeholder="2026-03-01")
    )
    b_release = forms.CharField(
        label=gettext_lazy("Release"), max_length=120, required=False, widget=_text()
    )

    def __init__(self, request: HttpRequest) -> None:
        """Offer what the person may name."""
        super().__init__(request.GET or None)
        user = staff(request)
        fields: dict[str, Any] = self.fields
        if not self.is_bound:
            fields["q"].widget.attrs["autofocus"] = True
        fields["space"].queryset = Space.objects.visible_to(user).order_by("name")
        for name in ("profile", "b_profile"):
            fields[name].queryset = RetrievalProfile.objects.visible_to(user)
            fields[name].label_from_instance = profile_name
        for name in ("generation", "b_generation"):
            fields[name].queryset = _generations(user)
            fields[name].label_from_instance = generation_name

    def clean_metadata(self) -> dict[str, Any] | None:
        """Return the metadata that nodes must contain."""
        text = self.cleaned_data["metadata"].strip()
        if not text:
            return None
        try:
            found = JsonParser().parse(io.BytesIO(text.encode()))
        except Invalid as error:
            raise forms.ValidationError(error.message) from None
        except ParseError:
            found = None
        if not isinstance(found, dict):
            raise forms.ValidationError(_('Write an object of JSON, such as {"region": "north"}.'))
        return found

    def clean_as_of(self) -> Any:
        """Return the moment that is searched."""
        return _moment(self.cleaned_data["as_of"])

    def clean_b_as_of(self) -> Any:
        """Return the moment of the other side."""
        return _moment(self.cleaned_data["b_as_of"])

    def is_comparison(self) -> bool:
        """Whether there is another side."""
        return any(self.cleaned_data.get(name) for name in OTHERS)

    def filters_set(self) -> int:
        """Return how many filters and states the address names, for the folded part of the page."""
        return sum(bool(self.data.get(name, "").strip()) for name in FILTERS)

    def has_filters(self) -> bool:
        """Whether the folded part has something to show."""
        return self.filters_set() > 0

    def has_other(self) -> bool:
        """Whether the address names another side."""
        return any(self.data.get(name, "").strip() for name in OTHERS)

    def sides(self) -> list[Side]:
        """Return the searches that are asked for, one or two."""
        data = self.cleaned_data
        asked = SearchRequest(
            query=data["q"],
            limit=data["limit"] or 10,
            spaces=(data["space"].pk,) if data["space"] else None,
            language=data["language"].strip() or None,
            created_after=data["created_after"],
            created_before=data["created_before"],
            metadata=data["metadata"],
            mode=SearchMode(data["mode"] or SearchMode.HYBRID),
            min_score=data["min_score"],
            as_of=data["as_of"],
            release=data["release"].strip() or None,
            generation=_pk(data["generation"]),
            profile=_pk(data["profile"]),
            explain=True,
            kinds=_words(data["kinds"]),
            tags=_words(data["tags"]),
            external_ids=_words(data["external_ids"]),
        )
        sides = [Side("a", asked, side_name(asked, data["profile"], data["generation"]))]
        if self.is_comparison():
            sides.append(self._other(asked))
        return sides

    def _other(self, asked: SearchRequest) -> Side:
        data = self.cleaned_data
        changes: dict[str, Any] = {}
        if data["b_profile"]:
            changes["profile"] = data["b_profile"].pk
        if data["b_generation"]:
            changes["generation"] = data["b_generation"].pk
        if data["b_mode"]:
            changes["mode"] = SearchMode(data["b_mode"])
        if data["b_as_of"] or data["b_release"].strip():
            changes |= {"as_of": data["b_as_of"], "release": data["b_release"].strip() or None}
        other = replace(asked, **changes)
        name = side_name(
            other,
            data["b_profile"] or data["profile"],
            data["b_generation"] or data["generation"],
        )
        return Side("b", other, name)


def _pk(row: Any) -> uuid.UUID | None:
    return row.pk if row else None


def _words(text: str) -> tuple[str, ...] | None:
    """Return the words between commas; None for none."""
    found = tuple(word for each in text.split(",") if (word := each.strip()))
    return found or None


def _moment(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return time_of(text.strip())
    except ApiError as error:
        raise forms.ValidationError(error.message) from None


def _generations(user: Any) -> QuerySet[IndexGeneration]:
    rows: QuerySet[IndexGeneration] = IndexGeneration.objects.searchable_by(user)
    return rows.select_related("space").order_by("space__name", "-created_at")
