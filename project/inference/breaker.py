"""Circuit breakers shared by every process through Redis; see `breaker_rules` for the rules.

While Redis is away each process keeps a breaker of its own, and Redis is asked again a few seconds
later: a lost Redis must not stop answers, and one that hangs slows one of them by a second at most.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.retry import Retry

from project.aio import redis_client
from project.inference import metrics
from project.inference.breaker_rules import (
    SCRIPT,
    BreakerRules,
    BreakerState,
    LocalBreaker,
    Permit,
)
from project.inference.models import ModelEndpoint

__all__ = [
    "Breaker",
    "BreakerRules",
    "BreakerState",
    "Permit",
    "for_endpoint",
    "forget_local",
    "reset",
    "state",
]

logger = structlog.get_logger(__name__)

KEY = "acervo:breaker:"
REDIS_SECONDS = 1.0
REDIS_PAUSE_SECONDS = 5.0
DEFAULT_OPEN_SECONDS = 5.0

_redis_away_until = 0.0
_client: redis.Redis | None = None
_local: dict[str, LocalBreaker] = {}
_local_lock = threading.Lock()


class Breaker:
    """One breaker. `label` is its name in the metrics."""

    def __init__(self, name: str, rules: BreakerRules | None = None, label: str = "") -> None:
        self.name, self.rules, self.label = name, rules or BreakerRules(), label or name

    def acquire(self) -> Permit:
        """Ask whether a call may pass; report its result with `record` or `release`."""
        token = secrets.token_hex(8)
        answer = self._ask("acquire", token)
        return self._permit(token, answer)

    async def aacquire(self) -> Permit:
        """Do what `acquire` does, without blocking the event loop."""
        token = secrets.token_hex(8)
        answer = await self._aask("acquire", token)
        return self._permit(token, answer)

    def record(self, permit: Permit, *, ok: bool) -> None:
        """Report how a permitted call ended."""
        self._noted(permit, ok, self._ask("success" if ok else "failure", permit.probe))

    async def arecord(self, permit: Permit, *, ok: bool) -> None:
        """Do what `record` does, without blocking the event loop."""
        self._noted(permit, ok, await self._aask("success" if ok else "failure", permit.probe))

    def release(self, permit: Permit) -> None:
        """Report that a permitted call says nothing about the endpoint (it was cancelled)."""
        if permit.probe and self._ask("release", permit.probe) is None:
            self._own().release(permit.probe)

    async def arelease(self, permit: Permit) -> None:
        """Do what `release` does, without blocking the event loop."""
        if permit.probe and await self._aask("release", permit.probe) is None:
            self._own().release(permit.probe)

    def state(self) -> BreakerState:
        """Return what it looks like now, for people and metrics."""
        answer = self._ask("state", "")
        seen = self._own().state() if answer is None else _state_of(answer)
        metrics.observe_breaker(self.label, seen.state)
        return seen

    def reset(self) -> None:
        """Close it and forget its past."""
        with _local_lock:
            _local.pop(self.name, None)
        try:
            _redis().delete(KEY + self.name)
        except RedisError as error:
            _redis_lost(error)
        metrics.observe_breaker(self.label, "closed")

    def _own(self) -> LocalBreaker:
        with _local_lock:
            return _local.setdefault(self.name, LocalBreaker(self.rules))

    def _permit(self, token: str, answer: Sequence[Any] | None) -> Permit:
        if answer is None:
            permit = self._own().acquire(token)
        else:
            permit = Permit(
                allowed=bool(answer[5]),
                state=answer[0],
                retry_after=int(answer[1]) / 1000,
                probe=token if answer[6] else "",
            )
        metrics.observe_breaker(self.label, permit.state)
        return permit

    def _noted(self, permit: Permit, ok: bool, answer: Sequence[Any] | None) -> None:  # noqa: FBT001
        if answer is None:
            self._own().record(permit.probe, ok=ok)
            return
        metrics.observe_breaker(self.label, answer[0])
        if not ok and answer[0] == "open":
            logger.warning("breaker_open", breaker=self.label, seconds=int(answer[1]) / 1000)

    def _ask(self, operation: str, token: str) -> Sequence[Any] | None:
        """Run the script; None when Redis is away."""
        if time.monotonic() < _redis_away_until:
            return None
        try:
            return _redis().register_script(SCRIPT)(  # type: ignore[no-any-return]
                keys=[KEY + self.name], args=[operation, token, *self.rules.as_arguments()]
            )
        except RedisError as error:
            _redis_lost(error)
            return None

    async def _aask(self, operation: str, token: str) -> Sequence[Any] | None:
        if time.monotonic() < _redis_away_until:
            return None
        try:
            client = await redis_client()
            async with asyncio.timeout(REDIS_SECONDS):
                return await client.register_script(SCRIPT)(  # type: ignore[no-any-return]
                    keys=[KEY + self.name], args=[operation, token, *self.rules.as_arguments()]
                )
        except (RedisError, TimeoutError) as error:
            _redis_lost(error)
            return None


def for_endpoint(endpoint: ModelEndpoint) -> Breaker:
    """Return the breaker of an endpoint."""
    probe_seconds = endpoint.connect_timeout + endpoint.first_token_timeout + 5.0
    rules = BreakerRules(open_seconds=DEFAULT_OPEN_SECONDS, probe_seconds=probe_seconds)
    return Breaker(str(endpoint.pk), rules, endpoint.name)


def state(name: str) -> BreakerState:
    """Return the state of the breaker of that name (an endpoint's id)."""
    return Breaker(name).state()


def reset(name: str) -> None:
    """Close the breaker of that name (an endpoint's id)."""
    Breaker(name).reset()


def forget_local() -> None:
    """Forget what this process counted alone, and ask Redis again at once."""
    global _redis_away_until  # noqa: PLW0603 - what this process knows of Redis
    _redis_away_until = 0.0
    with _local_lock:
        _local.clear()


def _redis() -> redis.Redis:
    """Return this process's client: it waits REDIS_SECONDS once, for a call waits for it.

    Tried again is only a connection that a restarted server left dead: that costs no wait.
    """
    global _client  # noqa: PLW0603 - one client a process
    with _local_lock:
        if _client is None:
            _client = redis.Redis.from_url(
                settings.REDIS_URL,
                decode_responses=True,
                socket_timeout=REDIS_SECONDS,
                socket_connect_timeout=REDIS_SECONDS,
                retry=Retry(NoBackoff(), 1, (NoConnection,)),
            )
        return _client


def _redis_lost(error: Exception) -> None:
    global _redis_away_until  # noqa: PLW0603 - what this process knows of Redis
    _redis_away_until = time.monotonic() + REDIS_PAUSE_SECONDS
    logger.warning("breaker_without_redis", error=type(error).__name__)


def _state_of(answer: Sequence[Any]) -> BreakerState:
    return BreakerState(
        state=answer[0],
        retry_after=int(answer[1]) / 1000,
        calls=int(answer[2]),
        failures=int(answer[3]),
        openings=int(answer[4]),
    )
