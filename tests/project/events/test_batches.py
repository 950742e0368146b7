"""Events that come together are applied together, and each as if it had come alone."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from project.aio import in_thread, redis_client
from project.events import EventMessage, bus
from project.events.delivery import deliver_many
from project.events.gathering import LONGEST, SHORTEST, Gathering
from project.events.models import Event, EventReceipt
from project.events.services import emit, emit_many
from project.events.types import NewEvent
from project.events.worker import GROUP, EventWorker
from project.tracing import bind_trace, current_trace_id

pytestmark = pytest.mark.django_db(transaction=True)


def _happen(count: int, event_type: str = "thing.happened") -> list[int]:
    with transaction.atomic():
        news = [NewEvent(event_type, {"n": n}, trace_id=f"trace-{n}") for n in range(count)]
        return [each.position for each in emit_many(news)]


def _names() -> list[str]:
    return sorted(Group.objects.exclude(name="Premium").values_list("name", flat=True))


def _write(prefix: str) -> Callable[[Sequence[EventMessage]], None]:
    def write(events: Sequence[EventMessage]) -> None:
        Group.objects.bulk_create(Group(name=f"{prefix}{each.payload['n']}") for each in events)

    return write


def test_many_events_are_one_call_and_have_one_effect(
    subscribe_many, django_assert_num_queries
) -> None:
    calls: list[list[int]] = []
    subscribe_many("first", "thing.happened", _write("a"))
    subscribe_many("second", "thing.happened", lambda es: calls.append([e.position for e in es]))
    positions = _happen(5)
    with django_assert_num_queries(5):  # reading, taking, the effect, in a transaction
        deliver_many(positions[::-1])
    deliver_many(positions)
    assert calls == [positions]
    assert _names() == ["a0", "a1", "a2", "a3", "a4"]
    assert EventReceipt.objects.count() == 10
    assert not Event.objects.filter(settled_at=None).exists()


def test_two_processes_with_overlapping_batches_apply_each_event_once(subscribe_many) -> None:
    subscribe_many("first", "thing.happened", _write("a"))
    subscribe_many("second", "thing.happened", _write("b"))
    positions = _happen(12)
    barrier = threading.Barrier(4)

    def race(mine: list[int]) -> None:
        barrier.wait()
        try:
            deliver_many(mine)
        finally:
            connection.close()

    batches = [positions[:8], positions[4:][::-1], positions[::3], positions[::-1]]
    threads = [threading.Thread(target=race, args=[batch]) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _names() == sorted(f"{prefix}{n}" for prefix in "ab" for n in range(12))
    assert EventReceipt.objects.count() == 24
    assert not Event.objects.filter(settled_at=None).exists()


def test_what_is_delivered_elsewhere_meanwhile_is_waited_for(subscribe_many) -> None:
    holds, goes_on = threading.Event(), threading.Event()

    def slow(events: Sequence[EventMessage]) -> None:
        holds.set()
        assert goes_on.wait(10)
        _write("a")(events)

    subscribe_many("slow", "thing.happened", slow)
    positions = _happen(3)

    def first() -> None:
        try:
            deliver_many(positions[:2])
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert holds.wait(10)
    timer = threading.Timer(0.1, goes_on.set)
    timer.start()
    deliver_many(positions)
    thread.join()
    assert _names() == ["a0", "a1", "a2"]


def test_a_failing_subscriber_does_not_keep_the_others_from_a_batch(subscribe_many) -> None:
    def broken(events: Sequence[EventMessage]) -> None:
        _write("half ")(events)
        message = "out of order"
        raise RuntimeError(message)

    subscribe_many("broken", "thing.happened", broken)
    subscribe_many("sound", "thing.happened", _write("a"))
    deliver_many(_happen(3))
    assert _names() == ["a0", "a1", "a2"]
    assert set(Event.objects.values_list("error", "settled_at")) == {
        ("broken: RuntimeError: out of order", None)
    }


def test_a_poisoned_event_does_not_keep_the_others_from_theirs(subscribe_many) -> None:
    def picky(events: Sequence[EventMessage]) -> None:
        if any(each.payload["n"] == 1 for each in events):
            raise ValueError("not this one")
        _write("a")(events)

    subscribe_many("picky", "thing.happened", picky)
    subscribe_many("sound", "thing.happened", _write("b"))
    good, poisoned, other = _happen(3)
    deliver_many([good, poisoned, other])
    assert _names() == ["a0", "a2", "b0", "b1", "b2"]
    left = Event.objects.get(settled_at=None)
    assert (left.position, left.error) == (poisoned, "picky: ValueError: not this one")


def test_events_taken_one_by_one_keep_a_transaction_and_a_trace_of_their_own(
    subscribe, subscribe_many
) -> None:
    seen: list[tuple[int, str]] = []

    def single(event: EventMessage) -> None:
        Group.objects.create(name=f"s{event.payload['n']}")
        if event.payload["n"] == 0:
            raise RuntimeError
        seen.append((event.payload["n"], current_trace_id()))

    subscribe("single", "thing.alone", single)
    subscribe_many("many", "thing.happened", _write("a"))
    deliver_many([*_happen(3, "thing.alone"), *_happen(2)])
    assert _names() == ["a0", "a1", "s1", "s2"]
    assert seen == [(1, "trace-1"), (2, "trace-2")]


def test_traces_are_those_of_the_events(subscribe_many) -> None:
    def tell(events: Sequence[EventMessage]) -> None:
        emit_many([NewEvent("thing.told", each.payload, trace_id=each.trace_id) for each in events])

    subscribe_many("teller", "thing.happened", tell)
    seen: list[str] = []
    subscribe_many("alone", "thing.single", lambda events: seen.append(current_trace_id()))
    with bind_trace("trace-of-the-reader"):
        deliver_many([*_happen(2), *_happen(1, "thing.single")])
        with transaction.atomic():
            assert emit("thing.told", {}).trace_id == "trace-of-the-reader"
    told = Event.objects.filter(type="thing.told").order_by("position")[:2]
    assert [each.trace_id for each in told] == ["trace-0", "trace-1"]


async def test_the_worker_applies_together_what_it_reads_together(subscribe_many) -> None:
    calls: list[int] = []
    subscribe_many("counter", "thing.happened", lambda events: calls.append(len(events)))
    await in_thread(_happen, 6)
    await in_thread(_happen, 2, "thing.nobody_hears")
    worker = EventWorker(concurrency=1)
    worker_stops = worker.run()
    client = await redis_client()
    await bus.make_group(client, GROUP)

    async def wait() -> None:
        while await in_thread(Event.objects.filter(settled_at=None).exists):
            await asyncio.sleep(0.02)
        while (await client.xpending(bus.STREAM, GROUP))["pending"]:
            await asyncio.sleep(0.02)
        worker.stop()

    async with asyncio.timeout(8):
        await asyncio.gather(worker_stops, wait())
    assert calls == [6]


def test_a_reader_gathers_longer_the_denser_events_come() -> None:
    now = 100.0
    gathering = Gathering(now)
    assert gathering.seconds(1, now + 20) == SHORTEST
    now += 20
    for _read in range(20):
        now += 0.5
        pause = gathering.seconds(8, now)
    assert pause == LONGEST
    for _read in range(5):
        now += 2
        pause = gathering.seconds(0, now)
    assert pause == SHORTEST
