"""The agent: takes queued turns, and answers up to hundreds of them at once in one event loop.

1. New questions come as events from the Redis stream, shared out by a consumer group. Entries are
   acknowledged as they are read: what is lost with an agent is found in Postgres.
2. What has come is dispatched (`chat.dispatching`) and claimed, all of it at once.
3. A sweep in Postgres, every two seconds, takes what no event led to (Redis flushed or away, agent
   died before its claim) and what a dead agent's lease has released.
4. Leases of running turns are renewed together; the answer also says which of them are to stop.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError
from psycopg_pool import PoolTimeout

from chat import metrics, stopping
from chat.claiming import Claim, turns_claim
from chat.dispatching.dispatcher import Dispatched, dispatch, turns_undispatched
from chat.dispatching.inbox import BATCH, Inbox
from chat.turn_runner import Answerer, TurnRunner
from chat.turns import leases_renew, turn_next, turns_waiting
from project.aio import in_thread, redis_client
from project.events import bus
from project.pacing import trip_seconds

GROUP = "agents"
WAKE_EVENT = "chat.message.received"
BLOCK_MS = 2000
SWEEP_EVERY = 2.0
FINISH_SECONDS = 3.0
HAND_BACK_SECONDS = 5.0
FORGET_AFTER_MS = 3_600_000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Taken(Dispatched):
    claims: list[Claim] = field(default_factory=list)


class Agent:
    """Runs until `stop`; then running turns have three seconds, and go back to the queue."""

    def __init__(self, answerer: Answerer, *, capacity: int | None = None) -> None:
        self.name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._answerer = answerer
        self._capacity = capacity or settings.ACERVO_AGENT_TURNS
        self._tasks: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._runners: dict[uuid.UUID, TurnRunner] = {}
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._stopping = asyncio.Event()
        self._last_stop_id = ""
        self._inbox = Inbox(self._dispatched)
        self._has_taken = asyncio.Event()  # nothing is being claimed at this moment
        self._has_taken.set()

    def stop(self) -> None:
        """Take no more turns, and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Take turns until `stop`."""
        loops = [
            asyncio.create_task(self._guarded(each))
            for each in (self._listen, self._dispatch, self._hear_stops, self._sweep, self._renew)
        ]
        await self._stopping.wait()
        await self._wind_down()
        for each in loops:
            each.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._leave()

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except (redis.RedisError, OSError, DatabaseError, PoolTimeout) as error:
                log.warning("agent_waits", step=step.__name__, error=type(error).__name__)
                await asyncio.sleep(1.0)
            except Exception:
                log.exception("agent_loop_failed", step=step.__name__)
                await asyncio.sleep(1.0)

    @property
    def _room(self) -> int:
        return 0 if self._stopping.is_set() else self._capacity - len(self._tasks)

    async def _listen(self) -> None:
        await self._has_room.wait()
        if self._stopping.is_set():
            await asyncio.sleep(BLOCK_MS / 1000)
            return
        client = await redis_client()
        entries = await bus.read_group(
            client,
            GROUP,
            self.name,
            count=max(1, min(32, self._room)),
            block_ms=BLOCK_MS,
            acknowledge=True,
        )
        self._inbox.put(
            entry.subject_id
            for entry in entries
            if entry.type == WAKE_EVENT and entry.subject_id is not None
        )
        if pause := trip_seconds(len(self._tasks)):
            await asyncio.sleep(pause)

    async def _dispatch(self) -> None:
        await self._inbox.wait()
        self._has_taken.clear()
        try:
            for claim in (await self._inbox.dispatch_next()).claims:
                self._begin(claim.turn_id, self._answer(claim))
        finally:
            self._has_taken.set()

    def _dispatched(self, turn_ids: Collection[uuid.UUID]) -> _Taken:
        """Dispatch turns and claim as many of them as there is room for; called in a thread."""
        done = dispatch(turn_ids)
        mine = [each for each in done.turns if each not in self._tasks][: max(0, self._room)]
        return _Taken(done.turns, done.busy, turns_claim(mine, agent=self.name))

    async def _hear_stops(self) -> None:
        client = await redis_client()
        if not self._last_stop_id:
            newest: Any = await client.xrevrange(stopping.STREAM, count=1)
            self._last_stop_id = newest[0][0] if newest else "0-0"
        answer: Any = await client.xread({stopping.STREAM: self._last_stop_id}, block=BLOCK_MS)
        for _stream, entries in answer or []:
            for entry_id, fields in entries:
                self._last_stop_id = entry_id
                runner = self._runners.get(uuid.UUID(fields["turn"]))
                if runner is not None:
                    runner.cut("stop")

    async def _sweep(self) -> None:
        await asyncio.sleep(SWEEP_EVERY)
        self._inbox.put(await in_thread(turns_undispatched, BATCH))
        if self._room > 0:
            for turn_id in await in_thread(turns_waiting, self._room):
                self._claim(turn_id)

    async def _renew(self) -> None:
        await asyncio.sleep(settings.ACERVO_TURN_LEASE / 4)
        runners = list(self._runners.values())
        if not runners:
            return
        held = await in_thread(leases_renew, [each.claim.owner for each in runners])
        for runner in runners:
            wants_stop = held.get(runner.claim.owner)
            if wants_stop is None:
                runner.cut("lost")
            elif wants_stop:
                runner.cut("stop")

    def _claim(self, turn_id: uuid.UUID) -> None:
        """Start answering a turn in the background, if it can be claimed."""
        if turn_id not in self._tasks and self._room > 0:
            self._begin(turn_id, self._claimed(turn_id))

    def _begin(self, turn_id: uuid.UUID, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[turn_id] = task
        task.add_done_callback(lambda _done: self._release(turn_id))
        if self._room <= 0:
            self._has_room.clear()

    def _release(self, turn_id: uuid.UUID) -> None:
        self._tasks.pop(turn_id, None)
        self._has_room.set()

    async def _claimed(self, turn_id: uuid.UUID) -> None:
        """Answer a turn if it can be claimed."""
        try:
            claims = await in_thread(turns_claim, [turn_id], agent=self.name)
        except (DatabaseError, PoolTimeout) as error:
            log.warning("turn_left_to_sweep", turn=str(turn_id), error=type(error).__name__)
            return
        for claim in claims:
            await self._answer(claim)

    async def _answer(self, claim: Claim) -> None:
        turn_id = claim.turn_id
        try:
            runner = TurnRunner(claim, self._answerer)
            self._runners[turn_id] = runner
            metrics.running.inc()
            try:
                await runner.run()
            finally:
                metrics.running.dec()
                del self._runners[turn_id]
            following = await in_thread(turn_next, claim.conversation_id)
            if following is not None and following != turn_id:
                self._claim(following)
        except (DatabaseError, PoolTimeout) as error:
            log.warning("turn_left_to_sweep", turn=str(turn_id), error=type(error).__name__)
        except Exception:
            log.exception("turn_run_failed", turn=str(turn_id))

    async def _wind_down(self) -> None:
        """Let the running turns end, then put back in the queue what has not."""
        with contextlib.suppress(TimeoutError):  # what is being claimed is this agent's, too
            await asyncio.wait_for(self._has_taken.wait(), FINISH_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=FINISH_SECONDS)
        deadline = asyncio.get_running_loop().time() + HAND_BACK_SECONDS
        while self._tasks and asyncio.get_running_loop().time() < deadline:
            for runner in self._runners.values():  # those just claimed included
                runner.cut("hand_back")
            await asyncio.wait(self._tasks.values(), timeout=0.2)

    async def _leave(self) -> None:
        """Take this agent, and those that have long been silent, off the consumer group."""
        try:
            client = await redis_client()
            await client.xgroup_delconsumer(bus.STREAM, GROUP, self.name)
            await bus.forget_dead_readers(client, GROUP, idle_ms=FORGET_AFTER_MS)
        except (redis.RedisError, OSError) as error:
            log.info("agent_not_signed_off", error=type(error).__name__)
