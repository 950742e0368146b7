"""HTTP clients of OpenAI-compatible servers: one an endpoint, kept while its settings stay."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from project.inference.failures import OversizedAnswer
from project.inference.models import ModelEndpoint

if TYPE_CHECKING:
    import httpx2
    import openai

MAX_LINE_BYTES = 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Answers are small and read as they come; a compressed one could unpack to anything.
_HEADERS = {"Accept-Encoding": "identity"}
_NO_KEY = "none"


@dataclass
class _LoopClients:
    clients: dict[UUID, tuple[tuple[str, str, float], openai.AsyncOpenAI]] = field(
        default_factory=dict
    )
    closing: set[asyncio.Task[None]] = field(default_factory=set)


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClients] = (
    weakref.WeakKeyDictionary()
)
_sync: dict[UUID, tuple[tuple[str, str, float], openai.OpenAI]] = {}
_sync_lock = threading.Lock()


def async_client(endpoint: ModelEndpoint) -> openai.AsyncOpenAI:
    """Return the running loop's client of an endpoint. Raises `sealing.SealBroken`.

    It never retries: that is decided above, where the breaker is asked first.
    """
    import openai

    own = _loops.setdefault(asyncio.get_running_loop(), _LoopClients())
    wanted = (endpoint.base_url, endpoint.api_key, endpoint.connect_timeout)
    kept = own.clients.get(endpoint.pk)
    if kept and kept[0] == wanted:
        return kept[1]
    if kept:
        task = asyncio.create_task(_close_later(kept[1], endpoint.total_timeout))
        own.closing.add(task)
        task.add_done_callback(own.closing.discard)
    client = openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key or _NO_KEY,
        max_retries=0,
        default_headers=_HEADERS,
        http_client=_async_http(endpoint),
    )
    own.clients[endpoint.pk] = (wanted, client)
    return client


def sync_client(endpoint: ModelEndpoint) -> openai.OpenAI:
    """Return this process's blocking client of an endpoint. Raises `sealing.SealBroken`."""
    import openai

    wanted = (endpoint.base_url, endpoint.api_key, endpoint.total_timeout)
    with _sync_lock:
        kept = _sync.get(endpoint.pk)
        if kept and kept[0] == wanted:
            return kept[1]
        client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key or _NO_KEY,
            max_retries=0,
            default_headers=_HEADERS,
            timeout=_timeout(endpoint, read=endpoint.total_timeout),
        )
        _sync[endpoint.pk] = (wanted, client)
        return client


async def close_clients() -> None:
    """Close the running loop's clients (before a process or a test ends)."""
    own = _loops.pop(asyncio.get_running_loop(), None)
    if own is None:
        return
    for task in own.closing:
        task.cancel()
    for _wanted, client in own.clients.values():
        await client.close()


def _async_http(endpoint: ModelEndpoint) -> httpx2.AsyncClient:
    """Return a client over aiohttp: its parser in C takes a tenth of the time a piece of text.

    Proxies of the environment are not used: where an endpoint is, its address says.
    """
    import httpx2
    import openai

    class BoundedStream(httpx2.AsyncByteStream):
        """Ends answers that no language model would send, before they fill the memory."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            line = total = 0
            async for chunk in self._stream:
                total += len(chunk)
                newline = chunk.rfind(b"\n")
                line = line + len(chunk) if newline < 0 else len(chunk) - newline - 1
                if line > MAX_LINE_BYTES or total > MAX_ANSWER_BYTES:
                    raise OversizedAnswer
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def bound(response: httpx2.Response) -> None:
        response.stream = BoundedStream(response.stream)

    return openai.DefaultAioHttpClient(
        verify=httpx2.create_ssl_context(),
        trust_env=False,
        limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
        timeout=_timeout(endpoint, read=None),
        follow_redirects=False,
        event_hooks={"response": [bound]},
    )


def _timeout(endpoint: ModelEndpoint, *, read: float | None) -> httpx2.Timeout:
    import httpx2

    return httpx2.Timeout(
        connect=endpoint.connect_timeout, read=read, write=endpoint.first_token_timeout, pool=10.0
    )


async def _close_later(client: openai.AsyncOpenAI, seconds: float) -> None:
    # Answers may still be streaming over it.
    await asyncio.sleep(seconds)
    await client.close()


def _forget_after_fork() -> None:
    global _sync_lock  # noqa: PLW0603 - the lock may have been held by a thread that is gone
    _sync_lock = threading.Lock()
    _sync.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
