"""Limits of an endpoint over all processes: calls at once, and calls a minute.

Slots are leases in a Redis sorted set, so that those of a process that died come back by
themselves. While Redis is away nothing is limited here: the server's own limits still are.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.exceptions import RedisError

from project.aio import redis_client
from project.inference.models import ModelEndpoint
from project.ratelimit import ahit

logger = structlog.get_logger(__name__)

KEY = "acervo:slots:"
POLL_SECONDS = 0.05
# ARGV: token, lease in milliseconds, limit. Answers 1 when the slot is taken.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class EndpointFull(Exception):
    """No place became free in time. `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the endpoint is at its limit")
        self.retry_after = retry_after


@asynccontextmanager
async def slot(endpoint: ModelEndpoint, patience: float) -> AsyncIterator[None]:
    """Hold one of the endpoint's places for a block, waiting up to `patience` seconds for it.

    Raises EndpointFull.
    """
    if endpoint.requests_per_minute:
        rate = await ahit("model", str(endpoint.pk), f"{endpoint.requests_per_minute}/minute")
        if not rate.allowed:
            raise EndpointFull(rate.retry_after)
    if not endpoint.max_concurrency:
        yield
        return
    token = secrets.token_hex(8)
    await _take(endpoint, token, patience)
    try:
        yield
    finally:
        await asyncio.shield(_give_back(endpoint, token))


async def _take(endpoint: ModelEndpoint, token: str, patience: float) -> None:
    lease = int((endpoint.total_timeout + 10) * 1000)
    deadline = time.monotonic() + patience
    while True:
        try:
            script = (await redis_client()).register_script(_TAKE)
            if await script(
                keys=[f"{KEY}{endpoint.pk}"], args=[token, lease, endpoint.max_concurrency]
            ):
                return
        except RedisError as error:
            logger.warning("slots_without_redis", error=type(error).__name__)
            return
        if time.monotonic() >= deadline:
            raise EndpointFull(1.0)
        await asyncio.sleep(POLL_SECONDS)


async def _give_back(endpoint: ModelEndpoint, token: str) -> None:
    try:
        await (await redis_client()).zrem(f"{KEY}{endpoint.pk}", token)
    except RedisError as error:
        logger.warning("slots_without_redis", error=type(error).__name__)
