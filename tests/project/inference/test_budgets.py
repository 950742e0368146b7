"""Budgets of spaces: never more than they hold, counted as the usage records are."""

import datetime
import threading
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone

from project.inference import budgets
from project.inference.budgets import BudgetUsedUp, budget_hold, spent
from project.inference.models import ModelEndpoint, SpaceBudget, SpendingHold, UsageRecord
from project.inference.types import TokenUsage, UsageContext
from project.inference.usage import usage_row, usage_store

ENDPOINT = ModelEndpoint(name="m", output_price=Decimal(1_000_000), total_timeout=60)


def hold(space: uuid.UUID | None, tokens: int = 100, **extra: Any) -> uuid.UUID | None:
    return budget_hold(space, prompt_chars=0, max_tokens=tokens, endpoints=[ENDPOINT], **extra)


def row(space: uuid.UUID | None, tokens: int, cost: str = "0", kind: str = "chat") -> UsageRecord:
    usage = TokenUsage(prompt_tokens=tokens, cost=Decimal(cost))
    context = UsageContext("answer", space_id=space)
    return usage_row(
        context=context, kind=kind, model="m", outcome="ok", latency_ms=1, tokens=usage
    )


@pytest.mark.django_db(transaction=True)
def test_of_many_calls_at_once_exactly_those_go_through_that_the_budget_holds() -> None:
    space = uuid.uuid4()
    SpaceBudget.objects.create(space_id=space, tokens_per_month=700)
    outcomes, barrier = [], threading.Barrier(16)

    def call() -> None:
        barrier.wait()
        try:
            held = hold(space)
            usage_store([row(space, 100)], held)
            outcomes.append(True)
        except BudgetUsedUp:
            outcomes.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    # Whoever came while others held and then used their share was refused, never let beyond it.
    assert len(outcomes) == 16
    assert sum(outcomes) == 7
    used = UsageRecord.objects.filter(space_id=space).aggregate(
        tokens=Sum(F("prompt_tokens") + F("completion_tokens"))
    )
    assert used["tokens"] == spent(space).tokens == 700
    assert not SpendingHold.objects.exists()
    assert SpaceBudget.objects.get().used_up_at is not None


@pytest.mark.django_db
def test_what_is_counted_is_the_sum_of_the_records() -> None:
    space = uuid.uuid4()
    usage_store([row(space, 30, "0.5"), row(None, 5), row(space, 1_000, "0.25", "embedding")])
    usage_store([row(space, 12, "0.125")])
    assert spent(space) == budgets.Spent(42, Decimal("0.875"))
    assert spent(None) == budgets.Spent(5, Decimal(0))


@pytest.mark.django_db
def test_money_is_held_at_the_dearest_price_and_unused_holds_run_out() -> None:
    SpaceBudget.objects.create(space_id=None, cost_per_month=Decimal(150))
    first = hold(None)
    assert first is not None
    with pytest.raises(BudgetUsedUp):
        hold(None)
    SpendingHold.objects.update(until=timezone.now() - datetime.timedelta(seconds=1))
    assert hold(None) is not None


@pytest.mark.django_db
def test_a_space_without_a_budget_holds_nothing_and_a_month_begins_anew() -> None:
    space = uuid.uuid4()
    assert hold(space) is None
    usage_store([row(space, 500)])
    SpaceBudget.objects.create(space_id=space, tokens_per_month=550)
    with pytest.raises(BudgetUsedUp):  # what was spent before there was a budget counts
        hold(space)
    budgets.SpaceSpending.objects.update(month=datetime.date(2000, 1, 1))
    assert hold(space) is not None
