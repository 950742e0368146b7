"""How many messages a person may send: by default, by group, by themselves."""

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from project.accounts.allowances import message_limit
from project.accounts.models import GroupAllowance, User


def test_the_widest_of_default_and_groups_counts_and_ones_own_goes_before(owner: User) -> None:
    assert message_limit(owner) == "100/hour"
    for name, count in (("Guests", 20), ("Gold", 500), ("Platinum", 2000)):
        group = Group.objects.create(name=name)
        GroupAllowance.objects.create(group=group, messages_per_hour=count)
        owner.groups.add(group)
        assert message_limit(owner) == ("100/hour" if count == 20 else f"{count}/hour")
    owner.messages_per_hour = 5
    assert message_limit(owner) == "5/hour"


def test_superusers_have_the_premium_limit(admin_user: User) -> None:
    assert message_limit(admin_user) == "1000/hour"


@pytest.mark.parametrize(("default", "expected"), [("", ""), ("120/minute", "120/minute")])
def test_the_default_may_be_off_or_wider_than_the_groups(
    owner: User, settings: Settings, default: str, expected: str
) -> None:
    settings.ACERVO_RATE_MESSAGES = default
    group = Group.objects.create(name="Gold")
    GroupAllowance.objects.create(group=group, messages_per_hour=1000)
    owner.groups.add(group)
    assert message_limit(owner) == expected
