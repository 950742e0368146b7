"""Racing two streams for their first item; exactly one is shown.

"The tail at scale" (Dean and Barroso, 2013): a second request is sent only once the first one has
been silent for longer than most take, so that few requests are sent twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol, TypeVar


class Contender(Protocol):
    """A stream of texts that may lose."""

    def stream(self) -> AsyncGenerator[str, None]:
        """Return the stream; it is read once."""
        ...

    def lost(self) -> None:
        """Hear that the other one was faster, before the stream is closed."""
        ...


C = TypeVar("C", bound=Contender)


async def raced(
    first: C,
    second: C,
    seconds: float,
    chosen: Callable[[C], None],
) -> AsyncGenerator[str, None]:
    """Yield the texts of whichever contender has one first; `chosen` hears which that is.

    The second begins when the first has been silent for `seconds`. A first contender that fails
    before that fails as if it were alone. When both fail, its error is raised.
    """
    streams = {first: first.stream()}
    waiting: dict[C, asyncio.Future[str | None]] = {
        first: asyncio.ensure_future(anext(streams[first], None))
    }
    try:
        await asyncio.wait(waiting.values(), timeout=seconds)
        if not waiting[first].done():
            streams[second] = second.stream()
            waiting[second] = asyncio.ensure_future(anext(streams[second], None))
        winner = await _first_to_speak(first, waiting)
        chosen(winner)
        for loser in [each for each in waiting if each is not winner]:
            loser.lost()
            await _end(waiting.pop(loser), streams[loser])
        async with aclosing(streams[winner]) as items:
            item = waiting.pop(winner).result()
            while item is not None:
                yield item
                item = await anext(items, None)
    finally:
        for each, task in waiting.items():
            await _end(task, streams[each])


async def _first_to_speak(
    first: C,
    waiting: dict[C, "asyncio.Future[str | None]"],
) -> C:
    """Return who has an item, or has ended well; the first where all have failed."""
    while True:
        for each, task in waiting.items():
            if task.done() and task.exception() is None:
                return each
        running = [task for task in waiting.values() if not task.done()]
        if not running:
            return first
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)


async def _end(task: "asyncio.Future[str | None]", stream: AsyncGenerator[str, None]) -> None:
    """Close a stream that nobody reads any more, and wait for what it does at its end."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # it was to fail, or lost: nobody asks
    await stream.aclose()
