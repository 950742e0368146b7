"""An event has its effect once on each subscriber, however often it is delivered."""

import datetime
import threading
import time

import pytest
import redis
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.utils import timezone

from project import quick_redis
from project.aio import sync_redis
from project.events import bus
from project.events.delivery import MAX_ATTEMPTS, deliver, relay
from project.events.models import Event, EventReceipt
from project.events.services import emit
from project.tracing import bind_trace, current_trace_id


def _happen(event_type: str = "thing.happened") -> Event:
    with transaction.atomic():
        return emit(event_type, {"n": 1})


def _make_due(event: Event) -> None:
    Event.objects.filter(pk=event.pk).update(
        relay_at=timezone.now() - datetime.timedelta(seconds=1)
    )


@pytest.fixture
def heard(subscribe) -> None:
    """Somebody waits for the events of these tests."""
    subscribe("listener", "thing.happened", lambda event: None)


@pytest.mark.django_db(transaction=True)
def test_what_nobody_waits_for_is_settled_but_sent():
    event = _happen("thing.nobody_hears")
    assert event.settled_at is not None
    assert sync_redis().xlen(bus.STREAM) == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_needs_the_transaction_of_what_it_tells():
    with pytest.raises(transaction.TransactionManagementError):
        emit("thing.happened", {})


@pytest.mark.django_db(transaction=True)
def test_an_event_of_a_rolled_back_change_is_neither_stored_nor_sent():
    with transaction.atomic():
        emit("thing.happened", {})
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    assert sync_redis().xlen(bus.STREAM) == 0


@pytest.mark.django_db(transaction=True)
def test_many_deliveries_of_one_event_have_one_effect(subscribe):
    subscribe("maker", "thing.happened", lambda event: Group.objects.create(name=f"g{time.time()}"))
    event = _happen()
    barrier = threading.Barrier(5)

    def race() -> None:
        barrier.wait()
        try:
            deliver(event.position)
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver(event.position)

    assert Group.objects.filter(name__startswith="g").count() == 1
    assert EventReceipt.objects.filter(event=event, consumer="maker").count() == 1
    event.refresh_from_db()
    assert event.settled_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_failing_subscriber_leaves_no_trace_and_does_not_stop_the_others(subscribe):
    calls = []

    def broken(event: object) -> None:
        Group.objects.create(name="half done")
        calls.append(1)
        if len(calls) <= 2:  # with the others, and by itself
            message = "out of order"
            raise RuntimeError(message)

    subscribe("broken", "thing.happened", broken)
    subscribe("sound", "thing.happened", lambda event: Group.objects.create(name="sound"))
    event = _happen()

    deliver(event.position)
    event.refresh_from_db()
    assert event.settled_at is None
    assert "broken: RuntimeError: out of order" in event.error
    assert list(Group.objects.exclude(name="Premium").values_list("name", flat=True)) == ["sound"]

    deliver(event.position)
    event.refresh_from_db()
    assert event.settled_at is not None
    assert event.error == ""
    assert Group.objects.filter(name="sound").count() == 1
    assert Group.objects.filter(name="half done").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_subscriber_that_always_fails_is_given_up_and_shown(subscribe):
    def broken(event: object) -> None:
        raise RuntimeError

    subscribe("broken", "thing.happened", broken)
    event = _happen()
    Event.objects.update(attempts=MAX_ATTEMPTS)
    deliver(event.position)
    _make_due(event)
    assert relay() == 0
    assert list(Event.objects.given_up()) == [event]


@pytest.mark.django_db(transaction=True)
def test_the_trace_of_the_cause_is_bound_in_the_subscriber(subscribe):
    seen = []
    subscribe("tracer", "thing.happened", lambda event: seen.append(current_trace_id()))
    with bind_trace("trace-of-the-cause"):
        event = _happen()
    deliver(event.position)
    assert seen == ["trace-of-the-cause"]


@pytest.mark.django_db(transaction=True)
def test_the_relay_sends_again_what_a_flushed_redis_forgot(heard):
    event, fresh = _happen(), _happen()
    sync_redis().flushdb()
    _make_due(event)
    assert relay() == 1
    [(_id, fields)] = sync_redis().xrange(bus.STREAM)
    assert fields["position"] == str(event.position)
    event.refresh_from_db()
    assert event.relay_at > timezone.now()
    fresh.refresh_from_db()
    assert fresh.attempts == 0


@pytest.mark.django_db(transaction=True)
def test_events_waiting_for_a_later_attempt_do_not_hold_up_the_lost_ones(heard):
    waiting = [_happen() for _ in range(5)]
    lost = _happen()
    _make_due(lost)
    assert relay(limit=1) == 1
    lost.refresh_from_db()
    assert lost.attempts == 1
    assert Event.objects.filter(pk__in=[each.pk for each in waiting], attempts=0).count() == 5


@pytest.mark.django_db(transaction=True)
def test_an_absent_redis_fails_no_change_and_counts_no_attempt(heard, monkeypatch):
    away = redis.Redis.from_url("redis://127.0.0.1:1/0", retry=None)
    monkeypatch.setattr(quick_redis, "_client", away)
    event = _happen()
    _make_due(event)
    assert relay() == 0
    event.refresh_from_db()
    assert event.attempts == 0
    monkeypatch.undo()
    quick_redis.forget()
    assert relay() == 1
