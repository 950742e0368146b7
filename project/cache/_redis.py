"""Redis, as a cache uses it: quick to give up, and believed only what this installation wrote."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog
from django.conf import settings
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

TIMEOUT = 0.25  # seconds: a cache must not be slower than the work it saves
REST = 5.0  # seconds that a Redis is left alone after a fault
_TAG = 32  # bytes of a value's authentication

faults = Counter("acervo_cache_redis_faults_total", "Times that Redis did not answer.")


class Store:
    """A Redis that may be away: every call has an answer soon, None where there is none."""

    def __init__(self) -> None:
        self._client: redis.Redis | None = None
        self._rest_until = 0.0

    def call(self, use: Callable[[redis.Redis], Any]) -> Any:
        """Return what `use` makes of the client; None while Redis is away."""
        if time.monotonic() < self._rest_until:
            return None
        try:
            return use(self.client())
        except (redis.RedisError, OSError) as error:
            self._rest_until = time.monotonic() + REST
            faults.inc()
            log.warning("cache_without_redis", error=type(error).__name__)
            return None

    def client(self) -> redis.Redis:
        """Return the client: bytes in, bytes out, and short of patience."""
        if self._client is None:
            self._client = redis.Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        return self._client


class Rider:
    """Rides along with the pipelines of a cache."""

    def count(self, level: str) -> None:
        """Take note of a lookup."""

    def is_due(self) -> bool:
        """Return whether it has something to send now: without riders a lookup is one command."""
        return True

    def board(self, pipe: Any) -> Callable[[list[Any]], None]:
        """Add commands to a pipeline; return what takes their answers."""
        return lambda _answers: None


def redis_key(cache: str, key: bytes) -> bytes:
    """Return the name of a value: it does not tell, not even to a guess, what was asked."""
    keyed = hmac.digest(_secret(), cache.encode() + b"\0" + key, "sha256")
    return f"acervo:cache:{cache}:{keyed.hex()}".encode()


def _secret() -> bytes:
    return hashlib.sha256(b"acervo cache\0" + settings.SECRET_KEY.encode()).digest()


def sealed(name: bytes, value: bytes, seconds: float) -> bytes:
    """Return a value with the time until which it is true, bound to its key."""
    until = int((time.time() + seconds) * 1000).to_bytes(8, "big")
    return hmac.digest(_secret(), name + until + value, "sha256") + until + value


def opened(name: bytes, kept: bytes) -> tuple[float, bytes] | None:
    """Return for how long a value is still true, and the value; None for one that is not ours."""
    tag, until, value = kept[:_TAG], kept[_TAG : _TAG + 8], kept[_TAG + 8 :]
    if not hmac.compare_digest(tag, hmac.digest(_secret(), name + until + value, "sha256")):
        log.warning("cache_value_refused")
        return None
    seconds = int.from_bytes(until, "big") / 1000 - time.time()
    return (seconds, value) if seconds > 0 else None
