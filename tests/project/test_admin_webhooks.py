"""The admin of webhooks: the secret shown once, tries and replays by buttons, each person's own."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from knowledge.models import Space
from project.accounts.models import User
from project.events.models import Webhook, WebhookDelivery
from project.events.webhooks import sending, services
from project.events.webhooks.keeping import secrets_of
from tests.support.admin_client import signed_in
from tests.support.receiver import Receiver, answers

HOOKS, DELIVERIES = "/admin/events/webhook/", "/admin/events/webhookdelivery/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.ACERVO_FETCH_ALLOW = ["127.0.0.1"]
    with Receiver() as running:
        yield running


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


def test_a_webhook_is_made_tried_and_replayed(
    client: Client, owner: User, space: Space, receiver: Receiver
) -> None:
    form = client.get(f"{HOOKS}add/").content.decode()
    assert "A node was published." in form
    assert space.name in form
    sent = {"name": "CRM", "url": receiver.url, "types": ["knowledge.job.updated"],
            "spaces": [str(space.pk)], "is_enabled": "on"}  # fmt: skip
    answer = client.post(f"{HOOKS}add/", {**sent, "url": "http://10.0.0.1/"})
    assert "https://" in answer.content.decode()  # what is refused is said on the form
    page = client.post(f"{HOOKS}add/", sent)
    hook = Webhook.objects.get()
    (secret,) = secrets_of(hook)
    assert secret in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert secret not in client.get(f"{HOOKS}{hook.pk}/change/").content.decode()

    receiver.act = answers(500, b"<script>no</script>")
    assert client.get(f"{HOOKS}{hook.pk}/test/").status_code == 405
    client.post(f"{HOOKS}{hook.pk}/test/")
    sending.webhook_work(hook.pk)
    delivery = WebhookDelivery.objects.get()
    shown = client.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()
    assert "answered 500" in shown
    assert "<script>no" not in shown
    assert "Fails: 1 try in a row" in client.get(HOOKS).content.decode()
    receiver.act = answers(204)
    client.post(f"{DELIVERIES}{delivery.pk}/replay/")
    sending.webhook_work(hook.pk)
    delivery.refresh_from_db()
    assert delivery.status == "delivered"
    renewed = client.post(f"{HOOKS}{hook.pk}/rotate/").content.decode()
    hook.refresh_from_db()
    assert secrets_of(hook)[0] in renewed


def test_a_webhook_is_its_owners_alone(
    client: Client, stranger: User, admin_user: User, owner: User, receiver: Receiver
) -> None:
    hook = services.webhook_create(
        acting_user=owner, name="CRM", url=receiver.url, types=["knowledge.job.updated"]
    ).webhook
    delivery = services.webhook_test(acting_user=owner, webhook=hook)
    others = signed_in(stranger)
    for path in (f"{HOOKS}{hook.pk}/change/", f"{DELIVERIES}{delivery.pk}/change/"):
        assert others.get(path).status_code == 302  # Django's answer to what is not there
        assert client.get(path).status_code == 200
    assert "CRM" not in others.get(HOOKS).content.decode()
    for word in ("test", "rotate", "replay"):
        assert others.post(f"{HOOKS}{hook.pk}/{word}/").status_code == 404
    root = signed_in(admin_user)
    root.post(f"{HOOKS}{hook.pk}/rotate/")
    before = hook.secret_sealed
    hook.refresh_from_db()
    assert hook.secret_sealed == before  # not even superusers get to see one
    Webhook.objects.update(is_enabled=False, disabled_reason="failing")
    assert "1 webhook was switched off" in root.get("/admin/").content.decode()
