"""The loop that reads the event stream; run by the agent process, in as many as are started."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence

import redis
import structlog
from django.db import DatabaseError

from project.aio import in_thread, redis_client
from project.events import bus
from project.events.delivery import deliver_many, relay
from project.events.gathering import Gathering
from project.events.registry import subscribers_of

GROUP = "subscribers"
BLOCK_MS = 2000
CLAIM_IDLE_MS = 30_000
RELAY_EVERY = 5.0
AT_ONCE = 64  # entries of one read, and events of one transaction
STOP_WITHIN = 8.0
FORGET_AFTER_MS = 3_600_000
log = structlog.get_logger(__name__)


class EventWorker:
    """Reads the stream in a consumer group, takes over what dead readers left, and relays.

    What is read together is applied together. Nobody waits for a subscriber: what somebody waits
    for, such as a question to be answered, is read by a group of its own.

    `claim_idle_ms` must be longer than the slowest handler: claiming what is still at work only
    repeats a delivery, which has no effect but costs one.
    """

    def __init__(
        self,
        *,
        concurrency: int = 4,
        claim_idle_ms: int = CLAIM_IDLE_MS,
        relay_every: float = RELAY_EVERY,
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._claim_idle_ms = claim_idle_ms
        self._relay_every = relay_every
        self._slots = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._gathering = Gathering(time.monotonic())

    def stop(self) -> None:
        """Ask the loops to end after what they have in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`; a Redis or Postgres that is away is waited for."""
        await asyncio.gather(self._guarded(self._read), self._guarded(self._sweep))
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_WITHIN)
        await self._leave()

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await step()
            except (redis.RedisError, OSError, DatabaseError) as error:
                log.warning("event_stream_away", error=type(error).__name__)
                await self._pause(1.0)
            except Exception:
                log.exception("event_loop_failed")
                await self._pause(1.0)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _read(self) -> None:
        client = await redis_client()
        entries = await bus.read_group(client, GROUP, self.name, count=AT_ONCE, block_ms=BLOCK_MS)
        await self._take(entries)
        heard = sum(1 for each in entries if subscribers_of(each.type))
        pause = self._gathering.seconds(heard, time.monotonic())
        if 0 < len(entries) < AT_ONCE:
            await self._pause(pause)

    async def _take(self, entries: Sequence[bus.Entry]) -> None:
        if not entries:
            return
        await self._slots.acquire()
        task = asyncio.create_task(self._handle(entries))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle(self, entries: Sequence[bus.Entry]) -> None:
        heard = [each.position for each in entries if subscribers_of(each.type)]
        try:
            if heard:
                await in_thread(deliver_many, heard)
            client = await redis_client()
            await client.xack(bus.STREAM, GROUP, *(each.id for each in entries))
        except (redis.RedisError, OSError, DatabaseError) as error:
            # The entries stay pending: they are claimed again, and the relay knows the events too.
            log.warning("events_not_handled", positions=heard, error=type(error).__name__)
        except Exception:
            log.exception("events_not_handled", positions=heard)
        finally:
            self._slots.release()

    async def _sweep(self) -> None:
        await in_thread(relay)
        client = await redis_client()
        await self._take(
            await bus.claim_abandoned(
                client, GROUP, self.name, idle_ms=self._claim_idle_ms, count=AT_ONCE
            )
        )
        await bus.forget_dead_readers(client, GROUP, idle_ms=FORGET_AFTER_MS)
        await bus.forget_finished(client)
        await self._pause(self._relay_every)

    async def _leave(self) -> None:
        """Take this reader's name off the group, unless entries are still pending under it."""
        try:
            client = await redis_client()
            pending = await client.xpending_range(
                bus.STREAM, GROUP, min="-", max="+", count=1, consumername=self.name
            )
            if not pending:
                await client.xgroup_delconsumer(bus.STREAM, GROUP, self.name)
        except (redis.RedisError, OSError):
            return
