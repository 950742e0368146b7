"""Experiments, prompts and setups in the admin."""

from typing import Any

import pytest
from django.urls import reverse

from chat.choices import ExperimentStatus
from chat.models import AnswerSetup, Experiment, ExperimentArm, PromptVersion
from chat.services.experiments import prompt_create
from knowledge.models import Space
from project.accounts.models import User
from tests.support.admin_client import signed_in

pytestmark = pytest.mark.django_db


def arms(*rows: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"arms-TOTAL_FORMS": len(rows), "arms-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        filled = {"position": number, "weight": 100, **row}
        data |= {f"arms-{number}-{name}": value for name, value in filled.items()}
    return data


def test_an_experiment_is_made_started_read_and_won_in_the_admin(
    admin_user: User, space: Space
) -> None:
    client = signed_in(admin_user)
    listed = reverse("admin:chat_experiment_changelist")
    assert b"No experiments" in client.get(listed).content
    made = client.post(
        reverse("admin:chat_experiment_add"),
        {
            "name": "Warmer", "subject": "prompt", "space": str(space.pk), "note": "",
            **arms({"name": "cold", "temperature": "0"}, {"name": "warm", "temperature": "0.9"}),
        },
    )  # fmt: skip
    assert made.status_code == 302, made.context["errors"]
    row = Experiment.objects.get()
    assert row.created_by == admin_user
    page = reverse("admin:chat_experiment_change", args=[row.pk])
    assert b"Save the arms first" in client.get(page).content
    assert client.get(reverse("admin:chat_experiment_start", args=[row.pk])).status_code == 405
    client.post(reverse("admin:chat_experiment_start", args=[row.pk]))
    row.refresh_from_db()
    assert row.status == ExperimentStatus.RUNNING
    shown = client.get(page).content.decode()
    assert "No answers yet" in shown
    assert "T 0.9" in shown
    client.post(page, {"name": "Other", "subject": "prompt"})
    assert Experiment.objects.get().name == "Warmer"  # what runs does not change
    assert "Warmer" in client.get(listed).content.decode()
    warm = ExperimentArm.objects.get(name="warm")
    client.post(reverse("admin:chat_experiment_promote", args=[row.pk]), {"arm": str(warm.pk)})
    row.refresh_from_db()
    assert (row.status, row.winner) == (ExperimentStatus.ENDED, warm)
    assert AnswerSetup.objects.get().temperature == 0.9
    assert "winner: warm" in client.get(page).content.decode()


def test_versions_are_added_compared_chosen_and_gone_back_from(admin_user: User) -> None:
    client = signed_in(admin_user)
    add = reverse("admin:chat_promptversion_add")
    assert b"You are Acervo" in client.get(add).content
    client.post(add, {"rules": "You are Acervo. Be brief.", "note": "short"})
    first, second = PromptVersion.objects.order_by("number")
    page = reverse("admin:chat_promptversion_change", args=[second.pk])
    shown = client.get(page).content.decode()
    assert "not in use" in shown
    assert "ac-removed" in shown
    for prompt in (second, first):
        client.post(reverse("admin:chat_promptversion_use", args=[prompt.pk]), {"space": ""})
    assert "✓ All spaces" in client.get(
        reverse("admin:chat_promptversion_change", args=[first.pk])
    ).content.decode()  # fmt: skip
    earlier = AnswerSetup.objects.get(prompt=second)
    setup_page = reverse("admin:chat_answersetup_change", args=[earlier.pk])
    assert b"Go back to this one" in client.get(setup_page).content
    client.post(reverse("admin:chat_answersetup_restore", args=[earlier.pk]))
    newest = AnswerSetup.objects.order_by("-created_at").first()
    assert newest is not None
    assert newest.prompt == second
    assert "holds now" in client.get(reverse("admin:chat_answersetup_changelist")).content.decode()


def test_only_whom_permissions_name_sees_or_chooses(admin_user: User, owner: User) -> None:
    prompt = prompt_create(acting_user=admin_user, rules="Be brief.")
    client = signed_in(owner)
    for name in ("experiment", "promptversion", "answersetup"):
        assert client.get(reverse(f"admin:chat_{name}_changelist")).status_code == 403
    client.post(reverse("admin:chat_promptversion_use", args=[prompt.pk]), {"space": ""})
    assert not AnswerSetup.objects.exists()
