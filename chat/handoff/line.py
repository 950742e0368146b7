"""One Redis subscription a process, for everybody who follows a handoff or the queues."""

import asyncio
import contextlib
import json
import uuid
import weakref
from collections import deque
from typing import Any

import redis
import structlog

from chat.handoff.news import CHANNEL, LOOK, PATTERN
from project.aio import redis_client
from project.quick_redis import aquick

KEPT = 20  # pieces of news that somebody has not taken yet
LISTEN_SECONDS = 4.0  # a blocking read must be shorter than the client's timeout
log = structlog.get_logger(__name__)

News = dict[str, Any]


class Ear:
    """The place of one listener. To look is said once, however often it was to be."""

    def __init__(self, line: "Line", channel: str) -> None:
        self.channel = channel
        self._line = line
        self._news: deque[News] = deque(maxlen=KEPT)
        self._is_to_look = False
        self._heard = asyncio.Event()

    def hear(self, news: News) -> None:
        """Take a piece of news."""
        if news == LOOK:
            self._is_to_look = True
        else:
            self._news.append(news)
        self._heard.set()

    async def next(self, seconds: float) -> News:
        """Return the next piece of news; after so many seconds without any, that it is to look."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        if self._news:
            news = self._news.popleft()
        else:
            news, self._is_to_look = LOOK, False
        if not self._news and not self._is_to_look:
            self._heard.clear()
        return news

    def close(self) -> None:
        """Listen no longer."""
        self._line.leave(self)


class Line:
    """Listens as long as anybody does."""

    def __init__(self) -> None:
        self._ears: dict[str, set[Ear]] = {}
        self._task: asyncio.Task[None] | None = None

    def join(self, place: uuid.UUID | str) -> Ear:
        """Return the place of a new listener."""
        ear = Ear(self, CHANNEL.format(place))
        self._ears.setdefault(ear.channel, set()).add(ear)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return ear

    def leave(self, ear: Ear) -> None:
        """Forget a listener."""
        ears = self._ears.get(ear.channel, set())
        ears.discard(ear)
        if not ears:
            self._ears.pop(ear.channel, None)

    async def _run(self) -> None:
        while self._ears:
            pubsub = (await redis_client()).pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.psubscribe(PATTERN)
                # What was said before this is seen by looking.
                self._tell_all()
                while self._ears:
                    message = await pubsub.get_message(timeout=LISTEN_SECONDS)
                    if message is not None:
                        self._tell(message["channel"], json.loads(message["data"]))
            except (redis.RedisError, OSError) as error:
                log.warning("handoff_line_away", error=type(error).__name__)
                await asyncio.sleep(1.0)
            finally:
                with contextlib.suppress(redis.RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _tell(self, channel: str, news: News) -> None:
        for ear in tuple(self._ears.get(channel, ())):
            ear.hear(news)

    def _tell_all(self) -> None:
        for channel in tuple(self._ears):
            self._tell(channel, LOOK)


async def say(place: uuid.UUID | str, news: News) -> None:
    """Tell whoever follows a handoff something that is kept nowhere, such as that one types."""
    await aquick(lambda client: client.publish(CHANNEL.format(place), json.dumps(news)))


_lines: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Line]" = weakref.WeakKeyDictionary()


def line() -> Line:
    """Return the line of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _lines.get(loop)
    if found is None:
        found = _lines[loop] = Line()
    return found
