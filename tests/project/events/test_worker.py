"""The worker reads what is new, what a dead reader left, and what a flush took away."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from project.aio import in_thread, redis_client
from project.events import bus
from project.events.models import Event
from project.events.services import emit
from project.events.worker import GROUP, EventWorker

pytestmark = pytest.mark.django_db(transaction=True)


def _happen(name: str) -> Event:
    with transaction.atomic():
        return emit("thing.happened", {"name": name})


def _names() -> list[str]:
    return sorted(Group.objects.exclude(name="Premium").values_list("name", flat=True))


async def _until(is_so: Callable[[], bool], seconds: float = 8.0) -> None:
    async with asyncio.timeout(seconds):
        while not await in_thread(is_so):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _working(**options: float) -> AsyncIterator[EventWorker]:
    worker = EventWorker(**options)  # type: ignore[arg-type]
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


@pytest.fixture
def naming(subscribe):
    subscribe("namer", "thing.happened", lambda e: Group.objects.create(name=e.payload["name"]))


async def test_events_are_applied_as_they_come_and_acknowledged(naming):
    async with _working():
        await in_thread(_happen, "one")
        await in_thread(_happen, "two")
        await _until(lambda: Event.objects.exclude(settled_at=None).count() == 2)
        client = await redis_client()
        async with asyncio.timeout(5):
            while (await client.xpending(bus.STREAM, GROUP))["pending"]:
                await asyncio.sleep(0.02)
    assert await in_thread(_names) == ["one", "two"]


async def test_an_entry_that_a_dead_reader_took_is_claimed(naming):
    event = await in_thread(_happen, "left behind")
    client = await redis_client()
    await bus.make_group(client, GROUP)
    [entry] = await bus.read_group(client, GROUP, "dead", count=5, block_ms=10)
    assert entry.position == event.position
    async with _working(claim_idle_ms=1, relay_every=0.1):
        await _until(lambda: _names() == ["left behind"])


async def test_a_flush_under_the_worker_loses_nothing(naming):
    async with _working(relay_every=0.1):
        await in_thread(_happen, "before")
        await _until(lambda: _names() == ["before"])
        client = await redis_client()
        await client.flushdb()
        await in_thread(_happen, "after")
        await _until(lambda: _names() == ["after", "before"])
    assert await in_thread(Event.objects.filter(settled_at=None).count) == 0


async def test_a_lost_sending_is_made_good_by_the_relay(naming):
    event = await in_thread(_happen, "lost")
    client = await redis_client()
    await client.flushdb()
    await in_thread(
        Event.objects.filter(pk=event.pk).update,
        relay_at=timezone.now() - datetime.timedelta(seconds=1),
    )
    async with _working(relay_every=0.1):
        await _until(lambda: _names() == ["lost"])
    assert (await in_thread(Event.objects.get, pk=event.pk)).settled_at


async def test_what_all_groups_have_finished_with_leaves_the_stream() -> None:
    client = await redis_client()
    for group in ("quick", "slow"):
        await bus.make_group(client, group)
    await in_thread(bus.publish_many, [(place, "thing.happened", None) for place in range(450)])
    await bus.read_group(client, "quick", "reader", count=450, block_ms=1, acknowledge=True)
    read = await bus.read_group(client, "slow", "reader", count=400, block_ms=1)
    await client.xack(bus.STREAM, "slow", *(entry.id for entry in read[:250]))

    await bus.forget_finished(client)

    left = [fields["position"] for _id, fields in await client.xrange(bus.STREAM)]
    assert 200 < len(left) <= 350  # whole blocks go, of a hundred
    assert {str(place) for place in range(250, 450)} <= set(left)  # 250 on is pending or unread
