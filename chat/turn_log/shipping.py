"""Sending what the turns of a process have written, all of them in one round trip after another.

While a round trip is under way the others gather: with one turn running an entry leaves at once,
with a hundred each trip waits a moment and takes along what all of them have said meanwhile.
"""

import asyncio
import weakref
from typing import Protocol

import redis
import structlog

from chat.turn_log.entries import LoggedEvent
from project.aio import redis_client
from project.pacing import trip_seconds

_RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)
log = structlog.get_logger(__name__)

# Adds entries in their order and stops at the first that another writer has forestalled (returns
# its number). An entry that is there already and ours is the echo of an attempt whose answer was
# lost. One script, because in a pipeline the entries after a refused one would still be added.
_APPEND = """
for i = 3, #ARGV, 2 do
  local id = ARGV[i] .. '-0'
  local added = redis.pcall('XADD', KEYS[1], id, 'e', ARGV[i + 1], 'w', ARGV[1])
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then
      return redis.error_reply(added.err)
    end
    local there = redis.call('XRANGE', KEYS[1], id, id)
    if #there == 0 or there[1][2][4] ~= ARGV[1] then return tonumber(ARGV[i]) end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 0
"""


class Cargo(Protocol):
    """A log with entries to send."""

    key: str
    writer: str
    ttl: int

    def batch(self) -> list[LoggedEvent]:
        """Return the next entries, without taking them away."""

    def sent(self, count: int) -> None:
        """Forget that many entries: they are in the log."""

    def forestalled(self, seq: int) -> None:
        """Learn that another writer has written that entry."""


class Shipper:
    """Sends for the logs of one event loop; tries again, ever less often, while Redis is away."""

    def __init__(self) -> None:
        self.logs: weakref.WeakSet[Cargo] = weakref.WeakSet()  # that are being written
        self._waiting: dict[Cargo, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._script = ""

    def want(self, cargo: Cargo) -> None:
        """Send what `cargo` has, as soon as may be."""
        self._waiting[cargo] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def forget(self, cargo: Cargo) -> None:
        """Send nothing of it any more."""
        self._waiting.pop(cargo, None)

    async def _run(self) -> None:
        while self._waiting:
            if pause := trip_seconds(len(self.logs)):
                await asyncio.sleep(pause)
            loads = [(cargo, batch) for cargo in self._waiting if (batch := cargo.batch())]
            self._waiting.clear()
            if not loads:
                continue
            try:
                answers = await self._send(loads)
            except (redis.RedisError, OSError) as error:
                await self._back_off(loads, error)
                continue
            self._failures = 0
            for (cargo, batch), answer in zip(loads, answers, strict=True):
                if answer:
                    cargo.forestalled(answer)
                else:
                    cargo.sent(len(batch))
                    if cargo.batch():
                        self._waiting[cargo] = None

    async def _send(self, loads: list[tuple[Cargo, list[LoggedEvent]]]) -> list[int]:
        """Return for each load 0, or the number at which another writer was first."""
        client = await redis_client()
        if not self._script:
            self._script = str(await client.script_load(_APPEND))
        pipe = client.pipeline(transaction=False)
        for cargo, batch in loads:
            arguments: list[str | int] = [cargo.writer, cargo.ttl]
            for event in batch:
                arguments += [event.seq, event.raw]
            pipe.evalsha(self._script, 1, cargo.key, *arguments)
        try:
            return [int(answer) for answer in await pipe.execute()]
        except redis.exceptions.NoScriptError:
            self._script = ""  # the server is a new one
            raise

    async def _back_off(
        self, loads: list[tuple[Cargo, list[LoggedEvent]]], error: Exception
    ) -> None:
        if not self._failures:
            log.warning("turn_logs_not_written", error=type(error).__name__)
        pause = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
        self._failures += 1
        for cargo, _batch in loads:
            self._waiting[cargo] = None
        await asyncio.sleep(pause)


_shippers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Shipper]" = (
    weakref.WeakKeyDictionary()
)


def shipper() -> Shipper:
    """Return the shipper of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _shippers.get(loop)
    if found is None:
        found = _shippers[loop] = Shipper()
    return found
