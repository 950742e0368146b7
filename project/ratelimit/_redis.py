"""Redis, as limits use it: asked once and shortly, and left alone for a while after a fault."""

import asyncio
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.retry
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from project.ratelimit._script import SCRIPT

WAIT = 0.5  # seconds that a hit waits for Redis
REST = 5.0  # seconds that a Redis is left alone after a fault
log = structlog.get_logger(__name__)

_rest_until = 0.0
_lock = threading.Lock()
_client: redis.Redis | None = None
_async_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]" = (
    weakref.WeakKeyDictionary()
)


def counts(keys: Sequence[str], arguments: Sequence[int]) -> list[int] | None:
    """Run the script; None while Redis is away."""
    if time.monotonic() < _rest_until:
        return None
    try:
        answer: Any = _sync().register_script(SCRIPT)(keys=list(keys), args=list(arguments))
    except (redis.RedisError, OSError) as error:
        _lost(error)
        return None
    return list(answer)


async def counts_async(keys: Sequence[str], arguments: Sequence[int]) -> list[int] | None:
    """Do what `counts` does, without blocking the event loop."""
    if time.monotonic() < _rest_until:
        return None
    try:
        async with asyncio.timeout(WAIT):
            script = _async().register_script(SCRIPT)
            answer: Any = await script(keys=list(keys), args=list(arguments))
    except (redis.RedisError, OSError) as error:  # a TimeoutError is an OSError
        _lost(error)
        return None
    return list(answer)


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
    _rest_until = time.monotonic() + REST
    is_slow = isinstance(error, (NoAnswer, TimeoutError))
    log.warning("limits_without_redis", error=type(error).__name__, is_slow=is_slow)
