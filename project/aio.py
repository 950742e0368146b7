"""Where asynchronous code meets the database and Redis.

Async code (agent, WebSocket consumers, SSE) calls the ORM only through `in_thread`: a bounded pool
of threads, each of which gives its connection back to the pool when the call ends, so that a
process answering hundreds of turns holds a handful of connections and none across a model call.
"""

import asyncio
import contextvars
import functools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import redis
import redis.asyncio
import redis.asyncio.retry
from django.conf import settings
from django.db import connections
from redis.backoff import NoBackoff
from redis.retry import Retry

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_executor: ThreadPoolExecutor | None = None
_sync_client: "redis.Redis | None" = None
_async_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]" = (
    weakref.WeakKeyDictionary()
)


def _pool() -> ThreadPoolExecutor:
    global _executor  # noqa: PLW0603 - one pool a process, made on first use so that it survives a fork
    with _lock:
        if _executor is None:
            _executor = ThreadPoolExecutor(
                settings.ACERVO_DB_THREADS, thread_name_prefix="acervo-db"
            )
        return _executor


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return function(*args, **kwargs)
    finally:
        release_connections()


def release_connections() -> None:
    """Give this thread's database connections back to the pool, as before a call to a model.

    A connection inside a transaction stays.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function (ORM code) on the bounded pool and return what it returns."""
    context = contextvars.copy_context()
    call = functools.partial(_call, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_pool(), context.run, call)


def sync_redis() -> redis.Redis:
    """Return this process's Redis client (text answers, 5 s socket timeout).

    A call is tried again once, for connections that a restarted server has left dead: a server
    that is away is an error at once, and the caller goes on without it.
    """
    global _sync_client  # noqa: PLW0603 - one client a process
    with _lock:
        if _sync_client is None:
            _sync_client = redis.Redis.from_url(
                settings.REDIS_URL,
                decode_responses=True,
                socket_timeout=5,
                socket_connect_timeout=2,
                retry=Retry(NoBackoff(), 1),
            )
        return _sync_client


async def redis_client() -> redis.asyncio.Redis:
    """Return the Redis client of the running event loop (text answers).

    Its socket timeout is 5 s: blocking reads must block for less. Retries as `sync_redis` does.
    """
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            decode_responses=True,
            socket_timeout=5,
            socket_connect_timeout=2,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 1),
        )
        _async_clients[loop] = client
    return client
