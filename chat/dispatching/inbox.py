"""What has arrived and is to be dispatched: gathered while a batch is under way."""

import asyncio
import uuid
from collections.abc import Callable, Iterable

from chat.dispatching.dispatcher import dispatch
from project.aio import in_thread

BATCH = 200
AGAIN_AFTER = 0.02  # seconds until a conversation that somebody writes in is tried again


class Inbox:
    """Dispatches what is put into it, a batch at a time, and tells `ready` of every turn to take.

    What is in it is lost with its process, and found again in Postgres.
    """

    def __init__(self, ready: Callable[[uuid.UUID], None]) -> None:
        self._ready = ready
        self._waiting: dict[uuid.UUID, None] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """How many turns are in it, without those of the batch under way."""
        return len(self._waiting)

    def put(self, turn_ids: Iterable[uuid.UUID]) -> None:
        """Have these turns dispatched; naming one twice is no harm."""
        self._waiting.update(dict.fromkeys(turn_ids))
        if self._waiting:
            self._arrived.set()

    async def dispatch_next(self) -> None:
        """Wait for something to dispatch, and dispatch it. Raises what the database raises."""
        await self._arrived.wait()
        batch = list(self._waiting)[:BATCH]
        for turn_id in batch:
            del self._waiting[turn_id]
        if not self._waiting:
            self._arrived.clear()
        done = await in_thread(dispatch, batch)
        for turn_id in done.turns:
            self._ready(turn_id)
        if done.busy:
            asyncio.get_running_loop().call_later(AGAIN_AFTER, self.put, done.busy)
