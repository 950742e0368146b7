"""Writing the log of one turn."""

import asyncio
import uuid
from typing import Any

import redis

from chat.turn_log.entries import TTL_FINISHED, TTL_RUNNING, LoggedEvent, encode, log_key, seq_of
from chat.turn_log.shipping import shipper
from chat.types import AnswerDelta, AnswerEvent, event_fields
from project.aio import redis_client
from project.pacing import gather_seconds

COALESCE_DELTAS = 8
BATCH = 64
JUMP = 10_000
"""Left free when a dead agent's log is gone: what it had given out is unknown, but surely less."""

CLOSE_SECONDS = 2.0


class TurnLog:
    """Numbers the events of a turn and has them sent.

    Text is gathered (`project.pacing`) for a moment or 8 pieces, but the first piece after a pause
    goes out at once. A Redis that is away is waited for: events are kept and sent when it is back,
    at the numbers that they were given. `lost` is set when another agent has written: this one must
    stop.
    """

    def __init__(self, turn_id: uuid.UUID, *, writer: str) -> None:
        self.turn_id = turn_id
        self.key = log_key(turn_id)
        self.writer = writer
        self.ttl = TTL_RUNNING
        self.lost = asyncio.Event()
        self._seq = 0
        self._pending: list[LoggedEvent] = []
        self._texts: list[str] = []  # pieces of the block being gathered
        self._block = 0
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self._shipper = shipper()

    async def open(self, *, known_seq: int, is_retry: bool) -> int:
        """Start after the last number in use and return it; 0 for a turn that nobody has begun.

        `known_seq` is what the turn's row knows; `is_retry` says that an agent has died on it.
        """
        self._shipper.logs.add(self)
        try:
            client = await redis_client()
            entries: Any = await client.xrevrange(self.key, count=1)
        except (redis.RedisError, OSError):
            entries = []
        last = seq_of(entries[0][0]) if entries else 0
        self._seq = max(known_seq, last)
        if is_retry and not last:
            self._seq += JUMP
        return self._seq

    def seal(self) -> int:
        """End the text that is being gathered; return the number of the last event put."""
        self._end_text()
        return self._seq

    def put(self, event: AnswerEvent) -> None:
        """Take the next event of the answer."""
        if not isinstance(event, AnswerDelta):
            self.put_fields(event_fields(event))
            return
        if self._texts and self._block != event.block:
            self._end_text()
        self._block = event.block
        self._texts.append(event.text)
        loop = asyncio.get_running_loop()
        # Half of it: what comes at the reader's moments is due, however late the last one was.
        due = self._sent_at + gather_seconds(len(self._shipper.logs)) / 2
        if len(self._texts) >= COALESCE_DELTAS or loop.time() >= due:
            self._end_text()
        elif self._timer is None:
            self._timer = loop.call_at(due, self._end_text)

    def put_fields(self, fields: dict[str, Any]) -> None:
        """Take an event that is ready to be written, such as the final one."""
        self._end_text()
        self._append(fields)

    async def close(self, *, is_finished: bool) -> None:
        """Send what is left, for at most two seconds, and end; finished logs expire sooner."""
        self._end_text()
        self._shipper.logs.discard(self)
        if is_finished:
            self.ttl = TTL_FINISHED
        waits = [asyncio.create_task(self._settled.wait()), asyncio.create_task(self.lost.wait())]
        try:
            await asyncio.wait(waits, timeout=CLOSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            self._pending.clear()
            self._shipper.forget(self)

    def batch(self) -> list[LoggedEvent]:
        """Return the next entries to send."""
        return self._pending[:BATCH]

    def sent(self, count: int) -> None:
        """Forget the first entries: they are in the log."""
        del self._pending[:count]
        if not self._pending:
            self._settled.set()

    def forestalled(self, seq: int) -> None:
        """Give up: another agent has written that entry."""
        self._pending.clear()
        self.lost.set()

    def _end_text(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._texts:
            text = "".join(self._texts)
            self._texts.clear()
            self._sent_at = asyncio.get_running_loop().time()
            self._append({"type": AnswerDelta.type, "text": text, "block": self._block})

    def _append(self, fields: dict[str, Any]) -> None:
        if self.lost.is_set():
            return
        self._seq += 1
        self._pending.append(encode(self.turn_id, self._seq, fields))
        self._settled.clear()
        self._shipper.want(self)
