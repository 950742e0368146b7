"""The word lists and budgets of spaces in the admin."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget

from chat.choices import WordAction
from chat.models import SpaceWord
from chat.services.words import word_delete, word_save
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.models import Space
from project.accounts.choices import Role
from project.http.admin_base import (
    AcervoAdmin,
    RefusalForm,
    badge,
    display,
    plain_decimal,
    reflect,
)
from project.inference.budgets import month_of, share_spent, spent
from project.inference.models import SpaceBudget

NEARLY = Decimal("0.8")
"""The share of a budget from which on its page says that it is nearly used up."""


@admin.register(SpaceWord)
class SpaceWordAdmin(SpaceScopedAdmin):
    """Watched words, kept by the managers of their space."""

    view_role = add_role = change_role = delete_role = Role.MANAGER
    list_display = ("phrase", "action_badge", "space", "note", "created_by", "created_at")
    list_select_related = ("space", "created_by")
    list_filter = (("action", ChoicesDropdownFilter), ("space", RelatedDropdownFilter))
    search_fields = ("phrase", "note")
    ordering = ("space", "folded")
    fields = ("space", "phrase", "action", "note")
    empty_title = gettext_lazy("No watched words")
    empty_words = gettext_lazy(
        "Words and phrases that questions in a space are held against: they are refused, or"
        " answered and marked in their trace. Questions over all spaces are held against the words"
        " of all that the person may read."
    )

    @display(description=gettext_lazy("what happens"), ordering="action")
    def action_badge(self, word: SpaceWord) -> SafeString:
        """Show what the word does."""
        tone = "danger" if word.action == WordAction.REFUSE else "warning"
        return badge(word.get_action_display(), tone)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only the spaces that the person manages."""
        if db_field.name == "space":
            kwargs["queryset"] = Space.objects.with_role(staff(request), Role.MANAGER)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the word to the service."""
        reflect(obj, word_save(acting_user=staff(request), word=obj))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        word_delete(acting_user=staff(request), word=obj)


class BudgetForm(RefusalForm):
    """A budget, its space by name."""

    space = forms.ModelChoiceField(
        Space.objects.none(),
        label=gettext_lazy("Space"),
        required=False,
        empty_label=gettext_lazy("Questions over all spaces"),
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = SpaceBudget
        fields = ("tokens_per_month", "cost_per_month")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "space" in self.fields:
            field = self.fields["space"]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = Space.objects.order_by("name", "pk")
            field.initial = self.instance.space_id

    def clean(self) -> dict[str, Any]:
        """Refuse a second budget for one space."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        space = data.get("space")
        self.instance.space_id = space.pk if space is not None else None
        same = SpaceBudget.objects.filter(space_id=self.instance.space_id)
        if same.exclude(pk=self.instance.pk).exists():
            self.add_error("space", _("It has a budget already: change that one."))
        return data


@admin.register(SpaceBudget)
class SpaceBudgetAdmin(AcervoAdmin):
    """Managers see how their spaces stand; setting a budget needs Django's permission."""

    form = BudgetForm
    list_display = ("named", "state", "tokens", "money", "used_up_at")
    list_display_links = ("named",)
    fields = ("space", "tokens_per_month", "cost_per_month")
    empty_title = gettext_lazy("No budgets")
    empty_words = gettext_lazy(
        "What a space may spend on language models in a month. When it is used up, answers are put"
        " together from passages, and say so."
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the budgets of the spaces that the person manages; all for who may set them."""
        rows = super().get_queryset(request)
        if self._may_set(request):
            return rows
        managed = Space.objects.with_role(staff(request), Role.MANAGER)
        return rows.filter(space_id__in=managed.values("pk"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Managers read the name of the space."""
        return () if self._may_set(request) else ("named", "tokens_per_month", "cost_per_month")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Managers read the name of the space."""
        limits = ("tokens_per_month", "cost_per_month")
        return ("space", *limits) if self._may_set(request) else ("named", *limits)

    @display(description=gettext_lazy("space"))
    def named(self, budget: SpaceBudget) -> str:
        """Show the name of the space."""
        if budget.space_id is None:
            return _("Questions over all spaces")
        name = Space.objects.filter(pk=budget.space_id).values_list("name", flat=True).first()
        return name or _("a space that is gone")

    @display(description=gettext_lazy("this month"))
    def state(self, budget: SpaceBudget) -> SafeString:
        """Show how much of the budget is used."""
        share = share_used(budget)
        words = _("%(percent)s%% used") % {"percent": number_format(int(share * 100))}
        return badge(words, "danger" if share >= 1 else "warning" if share >= NEARLY else "success")

    @display(description=gettext_lazy("tokens"))
    def tokens(self, budget: SpaceBudget) -> str:
        """Show the tokens used, of how many."""
        most = budget.tokens_per_month
        used = number_format(spent(budget.space_id).tokens, force_grouping=True)
        return f"{used} / {'∞' if most is None else number_format(most, force_grouping=True)}"

    @display(description=gettext_lazy("money"))
    def money(self, budget: SpaceBudget) -> str:
        """Show the money used, of how much."""
        most = budget.cost_per_month
        used = plain_decimal(spent(budget.space_id).cost)
        return f"{used} / {'∞' if most is None else plain_decimal(most)}"

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Managers of any space see the list."""
        return has_role(request, Role.MANAGER) or self._may_set(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Managers see the budgets of their spaces."""
        space = obj.space_id if isinstance(obj, SpaceBudget) else None
        is_managed = obj is None or isinstance(space, uuid.UUID)
        return self._may_set(request) or (is_managed and has_role(request, Role.MANAGER, space))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Money is set by whoever Django's permissions name."""
        return self._may_set(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for adding."""
        return self._may_set(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for adding."""
        return self._may_set(request)

    @staticmethod
    def _may_set(request: HttpRequest) -> bool:
        # Asked of whoever comes to the sign-in page, too.
        return request.user.has_perm("inference.change_spacebudget")


def share_used(budget: SpaceBudget) -> Decimal:
    """Return the greater share of tokens and money that a budget's month has used.

    All of it where a call was refused this month: what is left was too little for it.
    """
    refused = budget.used_up_at
    if refused is not None and month_of(refused) == month_of(timezone.now()):
        changed_since = budget.updated_at > refused
        if not changed_since:
            return Decimal(1)
    return share_spent(budget)


def used_up(rows: Any) -> int:
    """Return how many budgets have no room for an ordinary call, or nearly none."""
    return sum(share_used(each) >= NEARLY for each in rows)
