"""Webhooks: told once, signed, in order, as far as their owner may know, whatever receivers do."""

import datetime
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from knowledge import services as knowledge
from knowledge.models import Space
from project.accounts.models import User
from project.events.choices import DeliveryStatus, DisabledReason
from project.events.models import Event, Webhook, WebhookDelivery
from project.events.services import emit, emit_many
from project.events.types import NewEvent
from project.events.webhooks import calling, sending, services, signing
from project.events.webhooks.keeping import secrets_of
from project.http import addresses
from project.http.errors import Forbidden, Invalid
from tests.conftest import Api
from tests.support.receiver import Fault, Receiver, answers, drips, hangs, resets

pytestmark = pytest.mark.django_db
TYPES = ["knowledge.node.created", "knowledge.job.updated"]


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.ACERVO_FETCH_ALLOW = ["127.0.0.1"]
    with Receiver() as running:
        yield running


@pytest.fixture
def hook(owner: User, receiver: Receiver) -> Webhook:
    made = services.webhook_create(acting_user=owner, name="CRM", url=receiver.url, types=TYPES)
    return made.webhook


def make_node(owner: User, space: Space, title: str = "Tides") -> Any:
    return knowledge.node_create(acting_user=owner, space=space, title=title)


def send() -> None:
    """Send what is due, in this thread."""
    for pk in list(Webhook.objects.due().values_list("pk", flat=True)):
        sending.webhook_work(pk)


def due_again() -> None:
    """Let the time of the next try come."""
    past = timezone.now() - datetime.timedelta(seconds=1)
    WebhookDelivery.objects.filter(status="waiting").update(next_attempt_at=past)
    Webhook.objects.update(pause_until=None)


def test_the_signature_is_that_of_the_specification() -> None:
    # The example that the reference libraries of Standard Webhooks are tested with.
    said = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_events_are_told_once_signed_and_in_order(
    owner: User, space: Space, hook: Webhook, receiver: Receiver
) -> None:
    nodes = [make_node(owner, space, f"N{number}") for number in range(3)]
    send()
    send()
    told = [each.message for each in receiver.received]
    assert [each["data"]["node"] for each in told] == [str(node.pk) for node in nodes]
    assert [each["sequence"] for each in told] == sorted(each["sequence"] for each in told)
    first = receiver.received[0]
    assert set(told[0]) == {"type", "timestamp", "sequence", "data"}
    assert told[0]["data"] == {
        "node": str(nodes[0].pk), "version": 1, "status": "draft", "space": str(space.pk)
    }  # fmt: skip
    stamp = int(first.headers["webhook-timestamp"])
    (secret,) = secrets_of(hook)
    expected = signing.signature(secret, first.headers["webhook-id"], stamp, first.body)
    assert first.headers["webhook-signature"] == expected
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}


def test_what_was_rolled_back_is_not_told(
    owner: User, space: Space, hook: Webhook, receiver: Receiver
) -> None:
    with transaction.atomic():
        make_node(owner, space)
        transaction.set_rollback(True)
    send()
    assert not receiver.received
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    ("act", "status", "said"),
    [
        (answers(500, b"<b>oops</b>\x00\x1b[31m"), 500, "answered 500"),
        (answers(302, Location="http://127.0.0.1:1/"), 302, "redirects"),
        (hangs, None, "too long"),
        (drips, None, "too long"),
        (resets, None, "cannot be reached"),
    ],
)
def test_a_try_that_fails_is_made_again_later_with_the_same_id(
    owner: User,
    space: Space,
    hook: Webhook,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    act: Fault,
    status: int | None,
    said: str,
) -> None:
    monkeypatch.setattr(calling, "TIMEOUT", 0.6)
    make_node(owner, space)
    receiver.act = act
    send()
    row = WebhookDelivery.objects.get()
    assert (row.status, row.attempts, row.last_status) == ("waiting", 1, status)
    assert said in row.last_error
    assert row.next_attempt_at > timezone.now()
    assert "\x1b" not in row.excerpt
    send()
    assert len(receiver.received) == 1  # not before its time
    receiver.act = answers(200, b"x" * 100_000)  # of a long answer only the beginning is read
    due_again()
    send()
    row.refresh_from_db()
    assert (row.status, row.attempts, len(row.excerpt)) == ("delivered", 2, calling.EXCERPT)
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len({each.body for each in receiver.received}) == 1
    assert [each["status"] for each in row.history] == [200, status]


def test_tries_end_and_a_failing_receiver_is_asked_seldom(
    owner: User, space: Space, hook: Webhook, receiver: Receiver
) -> None:
    receiver.act = answers(503, Retry_After="900")
    for number in range(3):
        make_node(owner, space, f"N{number}")
    send()
    assert len(receiver.received) == 1  # the others wait for the pause of the webhook
    hook.refresh_from_db()
    assert hook.pause_until is not None
    assert hook.pause_until > timezone.now() + datetime.timedelta(seconds=800)
    first = WebhookDelivery.objects.get(attempts=1)
    WebhookDelivery.objects.exclude(pk=first.pk).delete()
    WebhookDelivery.objects.update(attempts=sending.TRIES - 1)
    due_again()
    send()
    first.refresh_from_db()
    assert (first.status, first.attempts) == (DeliveryStatus.FAILED, sending.TRIES)
    waits = [sending.longest_wait(number) for number in range(1, sending.TRIES)]
    assert waits == sorted(waits)
    assert waits[-1] == 6 * 3600
    assert sum(waits) / 2 > 6 * 3600  # over hours


def test_a_webhook_that_fails_for_days_is_switched_off_and_told_of(
    owner: User,
    space: Space,
    hook: Webhook,
    receiver: Receiver,
    settings: Settings,
    mailoutbox: Any,
) -> None:
    settings.EMAIL_HOST = "mail.example"
    User.objects.filter(pk=owner.pk).update(email="owner@example.org")
    receiver.act = answers(500)
    make_node(owner, space)
    since = timezone.now() - datetime.timedelta(days=4)
    Webhook.objects.update(failures=sending.LEAST_FAILURES, failing_since=since)
    send()
    hook.refresh_from_db()
    assert (hook.is_enabled, hook.disabled_reason) == (False, DisabledReason.FAILING)
    assert [each.to for each in mailoutbox] == [["owner@example.org"]]
    make_node(owner, space, "Later")
    assert WebhookDelivery.objects.count() == 1  # what happens now is not kept for it
    receiver.act = answers(204)
    services.webhook_update(acting_user=owner, webhook=hook, is_enabled=True)
    due_again()
    send()
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since) == (0, None)
    assert WebhookDelivery.objects.get().status == DeliveryStatus.DELIVERED


def test_a_receiver_that_is_gone_is_never_asked_again(
    owner: User, space: Space, hook: Webhook, receiver: Receiver
) -> None:
    receiver.act = answers(410)
    make_node(owner, space)
    send()
    hook.refresh_from_db()
    assert (hook.is_enabled, hook.disabled_reason) == (False, DisabledReason.GONE)


def test_an_owner_hears_only_what_they_may_know_when_it_is_sent(
    owner: User, stranger: User, teammate: User, space: Space, receiver: Receiver
) -> None:
    for user in (stranger, teammate):
        services.webhook_create(
            acting_user=user, name="x", url=f"{receiver.url}/{user}", types=TYPES
        )
    teammate.groups.clear()  # had a role when it happened at the latest
    make_node(owner, space)
    send()
    assert not receiver.received
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"withheld"}


def test_only_the_spaces_asked_for_are_told_of(
    owner: User, admin_user: User, space: Space, receiver: Receiver
) -> None:
    other = knowledge.space_create(acting_user=admin_user, name="Attic")
    services.webhook_create(
        acting_user=admin_user, name="x", url=receiver.url, types=TYPES, spaces=[other.pk]
    )
    make_node(owner, space)
    make_node(admin_user, other)
    assert [row.space_id for row in WebhookDelivery.objects.all()] == [other.pk]


def test_addresses_inside_are_not_called(
    owner: User, space: Space, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACERVO_FETCH_ALLOW = []
    urls = """https://127.0.0.1/ https://[::1]/ https://10.0.0.1/ https://2130706433/
        https://0x7f000001/ https://0X7F.1/ https://0177.0.0.1/ https://127.1/ https://0/
        https://017700000001/ https://127.0.0.1./ https://localhost./ https://a.localhost/
        https://[::ffff:7f00:1]/ https://\uff11\uff12\uff17.0.0\u30021/ https://0xa9fea9fe/ https://1.2.3.4.5/
        http://example.org/ https://user@example.org/ ftp://example.org/"""
    for url in urls.split():
        with pytest.raises(Invalid):
            services.webhook_create(acting_user=owner, name="x", url=url, types=TYPES)
    # A name that leads inside is found out at each call, whatever it led to before.
    monkeypatch.setattr(addresses, "system_addresses", lambda _host, _port: ["127.0.0.1"])
    for url in ("https://0x08080808/", "https://134744072/", "https://[2606:4700::1111]/"):
        made = services.webhook_create(acting_user=owner, name="x", url=url, types=TYPES)
        services.webhook_delete(acting_user=owner, webhook=made.webhook)
    url = "https://example.org:1/"
    services.webhook_create(acting_user=owner, name="x", url=url, types=TYPES)
    make_node(owner, space)
    send()
    assert "private network" in WebhookDelivery.objects.get().last_error


def test_a_former_secret_signs_for_a_while(
    owner: User, admin_user: User, space: Space, hook: Webhook, receiver: Receiver
) -> None:
    (before,) = secrets_of(hook)
    made = services.webhook_rotate(acting_user=owner, webhook=hook)
    assert secrets_of(made.webhook) == [made.secret, before]
    make_node(owner, space)
    send()
    assert len(receiver.received[0].headers["webhook-signature"].split()) == 2
    made = services.webhook_rotate(acting_user=owner, webhook=hook, overlap_hours=0)
    assert secrets_of(made.webhook) == [made.secret]
    assert made.secret not in made.webhook.secret_sealed
    with pytest.raises(Forbidden):
        services.webhook_rotate(acting_user=admin_user, webhook=hook)


def test_one_that_crashed_leaves_its_webhook_to_the_next(
    owner: User, space: Space, hook: Webhook, receiver: Receiver
) -> None:
    make_node(owner, space)
    soon = timezone.now() + datetime.timedelta(minutes=1)
    Webhook.objects.update(lease_owner="dead", lease_until=soon)
    send()
    assert not receiver.received
    Webhook.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
    send()
    assert len(receiver.received) == 1


@pytest.mark.django_db(transaction=True)
def test_slow_receivers_delay_nobody_else_and_no_message_goes_twice(
    owner: User, space: Space, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "TIMEOUT", 1.0)
    with Receiver(hangs) as slow:
        for number, url in enumerate([slow.url] * 3 + [receiver.url] * 3):
            services.webhook_create(acting_user=owner, name=f"{number}", url=url, types=TYPES)
        for number in range(4):
            make_node(owner, space, f"N{number}")
        assert not sending.webhooks_send()  # nothing is left that is due
        assert len(receiver.received) == 12
        assert len({each.headers["webhook-id"] for each in receiver.received}) == 12
        assert 3 <= len(slow.received) <= 9
    assert WebhookDelivery.objects.filter(status="delivered").count() == 12


def test_rest_makes_tries_lists_and_replays(
    api: Api, stranger_api: Api, owner: User, space: Space, receiver: Receiver
) -> None:
    body = {"name": "CRM", "url": receiver.url, "types": TYPES}
    made = api.post("/api/v1/webhooks/", body).json()
    assert made["secret"].startswith("whsec_")
    path = f"/api/v1/webhooks/{made['id']}/"
    assert "secret" not in api.get(path).json()
    assert stranger_api.get(path).status_code == 404
    assert api.post("/api/v1/webhooks/", {**body, "types": ["no.such"]}).status_code == 400
    assert api.patch(path, {"secret": "x"}).json()["error"]["code"] == "unknown_field"
    assert "knowledge.job.updated" in {
        each["type"] for each in api.get("/api/v1/webhooks/event-types/").json()
    }

    delivery = api.post(f"{path}test/").json()
    assert (delivery["type"], delivery["status"]) == ("webhook.test", "waiting")
    receiver.act = answers(500)
    send()
    listed = api.get(f"{path}deliveries/?status=waiting").json()["results"]
    assert [(each["id"], each["attempts"]) for each in listed] == [(delivery["id"], 1)]
    receiver.act = answers(200, b"thanks")
    one = f"{path}deliveries/{delivery['id']}/"
    assert api.post(f"{one}replay/").status_code == 202
    send()
    done = api.get(one).json()
    assert (done["status"], done["excerpt"], done["attempts"]) == ("delivered", "thanks", 1)
    assert api.post(f"{path}replay/", {"status": "delivered"}).json() == {"replayed": 1}
    send()
    ids = {each.headers["webhook-id"] for each in receiver.received}
    assert (len(receiver.received), ids) == (3, {done["message_id"]})
    assert api.delete(path).status_code == 204
    assert not WebhookDelivery.objects.exists()


def test_a_key_cannot_have_itself_told_what_it_may_not_read(
    owner: User, hook: Webhook, receiver: Receiver
) -> None:
    narrow = Api(owner, scopes=["chat"])
    body = {"name": "x", "url": receiver.url, "types": TYPES}
    assert narrow.post("/api/v1/webhooks/", body).json()["error"]["code"] == "missing_scope"
    assert narrow.get("/api/v1/webhooks/").json()["results"] == []
    body["types"] = ["chat.turn.completed"]
    assert narrow.post("/api/v1/webhooks/", body).status_code == 201


def test_an_event_that_nobody_asked_for_writes_no_delivery(hook: Webhook) -> None:
    with transaction.atomic():
        emit("memory.episode.created", {"episode": "x"})
        emit("knowledge.node.indexed", {"nodes": []})
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_webhook_made_a_moment_ago_elsewhere_hears_of_the_next_event(
    owner: User, space: Space, hook: Webhook, django_assert_num_queries: Any
) -> None:
    def switch(*, on: bool) -> None:
        def write() -> None:
            Webhook.objects.filter(pk=hook.pk).update(is_enabled=on)
            connection.close()

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    def happen() -> None:
        emit("knowledge.node.created", {"node": "1"}, space_id=space.pk)

    switch(on=False)
    with transaction.atomic():
        with django_assert_num_queries(1):
            happen()
        switch(on=True)
        happen()
        emit_many([NewEvent("knowledge.node.created", {"node": "2"})] * 3)
        emit("knowledge.links.nobody_may_ask", {})
    events = Event.objects.filter(type="knowledge.node.created").order_by("position")
    told = WebhookDelivery.objects.order_by("position").values_list("position", flat=True)
    assert [*told] == [each.position for each in events][1:]
