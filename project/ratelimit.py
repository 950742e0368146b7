"""Rate limits, counted atomically in Redis; counted in this process while Redis is away."""

import asyncio
import functools
import time
import weakref
from dataclasses import dataclass

from django.conf import settings
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage as AsyncRedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter as AsyncLimiter
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

_async_limiters: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncLimiter]" = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True)
class RateState:
    """Whether a hit was within its limit; `retry_after` in whole seconds when it was not."""

    allowed: bool
    remaining: int
    retry_after: int


@functools.cache
def _item(limit: str) -> RateLimitItem:
    return parse(limit)


@functools.cache
def _local() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())


@functools.cache
def _shared() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(
        RedisStorage(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    )


def _state(*, allowed: bool, reset: float, remaining: int) -> RateState:
    wait = 0 if allowed else max(1, int(reset - time.time()) + 1)
    return RateState(allowed, remaining, wait)


def hit(name: str, key: str, limit: str) -> RateState:
    """Count one hit of `key` against `limit` (such as ``"30/minute"``) under `name`."""
    item = _item(limit)
    try:
        limiter = _shared()
        allowed = limiter.hit(item, name, key)
        stats = limiter.get_window_stats(item, name, key)
    except RedisError:
        limiter = _local()
        allowed = limiter.hit(item, name, key)
        stats = limiter.get_window_stats(item, name, key)
    return _state(allowed=allowed, reset=stats.reset_time, remaining=stats.remaining)


async def ahit(name: str, key: str, limit: str) -> RateState:
    """Do what `hit` does, without blocking the event loop."""
    item = _item(limit)
    try:
        limiter = _async_limiter()
        allowed = await limiter.hit(item, name, key)
        stats = await limiter.get_window_stats(item, name, key)
    except RedisError:
        local = _local()
        allowed = local.hit(item, name, key)
        stats = local.get_window_stats(item, name, key)
    return _state(allowed=allowed, reset=stats.reset_time, remaining=stats.remaining)


def _async_limiter() -> AsyncLimiter:
    """Return the limiter of the running loop: its connections cannot be used from another."""
    loop = asyncio.get_running_loop()
    limiter = _async_limiters.get(loop)
    if limiter is None:
        storage = AsyncRedisStorage(
            f"async+{settings.REDIS_URL}",
            implementation="redispy",
            socket_timeout=1,
            socket_connect_timeout=1,
        )
        limiter = _async_limiters[loop] = AsyncLimiter(storage)
    return limiter
