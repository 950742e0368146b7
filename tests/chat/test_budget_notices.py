"""Budgets that are nearly, or all, used up: told once a month each, to whom it concerns."""

import threading
import uuid
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from chat import budget_notices
from chat.webhook_offers import may_follow_budget
from knowledge.models import SpaceRole
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.models import Event
from project.events.webhooks.registry import Told
from project.inference.budgets import BudgetUsedUp, budget_hold
from project.inference.models import BudgetNotice, ModelEndpoint, SpaceBudget
from project.inference.types import TokenUsage, UsageContext
from project.inference.usage import usage_row, usage_store

pytestmark = pytest.mark.django_db
NEARLY, ALL = "inference.budget.nearly_used_up", "inference.budget.used_up"


def _spend(space: uuid.UUID | None, tokens: int) -> None:
    used = TokenUsage(prompt_tokens=tokens, cost=Decimal(0))
    context = UsageContext("answer", space_id=space)
    usage_store(
        [
            usage_row(
                context=context, kind="chat", model="m", outcome="ok", latency_ms=1, tokens=used
            )
        ]
    )


def _told() -> list[tuple[str, int]]:
    rows = Event.objects.filter(type__startswith="inference.budget.").order_by("position")
    return [(each.type, each.payload["percent"]) for each in rows]


@pytest.mark.parametrize("is_for_all", [False, True])
def test_each_mark_is_told_once_a_month(space, monkeypatch, is_for_all):
    pk = None if is_for_all else space.pk
    SpaceBudget.objects.create(space_id=pk, tokens_per_month=1000)
    _spend(pk, 799)
    assert _told() == []
    _spend(pk, 1)
    _spend(pk, 50)
    assert _told() == [(NEARLY, 80)]
    _spend(pk, 150)
    _spend(pk, 10)
    assert _told() == [(NEARLY, 80), (ALL, 100)]
    later = timezone.now() + timezone.timedelta(days=40)
    monkeypatch.setattr("project.inference.budgets.timezone.now", lambda: later)
    _spend(pk, 1200)
    assert _told()[2:] == [(NEARLY, 80), (ALL, 100)]


def test_a_refused_call_says_that_all_is_used_up(space):
    SpaceBudget.objects.create(space_id=space.pk, tokens_per_month=100)
    for _ in range(2):
        with pytest.raises(BudgetUsedUp):
            budget_hold(
                space.pk, prompt_chars=0, max_tokens=200, endpoints=[ModelEndpoint(name="m")]
            )
    assert _told() == [(ALL, 100)]
    other = uuid.uuid4()
    _spend(other, 10_000)
    assert len(_told()) == 1


@pytest.mark.django_db(transaction=True)
def test_many_that_pass_a_mark_at_once_tell_it_once(space):
    SpaceBudget.objects.create(space_id=space.pk, tokens_per_month=800)
    barrier = threading.Barrier(8)

    def spend() -> None:
        barrier.wait()
        _spend(space.pk, 100)
        connection.close()

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(_told()) == [(NEARLY, 80), (ALL, 100)]


def test_managers_get_one_mail_each_in_their_language(space, owner, teammate):
    second = User.objects.create_user("second", email="second@example.org", language="en")
    group = Group.objects.create(name="more managers")
    SpaceRole.objects.create(space=space, group=group, role=Role.MANAGER)
    second.groups.add(group)
    User.objects.filter(pk__in=[owner.pk, teammate.pk]).update(email="known@example.org")
    SpaceBudget.objects.create(space_id=space.pk, tokens_per_month=1000)
    _spend(space.pk, 900)
    assert budget_notices.mails_send() == 2
    assert budget_notices.mails_send() == 0
    assert sorted(each.to[0] for each in mail.outbox) == ["known@example.org", "second@example.org"]
    assert space.name in mail.outbox[0].subject
    assert "900" in mail.outbox[0].body
    _spend(space.pk, 100)
    assert budget_notices.mails_send() == 2


def test_a_mail_that_is_refused_goes_later_and_only_to_whom_it_has_not_reached(
    space, owner, monkeypatch
):
    User.objects.filter(pk=owner.pk).update(email="owner@example.org")
    SpaceBudget.objects.create(space_id=space.pk, tokens_per_month=10)
    _spend(space.pk, 8)

    def refused(_message: object) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as away:
        away.setattr("django.core.mail.EmailMessage.send", refused)
        assert budget_notices.mails_send() == 0
    assert BudgetNotice.objects.get().mail_due
    assert budget_notices.mails_send() == 1
    assert not BudgetNotice.objects.get().mail_due


def test_managers_may_follow_it_and_others_may_not(space, owner, teammate, admin_user):
    told = Told(ALL, {}, space.pk, None)
    everywhere = Told(ALL, {}, None, None)
    assert may_follow_budget(owner, told)
    assert not may_follow_budget(teammate, told)
    assert not may_follow_budget(owner, everywhere)
    assert may_follow_budget(admin_user, everywhere)


def test_the_dashboard_names_the_space(client: Client, space, owner):
    owner.is_staff = True
    owner.save()
    client.force_login(owner)
    SpaceBudget.objects.create(space_id=space.pk, tokens_per_month=1000)
    assert "The budget of" not in client.get("/admin/").content.decode()
    _spend(space.pk, 850)
    page = client.get("/admin/").content.decode()
    assert f"85 % of the budget of “{space.name}” are used." in page
    _spend(space.pk, 200)
    assert f"The budget of “{space.name}” is used up" in client.get("/admin/").content.decode()
