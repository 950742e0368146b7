"""How a web process answers an HTTP request: all of it in one thread, kept for the next one.

Django's handler for ASGI goes back and forth between the event loop and that thread: once for
every middleware with a hook of its own, once for the view. On a busy process these hops cost more
processor time than most views. Here the request enters its thread once. An asynchronous view still
runs on the event loop, and an asynchronous stream is still sent from there.

Django also starts a thread for each request, and a second one that waits for its end; with the
thread goes what it has made ready, its object for the database before all. Here threads are used
again, the one that was used last first.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

MOST_IDLE = 32
"""Threads that wait for a request; what a burst needs beyond them ends with it."""


class OneThreadHandler(ASGIHandler):
    """Django's handler for ASGI with a middleware chain that is synchronous from end to end."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: deque[ThreadPoolExecutor] = deque()

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        """Load the chain in its synchronous form, whatever is asked for."""
        super().load_middleware(is_async=False)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer one request. Raises ValueError for what is no HTTP."""
        if scope["type"] != "http":
            message = f"HTTP alone is answered here, not {scope['type']}."
            raise ValueError(message)
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "acervo-request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            # In the thread itself: what a client left behind may still be running there.
            thread.submit(self._keep, thread)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Return what the chain answers in the request's own thread."""
        return await sync_to_async(self.get_response)(request)

    def _keep(self, thread: ThreadPoolExecutor) -> None:
        """Have the thread wait for another request, or end."""
        if len(self._idle) < MOST_IDLE:
            self._idle.append(thread)
        else:
            thread.shutdown(wait=False)
