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


_WITHIN = RateState(allowed=True, retry_after=0)


def _beyond(reset: float) -> RateState:
    return RateState(allowed=False, retry_after=max(1, int(reset - time.time()) + 1))


def hit(name: str, key: str, limit: str) -> RateState:
    """Count one hit of `key` against `limit` (such as ``"30/minute"``) under `name`."""
    item = _item(limit)
    try:
        return _hit(_shared(), item, name, key)
    except RedisError:
        return _hit(_local(), item, name, key)


def _hit(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, name: str, key: str
) -> RateState:
    if limiter.hit(item, name, key):
        return _WITHIN  # the usual case asks for nothing more
    return _beyond(limiter.get_window_stats(item, name, key).reset_time)


async def ahit(name: str, key: str, limit: str) -> RateState:
    """Do what `hit` does, without blocking the event loop."""
    item = _item(limit)
    try:
        limiter = _async_limiter()
        if await limiter.hit(item, name, key):
            return _WITHIN
        stats = await limiter.get_window_stats(item, name, key)
    except RedisError:
        return _hit(_local(), item, name, key)
    return _beyond(stats.reset_time)


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
