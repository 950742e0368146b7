"""What has arrived and is to be dispatched: gathered while a batch is under way."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

from chat.dispatching.dispatcher import Dispatched
from project.aio import in_thread

Done = TypeVar("Done", bound=Dispatched)

BATCH = 200
AGAIN_AFTER = 0.02  # seconds until a conversation that somebody writes in is tried again


class Inbox(Generic[Done]):
    """Has what is put into it dispatched, a batch at a time, by `dispatch`, called in a thread.

    What is in it is lost with its process, and found again in Postgres.
    """

    def __init__(self, dispatch: Callable[[Collection[uuid.UUID]], Done]) -> None:
        self._dispatch = dispatch
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

    async def wait(self) -> None:
        """Wait until there is something to dispatch."""
        await self._arrived.wait()

    async def dispatch_next(self) -> Done:
        """Have what waits dispatched, or a batch of it; return what came of it.

        What is busy comes again by itself. Raises what the database raises.
        """
        batch = list(self._waiting)[:BATCH]
        for turn_id in batch:
            del self._waiting[turn_id]
        if not self._waiting:
            self._arrived.clear()
        done = await in_thread(self._dispatch, batch)
        if done.busy:
            asyncio.get_running_loop().call_later(AGAIN_AFTER, self.put, done.busy)
        return done
