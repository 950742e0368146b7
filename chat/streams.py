"""The events of a turn over plain HTTP: server-sent events and long poll.

Both answers are streams: the request's own thread is free as soon as the stream is handed over,
and waiting costs a task in the event loop, not a thread. A stream is looked at like a socket while
it is open, and ends when its reader may not read on.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

from chat.connections import connections, seat_take
from chat.models import Turn
from chat.turn_log import LoggedEvent, follow
from project.accounts.connections import Seat
from project.accounts.ws import SocketCaller

KEEP_ALIVE_SECONDS = 15.0
GATHER_SECONDS = 0.03
MAX_POLL_EVENTS = 500


class _Seated(StreamingHttpResponse):
    """A stream that gives its place back if it never begins."""

    seat: Seat

    def close(self) -> None:
        """End."""
        super().close()
        self.seat.give_back()


def event_stream(caller: SocketCaller, turn: Turn, after: int) -> StreamingHttpResponse:
    """Return the events behind `after` as server-sent events, ending after the last one.

    Raises TooMany and Unavailable when there are too many connections.
    """
    seat = seat_take(caller)
    response = _Seated(
        _server_sent(seat, turn, after), content_type="text/event-stream; charset=utf-8"
    )
    response.seat = seat
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect the stream first
    return response


def poll_response(
    caller: SocketCaller, turn: Turn, after: int, seconds: float
) -> StreamingHttpResponse:
    """Return `{"events": [...], "done"}` as soon as there is an event, or after `seconds`.

    Raises TooMany and Unavailable when there are too many connections.
    """
    seat = seat_take(caller)
    response = _Seated(_polled(seat, turn, after, seconds), content_type="application/json")
    response.seat = seat
    response.headers["Cache-Control"] = "no-store"
    return response


async def _server_sent(seat: Seat, turn: Turn, after: int) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    with contextlib.suppress(_Cut):
        async with contextlib.aclosing(_with_silences(_permitted(seat, turn, after))) as events:
            async for event in events:
                if event is None:
                    yield b": keep-alive\n\n"
                else:
                    yield f"id: {event.seq}\ndata: {event.raw}\n\n".encode()


class _Cut(Exception):
    """The stream ends although the turn may not."""


async def _permitted(seat: Seat, turn: Turn, after: int) -> AsyncGenerator[LoggedEvent, None]:
    """Yield the events behind `after`; raises _Cut as soon as the caller may not read them."""
    cut = asyncio.Event()
    connection = await connections().admit(
        seat.caller, lambda _code: cut.set(), turn.conversation_id, seat=seat
    )
    connection.is_reading = True
    cutting = asyncio.create_task(cut.wait())
    events = follow(turn.pk, after)
    waiting: asyncio.Task[LoggedEvent] | None = None
    try:
        while True:
            waiting = asyncio.ensure_future(anext(events))
            either: set[asyncio.Task[Any]] = {waiting, cutting}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if cut.is_set():
                raise _Cut
            try:
                event = waiting.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        connections().leave(connection)
        cutting.cancel()
        if waiting is not None and not waiting.done():
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await events.aclose()


async def _with_silences(
    events: AsyncGenerator[LoggedEvent, None],
) -> AsyncGenerator[LoggedEvent | None, None]:
    """Yield the events, and None for every 15 s without one."""
    waiting: asyncio.Task[LoggedEvent] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            done, _pending = await asyncio.wait([waiting], timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield None
                continue
            finished, waiting = waiting, None
            try:
                yield finished.result()
            except StopAsyncIteration:
                return
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await events.aclose()


async def _polled(seat: Seat, turn: Turn, after: int, seconds: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    found: list[LoggedEvent] = []
    is_done = False
    async with contextlib.aclosing(_permitted(seat, turn, after)) as events:
        while not is_done and len(found) < MAX_POLL_EVENTS:
            try:
                async with asyncio.timeout_at(limit):
                    found.append(await anext(events))
            except StopAsyncIteration:
                is_done = True
            except (TimeoutError, _Cut):
                break
            else:
                is_done = found[-1].is_final
                limit = min(limit, loop.time() + GATHER_SECONDS)
    rows = ",".join(event.raw for event in found)
    yield f'{{"events":[{rows}],"done":{"true" if is_done else "false"}}}'.encode()
