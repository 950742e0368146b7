"""Redis for what must not wait for it: asked once and shortly, then left alone for a while.

One that hangs (frozen, swapping, behind a dead network) would otherwise hold up every message by
its timeout, and several times over. All callers of a process share what was learned: the first
waits `WAIT` seconds, and for `REST` seconds after that nobody asks.
"""

import asyncio
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis
import redis.asyncio
import redis.asyncio.retry
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

T = TypeVar("T")

WAIT = 0.5  # seconds
REST = 5.0  # seconds
REST_REFUSED = 0.5  # seconds after a refusal, which costs nobody time
log = structlog.get_logger(__name__)

_rest_until = 0.0
_lock = threading.Lock()
_client: redis.Redis | None = None
_async_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]" = (
    weakref.WeakKeyDictionary()
)


def quick(use: Callable[[redis.Redis], T]) -> T | None:
    """Return what `use` makes of the client (answers in bytes); None while Redis is away."""
    if time.monotonic() < _rest_until:
        return None
    try:
        return use(_sync())
    except (redis.RedisError, OSError) as error:
        _lost(error)
        return None


async def aquick(use: Callable[[redis.asyncio.Redis], Awaitable[T]]) -> T | None:
    """Do what `quick` does, without blocking the event loop."""
    if time.monotonic() < _rest_until:
        return None
    try:
        async with asyncio.timeout(WAIT):
            return await use(_async())
    except (redis.RedisError, OSError) as error:  # a TimeoutError is an OSError
        _lost(error)
        return None


def forget() -> None:
    """Ask Redis again at once, on a new connection."""
    global _rest_until, _client
    _rest_until, _client = 0.0, None
    _async_clients.clear()


def _sync() -> redis.Redis:
    """Return this process's client. Tried again is only a connection that a restart left dead."""
    global _client  # noqa: PLW0603 - one client a process
    with _lock:
        if _client is None:
            _client = redis.Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=WAIT,
                socket_connect_timeout=WAIT,
                retry=Retry(NoBackoff(), 1, (NoConnection,)),
            )
        return _client


def _async() -> redis.asyncio.Redis:
    """Return the client of the running loop: its connections cannot be used from another."""
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        client = _async_clients[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=WAIT,
            socket_connect_timeout=WAIT,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 1, (NoConnection,)),
        )
    return client


def _lost(error: Exception) -> None:
    global _rest_until  # noqa: PLW0603 - what this process knows of Redis
    is_slow = isinstance(error, (NoAnswer, TimeoutError))
    pause = REST if is_slow else REST_REFUSED
    _rest_until = time.monotonic() + pause
    log.warning("redis_left_alone", error=type(error).__name__, seconds=pause)
