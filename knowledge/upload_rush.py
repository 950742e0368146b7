"""When many upload at once, the reading of the first files lets the rest of them in first.

Workers have a lower priority than web processes, but what they ask of the database has not. So a
web process that takes in several files at a time says so in Redis, and workers begin nothing new
meanwhile: for a moment after the last of such words, and never long after the first of them, or
those who upload without a pause would stop all reading.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from project.quick_redis import quick

KEY = "acervo:uploads:rush"
MANY = 4  # uploads at a time in one process
LASTS_MS = 400  # milliseconds after the last word of it
MOST = 2.5  # seconds after the first
_EVERY = 0.1  # seconds between two words of a process
_LOOK = 0.05  # seconds between two looks

_lock = threading.Lock()
_under_way = 0
_said_at = 0.0


@contextmanager
def upload_counted() -> Iterator[None]:
    """Count an upload for the block, and say so where they are many."""
    global _under_way, _said_at  # noqa: PLW0603 - of this process
    now = time.monotonic()
    with _lock:
        _under_way += 1
        is_said = _under_way >= MANY and now - _said_at > _EVERY
        if is_said:
            _said_at = now
    try:
        if is_said:
            _say()
        yield
    finally:
        with _lock:
            _under_way -= 1


def _say() -> None:
    def send(client: redis.Redis) -> list[Any]:
        words = client.pipeline(transaction=False)
        words.set(KEY, time.time(), nx=True, px=LASTS_MS)
        words.pexpire(KEY, LASTS_MS)
        return words.execute()

    quick(send)


def rush_let_pass() -> float:
    """Wait until a rush of uploads is over, or lasts too long; return the seconds that took."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < MOST:
        since = quick(lambda client: client.get(KEY))
        if since is None or time.time() - float(since) > MOST:
            break
        time.sleep(_LOOK)
    return waited
