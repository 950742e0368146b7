"""The loop that reads the event stream; run by the agent process, in as many as are started."""

import asyncio
import os
import socket

import redis
import structlog

from project.aio import in_thread, redis_client
from project.events import bus
from project.events.delivery import deliver, relay

GROUP = "subscribers"
BLOCK_MS = 2000
CLAIM_IDLE_MS = 30_000
RELAY_EVERY = 5.0
log = structlog.get_logger(__name__)


class EventWorker:
    """Reads the stream in a consumer group, takes over what dead readers left, and relays."""

    def __init__(self, *, concurrency: int = 8) -> None:
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._slots = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask the loops to end after what they have in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`; a Redis that is away is waited for."""
        await asyncio.gather(self._guarded(self._read), self._guarded(self._sweep))
        if self._running:
            await asyncio.wait(self._running, timeout=10)

    async def _guarded(self, step: "asyncio.Future[None] | object") -> None:
        while not self._stopping.is_set():
            try:
                await step()  # type: ignore[operator]
            except (redis.RedisError, OSError) as error:
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
        try:
            answer = await client.xreadgroup(
                GROUP, self._name, {bus.STREAM: ">"}, count=32, block=BLOCK_MS
            )
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            return
        for _stream, entries in _pairs(answer):
            for entry_id, fields in entries:
                await self._take(entry_id, fields)

    async def _make_group(self) -> None:
        client = await redis_client()
        try:
            await client.xgroup_create(bus.STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _take(self, entry_id: str, fields: dict[str, str]) -> None:
        await self._slots.acquire()
        task = asyncio.create_task(self._handle(entry_id, fields))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle(self, entry_id: str, fields: dict[str, str]) -> None:
        try:
            await in_thread(deliver, int(fields["position"]))
            client = await redis_client()
            await client.xack(bus.STREAM, GROUP, entry_id)
        except Exception:
            # The entry stays pending: it is claimed again, and the relay knows the event too.
            log.exception("event_not_handled", entry=entry_id)
        finally:
            self._slots.release()

    async def _sweep(self) -> None:
        await in_thread(relay)
        client = await redis_client()
        try:
            claimed = await client.xautoclaim(
                bus.STREAM, GROUP, self._name, CLAIM_IDLE_MS, "0-0", count=32
            )
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
        else:
            for entry_id, fields in claimed[1]:
                if fields:
                    await self._take(entry_id, fields)
        await self._pause(RELAY_EVERY)


def _pairs(answer: object) -> list[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Return the streams of an XREADGROUP answer, in either protocol's shape."""
    if not answer:
        return []
    if isinstance(answer, dict):
        return [(stream, batches[0] if batches and isinstance(batches[0], list) else batches)
                for stream, batches in answer.items()]
    return [(stream, entries) for stream, entries in answer]  # type: ignore[attr-defined]
