"""Keeping to budgets: exact also when many calls are made at once.

1. Before a call its greatest possible cost is held: the row of the budget is locked, and what the
   month has spent, what others hold, and this together must stay within it.
2. With the usage records of the call, in their statement, its true cost is counted and the hold
   is let go (`project.inference.usage`).

Tokens of a prompt are estimated before the call, on the high side.
"""

import datetime
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Q, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from project.inference.budget_models import (
    BudgetNotice,
    SpaceBudget,
    SpaceSpending,
    SpendingHold,
)
from project.inference.models import ModelEndpoint
from project.inference.signals import budget_passed

CHARS_A_TOKEN = 3  # fewer than a token has, so that the estimate is high
NOTICED = (80, 100)
"""Percentages of a budget at which somebody is told, once a month each."""
MARGIN = datetime.timedelta(seconds=60)


SPENDING_COUNTED = """
    used AS (
        SELECT space_id, sum(cost) AS cost,
            coalesce(sum(prompt_tokens + completion_tokens) FILTER (WHERE kind = 'chat'), 0)
                AS tokens
        FROM given GROUP BY space_id ORDER BY space_id
    ), counted AS (
        INSERT INTO inference_spacespending AS known (space_id, month, tokens, cost)
        SELECT space_id, %s, tokens, cost FROM used WHERE tokens > 0 OR cost > 0
        ON CONFLICT (space_id, month) DO UPDATE SET
            tokens = known.tokens + excluded.tokens, cost = known.cost + excluded.cost
    ), let_go AS (
        DELETE FROM inference_spendinghold WHERE id = %s
    )
SELECT budget.space_id FROM inference_spacebudget AS budget
WHERE EXISTS (SELECT FROM used WHERE used.space_id IS NOT DISTINCT FROM budget.space_id)
"""
"""The end of a statement that records calls, whose rows are `given`: counts what they have used in
a month, lets a hold go, and returns the spaces among them that have a budget. Tokens are those of
language models; money is that of every call. In one order: two that count for the same spaces do
not wait for each other."""


def has_budget_of(space_column: str) -> str:
    """Return an SQL expression: whether the space in that column (may be NULL) has a budget."""
    return (
        "EXISTS (SELECT FROM inference_spacebudget AS budget"  # noqa: S608 - a name of a column
        f" WHERE budget.space_id IS NOT DISTINCT FROM {space_column})"
    )


class BudgetUsedUp(Exception):
    """The budget has no room for the call."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a space has used this month."""

    tokens: int = 0
    cost: Decimal = Decimal(0)


def month_of(moment: datetime.datetime) -> datetime.date:
    """Return the first day of the month, in UTC, as budgets count months."""
    return moment.astimezone(datetime.UTC).date().replace(day=1)


def spent(space_id: uuid.UUID | None) -> Spent:
    """Return what a space has used this month."""
    row = SpaceSpending.objects.filter(space_id=space_id, month=month_of(timezone.now())).first()
    return Spent(row.tokens, row.cost) if row is not None else Spent()


def budget_hold(
    space_id: uuid.UUID | None,
    *,
    prompt_chars: int,
    max_tokens: int,
    endpoints: Sequence[ModelEndpoint],
) -> uuid.UUID | None:
    """Hold what a call may cost at most; return the hold, None where the space has no budget.

    Raises BudgetUsedUp. The dearest endpoint and the longest time count.
    """
    if not SpaceBudget.objects.filter(space_id=space_id).exists():
        return None
    prompt = -(-prompt_chars // CHARS_A_TOKEN)
    cost = max((each.cost_of(prompt, max_tokens) for each in endpoints), default=Decimal(0))
    seconds = max((each.total_timeout for each in endpoints), default=0.0)
    until = datetime.timedelta(seconds=seconds) + MARGIN
    with transaction.atomic():
        budget = SpaceBudget.objects.select_for_update().filter(space_id=space_id).first()
        if budget is None:
            return None
        if _has_room(budget, prompt + max_tokens, cost):
            hold = SpendingHold.objects.create(
                space_id=space_id,
                tokens=prompt + max_tokens,
                cost=cost,
                until=timezone.now() + until,
            )
            return hold.pk
        SpaceBudget.objects.filter(pk=budget.pk).update(used_up_at=Now())
        _tell(space_id, NOTICED[-1])
    raise BudgetUsedUp


def _has_room(budget: SpaceBudget, tokens: int, cost: Decimal) -> bool:
    holds = SpendingHold.objects.filter(space_id=budget.space_id)
    holds.filter(until__lt=timezone.now()).delete()
    # In one statement: a call that ends in between turns what it held into what is spent, and two
    # statements would count it twice, or not at all.
    month = SpaceSpending.objects.filter(
        space_id=budget.space_id, month=month_of(timezone.now())
    ).values("tokens", "cost")
    held = holds.values("space_id").annotate(held_tokens=Sum("tokens"), held_cost=Sum("cost"))
    known = SpaceBudget.objects.filter(pk=budget.pk).values_list(
        Coalesce(Subquery(month.values("tokens")[:1]), 0)
        + Coalesce(Subquery(held.values("held_tokens")[:1]), 0),
        Coalesce(Subquery(month.values("cost")[:1]), Decimal(0))
        + Coalesce(Subquery(held.values("held_cost")[:1]), Decimal(0)),
    )
    known_tokens, known_cost = known.get()
    most_tokens, most_cost = budget.tokens_per_month, budget.cost_per_month
    return (most_tokens is None or known_tokens + tokens <= most_tokens) and (
        most_cost is None or known_cost + cost <= most_cost
    )


@transaction.atomic
def notices_note(spaces: Iterable[uuid.UUID | None]) -> None:
    """Tell of the budgets of these spaces that have passed a mark, if nobody has yet."""
    for budget in SpaceBudget.objects.filter(_any_of(set(spaces))).order_by("pk"):
        share = share_spent(budget)
        for percent in NOTICED:
            if share * 100 >= percent:
                _tell(budget.space_id, percent)


def share_spent(budget: SpaceBudget) -> Decimal:
    """Return the greater share of tokens and money that this month has used; 1 is all."""
    used = spent(budget.space_id)
    shares = [Decimal(0)]
    if budget.tokens_per_month is not None:
        shares.append(Decimal(used.tokens) / max(1, budget.tokens_per_month))
    if budget.cost_per_month is not None:
        shares.append(used.cost / max(Decimal("0.0001"), budget.cost_per_month))
    return max(shares)


def _any_of(spaces: set[uuid.UUID | None]) -> Q:
    named = [each for each in spaces if each is not None]
    return Q(space_id__in=named) | (Q(space_id=None) if None in spaces else Q(pk__in=[]))


def _tell(space_id: uuid.UUID | None, percent: int) -> None:
    """Note that the month has used so much, if it is the first to see it."""
    month = month_of(timezone.now())
    notice, is_new = BudgetNotice.objects.get_or_create(
        space_id=space_id, month=month, percent=percent
    )
    if is_new:
        budget_passed.send(sender=BudgetNotice, notice=notice)
