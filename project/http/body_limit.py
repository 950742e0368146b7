"""A bound on every request body, before anything of it is kept.

Django reads a whole body, on the disk from some size on, before it asks who sends it. Without a
bound anybody could fill the disk.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from project.http.errors import TooLarge
from project.tracing import new_trace_id

FORM_BYTES = 1024**2
"""What a form may hold besides its file."""

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class _TooLong(Exception):
    """The body went over the limit while it was being read."""


class BodyLimit:
    """Answers 413 to bodies over the limit: at once where the length is stated, else on the way."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body."""
        headers = dict(scope["headers"])
        is_form = headers.get(b"content-type", b"").lower().startswith(b"multipart/")
        limit = (
            settings.ACERVO_MAX_UPLOAD_BYTES + FORM_BYTES
            if is_form
            else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        stated = headers.get(b"content-length", b"")
        if stated.isdigit() and (len(stated) > 18 or int(stated) > limit):
            await _refuse(send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _TooLong
            return message

        try:
            await self.application(scope, counted, send)
        except _TooLong:  # raised while the body is read, so nothing was sent yet
            await _refuse(send)


async def _refuse(send: Send) -> None:
    trace_id = new_trace_id()
    error = TooLarge(_("The body is larger than is allowed."))
    headers = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),  # the rest of the body is not wanted
        (b"x-request-id", trace_id.encode()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(error.body(trace_id)).encode()})
