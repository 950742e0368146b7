"""How a web process answers an HTTP request: all of it in one thread of its own.

Django's handler for ASGI goes back and forth between the event loop and that thread: once for
every middleware with a hook of its own, once for the view. On a busy process these hops cost more
processor time than most views. Here the request enters its thread once. An asynchronous view still
runs on the event loop, and an asynchronous stream is still sent from there.
"""

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class OneThreadHandler(ASGIHandler):
    """Django's handler for ASGI with a middleware chain that is synchronous from end to end."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        """Load the chain in its synchronous form, whatever is asked for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Return what the chain answers in the request's own thread."""
        return await sync_to_async(self.get_response)(request)
