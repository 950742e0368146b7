"""One blocking Redis connection a process, for however many readers of however many turns."""

import asyncio
import contextlib
import os
import secrets
import uuid
import weakref
from collections import deque
from typing import Any

import redis
import redis.asyncio
import structlog
from django.conf import settings

from chat.turn_log.entries import LoggedEvent, log_key, seq_of
from project.aio import redis_client
from project.pacing import trip_seconds

BLOCK_MS = 2000
ANSWER_SECONDS = 5.0
WAKE_SECONDS = 0.01
"""How long a read that asks for too little may go on."""
READ_COUNT = 200
QUEUE_LIMIT = 400
log = structlog.get_logger(__name__)


class Reader:
    """The place of one reader in one log: a bounded queue of what it has not taken yet.

    A full queue takes no more; once emptied, the log is read again from where it stopped. A log
    whose next entry is missing gives nothing more.
    """

    def __init__(self, hub: "Hub", key: str, after: int) -> None:
        self.key = key
        self._hub = hub
        self._expected = after + 1
        self._queue: deque[LoggedEvent] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._is_behind = False
        self._is_broken = False

    def offer(self, event: LoggedEvent) -> None:
        """Take an entry of the log, in order; what was taken before is ignored."""
        if event.seq < self._expected or self._is_behind or self._is_broken:
            return
        if event.seq > self._expected:
            self._is_broken = True
            return
        if len(self._queue) >= QUEUE_LIMIT:
            self._is_behind = True
            return
        self._queue.append(event)
        self._expected += 1
        _settle(self._arrival)

    async def next(self, seconds: float) -> LoggedEvent | None:
        """Return the next event, None when none came in that time."""
        if not self._queue:
            if self._is_behind:
                self._is_behind = False
                self._hub.rewind(self.key, self._expected - 1)
            loop = asyncio.get_running_loop()
            self._arrival = loop.create_future()
            patience = loop.call_later(seconds, _settle, self._arrival)
            try:
                await self._arrival
            finally:
                patience.cancel()
            if not self._queue:
                return None
        return self._queue.popleft()

    def close(self) -> None:
        """Stop reading."""
        self._hub.leave(self)


def _settle(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


class Hub:
    """Follows every wanted log with one XREAD and hands the entries to their readers.

    A stream of the process's own is read along: an entry in it makes a blocked read return, so that
    the next one asks for the changed set. A busy hub needs none: its reads return by themselves.
    """

    def __init__(self) -> None:
        self._readers: dict[str, set[Reader]] = {}
        self._cursors: dict[str, int] = {}
        self._control = f"hub:{os.getpid()}:{secrets.token_hex(6)}"
        self._control_id = "0-0"
        self._task: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._pool: Any = None  # untyped in part
        self._connection: Any = None
        self._reads = 0
        self._is_reading = False

    def join(self, turn_id: uuid.UUID, after: int) -> Reader:
        """Return a reader of a turn's log that begins behind `after`."""
        reader = Reader(self, log_key(turn_id), after)
        self._readers.setdefault(reader.key, set()).add(reader)
        self.rewind(reader.key, after)
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget a reader; a log without readers is not read any more."""
        readers = self._readers.get(reader.key)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._readers[reader.key]
                self._cursors.pop(reader.key, None)

    def rewind(self, key: str, after: int) -> None:
        """See that the log is read from behind `after` at the latest."""
        known = self._cursors.get(key)
        if known is None or after < known:
            self._cursors[key] = after
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run())
            elif self._is_reading:
                loop = asyncio.get_running_loop()
                loop.call_later(WAKE_SECONDS, self._wake_from, self._reads)

    def _wake_from(self, read: int) -> None:
        """Make a read return, unless it has: the next one asks for all there is."""
        if self._is_reading and self._reads == read:
            waking = asyncio.create_task(self._wake())
            self._background.add(waking)
            waking.add_done_callback(self._background.discard)

    async def _wake(self) -> None:
        with contextlib.suppress(redis.RedisError, OSError):
            client = await redis_client()
            pipe = client.pipeline(transaction=False)
            pipe.xadd(self._control, {"w": "1"}, maxlen=4)
            pipe.expire(self._control, 120)
            await pipe.execute()

    async def _run(self) -> None:
        """Read until nobody wants anything."""
        loop = asyncio.get_running_loop()
        while self._cursors:
            try:
                await self._read()
            except (redis.RedisError, OSError) as error:
                log.warning("turn_logs_away", error=type(error).__name__)
                await self._hang_up()
                await asyncio.sleep(0.5)
            except Exception:
                log.exception("turn_logs_not_read")
                await self._hang_up()
                await asyncio.sleep(0.5)
            if pause := trip_seconds(len(self._cursors)):
                await asyncio.sleep(pause)
        await self._hang_up()
        if self._cursors:  # somebody came while the connection was being closed
            self._task = loop.create_task(self._run())

    async def _connect(self) -> None:
        self._pool = redis.asyncio.ConnectionPool.from_url(
            settings.REDIS_URL, protocol=2, decode_responses=True, socket_connect_timeout=2
        )
        self._connection = await self._pool.get_connection()

    async def _hang_up(self) -> None:
        pool, self._pool, self._connection = self._pool, None, None
        if pool is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                await pool.disconnect()

    async def _answer(self, asked: dict[str, int]) -> list[Any]:
        """Return what the logs have behind these numbers, once any of them has something.

        On a connection of its own, without a client around it, which spends several times as much
        on a command as the server.
        """
        if self._connection is None:
            await self._connect()
        after = [f"{number}-0" for number in asked.values()]
        streams = [*asked, self._control, *after, self._control_id]
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._connection.send_command(
                "XREAD", "COUNT", READ_COUNT, "BLOCK", BLOCK_MS, "STREAMS", *streams
            )
            return await self._connection.read_response() or []

    async def _read(self) -> None:
        asked = dict(self._cursors)
        self._reads += 1
        self._is_reading = True
        try:
            answer = await self._answer(asked)
        finally:
            self._is_reading = False
        for key, entries in answer:
            if key == self._control:
                self._control_id = entries[-1][0]
                continue
            # The event is the first field of an entry: its name and its value.
            events = [LoggedEvent(seq_of(entry_id), fields[1]) for entry_id, fields in entries]
            # A cursor set back while the read was under way stays where it was set.
            if self._cursors.get(key) == asked[key]:
                self._cursors[key] = events[-1].seq
            for reader in tuple(self._readers.get(key, ())):
                for event in events:
                    reader.offer(event)


_hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub()
    return found
