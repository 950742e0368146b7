"""Talking to the chat socket as a client does."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from project.accounts.models import ApiKey, User
from project.aio import in_thread
from project.asgi import application

HOST = (b"host", b"testserver")


def cookie_of(user: User) -> tuple[bytes, bytes]:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    return b"cookie", f"{settings.SESSION_COOKIE_NAME}={value}".encode()


@asynccontextmanager
async def opened(
    conversation: object,
    user: User | None = None,
    *,
    query: str = "",
    origin: str = "",
    language: str = "en",
) -> AsyncIterator[WebsocketCommunicator]:
    headers = [HOST, (b"accept-language", language.encode())]
    if user is not None:
        headers.append(await in_thread(cookie_of, user))
    if origin:
        headers.append((b"origin", origin.encode()))
    socket = WebsocketCommunicator(
        application, f"/ws/chat/{getattr(conversation, 'pk', conversation)}/{query}", headers
    )
    is_open, _protocol = await socket.connect(timeout=5)
    assert is_open
    try:
        yield socket
    finally:
        await socket.disconnect()


async def closed_with(socket: WebsocketCommunicator) -> int:
    message = await socket.receive_output(5)
    assert message["type"] == "websocket.close"
    return message["code"]


async def say(socket: WebsocketCommunicator, **message: Any) -> None:
    await socket.send_to(text_data=json.dumps(message))


async def hear(socket: WebsocketCommunicator) -> dict[str, Any]:
    return json.loads(await socket.receive_from(10))


async def hear_out(socket: WebsocketCommunicator) -> list[dict[str, Any]]:
    events = [await hear(socket)]
    while events[-1]["type"] not in {"turn.completed", "turn.failed", "turn.stopped"}:
        events.append(await hear(socket))
    return events


def key_of(user: User, *scopes: str) -> ApiKey:
    return ApiKey.objects.create(user=user, name="k", hash=uuid.uuid4().hex, scopes=list(scopes))
