"""Writing the log of one turn."""

import asyncio
import uuid
from typing import Any

import redis
import structlog

from chat.turn_log.entries import TTL_FINISHED, TTL_RUNNING, LoggedEvent, encode, log_key, seq_of
from chat.types import AnswerDelta, AnswerEvent, event_fields
from project.aio import redis_client

COALESCE_SECONDS = 0.05
COALESCE_DELTAS = 8
JUMP = 10_000
"""Left free when a dead agent's log is gone: what it had given out is unknown, but surely less."""

CLOSE_SECONDS = 2.0
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


class TurnLog:
    """Numbers the events of a turn and appends them in the background.

    Text is gathered for 50 ms or 8 pieces, but the first piece after a pause goes out at once. A
    Redis that is away is waited for: events are kept and sent when it is back, at the numbers that
    they were given. `lost` is set when another agent has written: this one must stop.
    """

    def __init__(self, turn_id: uuid.UUID, *, writer: str) -> None:
        self.turn_id = turn_id
        self.lost = asyncio.Event()
        self._key = log_key(turn_id)
        self._writer = writer
        self._seq = 0
        self._pending: list[LoggedEvent] = []
        self._delta: AnswerDelta | None = None
        self._delta_pieces = 0
        self._delta_sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._ttl = TTL_RUNNING
        self._flusher: asyncio.Task[None] | None = None

    async def open(self, *, known_seq: int, is_retry: bool) -> int:
        """Start after the last number in use and return it; 0 for a turn that nobody has begun.

        `known_seq` is what the turn's row knows; `is_retry` says that an agent has died on it.
        """
        try:
            client = await redis_client()
            entries: Any = await client.xrevrange(self._key, count=1)
        except (redis.RedisError, OSError):
            entries = []
        last = seq_of(entries[0][0]) if entries else 0
        self._seq = max(known_seq, last)
        if is_retry and not last:
            self._seq += JUMP
        self._flusher = asyncio.create_task(self._flush())
        return self._seq

    def seal(self) -> int:
        """End the text that is being gathered; return the number of the last event put."""
        self._end_delta()
        return self._seq

    def put(self, event: AnswerEvent) -> None:
        """Take the next event of the answer."""
        if not isinstance(event, AnswerDelta):
            self.put_fields(event_fields(event))
            return
        if self._delta is not None and self._delta.block == event.block:
            self._delta = AnswerDelta(self._delta.text + event.text, event.block)
            self._delta_pieces += 1
        else:
            self._end_delta()
            self._delta, self._delta_pieces = event, 1
        loop = asyncio.get_running_loop()
        due = self._delta_sent_at + COALESCE_SECONDS
        if self._delta_pieces >= COALESCE_DELTAS or loop.time() >= due:
            self._end_delta()
        elif self._timer is None:
            self._timer = loop.call_at(due, self._end_delta)

    def put_fields(self, fields: dict[str, Any]) -> None:
        """Take an event that is ready to be written, such as the final one."""
        self._end_delta()
        self._append(fields)

    async def close(self, *, is_finished: bool) -> None:
        """Send what is left, for at most two seconds, and end; finished logs expire sooner."""
        self._end_delta()
        if is_finished:
            self._ttl = TTL_FINISHED
        waits = [asyncio.create_task(self._settled.wait()), asyncio.create_task(self.lost.wait())]
        try:
            await asyncio.wait(waits, timeout=CLOSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in [*waits, self._flusher]:
                if each is not None:
                    each.cancel()

    def _end_delta(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._delta is not None:
            delta, self._delta = self._delta, None
            self._delta_sent_at = asyncio.get_running_loop().time()
            self._append(event_fields(delta))

    def _append(self, fields: dict[str, Any]) -> None:
        self._seq += 1
        self._pending.append(encode(self.turn_id, self._seq, fields))
        self._settled.clear()
        self._wanted.set()

    async def _flush(self) -> None:
        failures = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            batch = self._pending[:64]
            if not batch:
                self._settled.set()
                continue
            try:
                forestalled = await self._send(batch)
            except (redis.RedisError, OSError) as error:
                if not failures:
                    log.warning("turn_log_away", error=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
                self._wanted.set()
                continue
            failures = 0
            if forestalled:
                log.info("turn_log_lost", turn=str(self.turn_id), seq=forestalled)
                self.lost.set()
                return
            del self._pending[: len(batch)]
            self._wanted.set()

    async def _send(self, batch: list[LoggedEvent]) -> int:
        client = await redis_client()
        arguments: list[str | int] = [self._writer, self._ttl]
        for event in batch:
            arguments += [event.seq, event.raw]
        return int(await client.register_script(_APPEND)(keys=[self._key], args=arguments))
