"""A second thread for the database, beside the one that embeds.

A model computes without Python's lock, and Postgres in a process of its own: what is written for
one batch costs no time while the next one is embedded.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import connection

from project.aio import release_connections

T = TypeVar("T")

SWITCH = 0.0005
"""Seconds after which a thread gives Python's lock to one that waits for it.

The model comes back for it after every text, every millisecond or two. Python's own 5 ms would have
it wait for the writer longer than it computes.
"""


class Lane:
    """One thread, with a connection of its own; none inside a transaction: calls are made at once.

    `with Lane() as lane:` ends when the call that runs has ended; those behind it are dropped.
    """

    def __init__(self) -> None:
        is_alone = connection.in_atomic_block  # whose connection another thread does not have
        self._pool = None if is_alone else ThreadPoolExecutor(1, "database-lane")

    def __enter__(self) -> Lane:
        self._switch = sys.getswitchinterval()
        sys.setswitchinterval(min(SWITCH, self._switch))
        return self

    def __exit__(self, *_error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._switch)

    def start(self, call: Callable[..., T], *args: Any) -> Future[T]:
        """Begin a call after those that were started before."""
        if self._pool is not None:
            return self._pool.submit(contextvars.copy_context().run, partial(_run, call, *args))
        done: Future[T] = Future()
        try:
            done.set_result(call(*args))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(error)
        return done


def _run(call: Callable[..., T], *args: Any) -> T:
    try:
        return call(*args)
    finally:
        release_connections()
