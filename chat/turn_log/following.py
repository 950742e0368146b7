"""Following a turn from any number, without gaps and without repeats."""

import asyncio
import uuid
from collections.abc import AsyncGenerator

import redis

from chat.turn_log.entries import LoggedEvent, log_key, seq_of
from chat.turn_log.hub import hub
from chat.turn_log.replay import QUEUED, TurnState, synthesise, turn_state
from project.aio import in_thread, redis_client

_PATIENCE = (1.0, 2.0, 3.0)  # seconds of silence before the row is asked
_LAST_EVENT_SECONDS = 1.5


async def follow(
    turn_id: uuid.UUID, after: int = 0, *, is_new: bool = False
) -> AsyncGenerator[LoggedEvent, None]:
    """Yield the events behind number `after`, as they come, to the last one.

    `is_new` spares a look at the row of a turn that was queued just now.

    1. A turn that is over and whose last number was seen has nothing more.
    2. While the log is whole its events are passed on.
    3. When it is not (flushed, expired, torn) the turn's row is asked at a gentle pace; once the
       turn is over its stored answer is told as events that continue the numbers, beginning with
       `answer.reset` for readers who had seen some of it.

    Ends without an event when the turn is gone.
    """
    state = QUEUED if is_new else await in_thread(turn_state, turn_id)
    if state is None:
        return
    if not state.is_final:
        reader = hub().join(turn_id, after)
        silences = 0
        try:
            while state is not None and not state.is_final:
                event = await reader.next(_PATIENCE[min(silences, len(_PATIENCE) - 1)])
                if event is None:
                    silences += 1
                    state = await in_thread(turn_state, turn_id)
                    continue
                silences = 0
                after = event.seq
                yield event
                if event.is_final:
                    return
        finally:
            reader.close()
    if state is None or after >= state.last_seq:
        return
    for event in await _rest_of_finished(turn_id, after, state):
        yield event


async def _rest_of_finished(turn_id: uuid.UUID, after: int, state: TurnState) -> list[LoggedEvent]:
    """Return what a finished turn has behind `after`: from its log, or from its row."""
    deadline = asyncio.get_running_loop().time() + _LAST_EVENT_SECONDS
    while True:
        events = await _whole_log(turn_id, after, state.last_seq)
        if events is not None:
            return events
        # The row is written before the log's last entry: that one may be on its way.
        if not state.is_fresh or asyncio.get_running_loop().time() >= deadline:
            return await in_thread(synthesise, turn_id, after)
        await asyncio.sleep(0.1)


async def _whole_log(turn_id: uuid.UUID, after: int, last_seq: int) -> list[LoggedEvent] | None:
    """Return the entries behind `after` of a log that has every number up to the last, else None.

    A log with any hole is of no use, even behind `after`: some reader may have been told the
    stored answer under those numbers.
    """
    key = log_key(turn_id)
    try:
        pipe = (await redis_client()).pipeline(transaction=True)
        pipe.xlen(key)
        pipe.xrange(key, min=f"{after + 1}-0")
        length, entries = await pipe.execute()
    except (redis.RedisError, OSError):
        return None
    if length != last_seq or len(entries) != last_seq - after:
        return None
    return [LoggedEvent(seq_of(entry_id), fields["e"]) for entry_id, fields in entries]
