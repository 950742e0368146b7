"""The chat socket: authenticates, parses, forwards. One method a message."""

import asyncio
import contextlib
import json
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from uvicorn.protocols.utils import ClientDisconnected

from chat.connections import connections
from chat.services import NEWEST, Newest
from chat.socket_actions import Over, asked, examined, found, stopped
from chat.turn_log import follow
from project.accounts.connections import Connection, Refused
from project.accounts.models import User
from project.accounts.ws import SocketCaller, caller_of_token, guest_identified
from project.aio import in_thread
from project.http.errors import ApiError, Invalid
from project.http.exceptions import to_api_error
from project.http.ids import uuid_or_none
from project.http.sockets import (
    FLOOD,
    IDLE,
    NOT_SIGNED_IN,
    NOT_TEXT,
    TOO_BIG,
    Socket,
)
from project.tracing import bind_trace, new_trace_id

IDLE_SECONDS = 1800.0
MAX_FRAME_BYTES = 64 * 1024
FLOOD_FRAMES, FLOOD_SECONDS = 60, 10.0
MAX_FOLLOWED = 20
FIELDS = {
    "message.send": {"content", "client_message_id", "parent", "as_of", "release"},
    "turn.stop": {"turn"},
    "turn.resume": {"turn", "after"},
    "token.refresh": {"token"},
}
"""What may stand in a frame of a type besides `type`; in a ping anything."""
log = structlog.get_logger(__name__)


class ChatConsumer(Socket):
    """`/ws/chat/{conversation}/`: questions in, the events of any of its turns out."""

    async def connect(self) -> None:
        """Accept; then close with the reason when there is one, which a refusal could not tell."""
        self._following: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._frames: deque[float] = deque(maxlen=FLOOD_FRAMES)
        self._idle: asyncio.TimerHandle | None = None
        self._connection: Connection | None = None
        self.conversation_id = uuid_or_none(self.scope["url_route"]["kwargs"]["conversation"])
        await self.accept()
        known: tuple[SocketCaller, User] | None = None
        if self.scope["caller"] is not None:
            known = self.scope["caller"], self.scope["user"]
        known = known or await in_thread(guest_identified, self.scope)
        if known is None:
            await self.close(NOT_SIGNED_IN)
            return
        caller, user = known
        try:
            self._connection = await connections().admit(caller, self._cut, self.conversation_id)
            await self._permitted(user=user)
        except (Over, Refused) as over:
            await self.close(over.code)
        else:
            self._restart_idle()

    async def disconnect(self, code: int) -> None:
        """Stop following."""
        self.ended()

    def ended(self) -> None:
        """Give back all that the connection holds."""
        if self._idle is not None:
            self._idle.cancel()
        for task in list(self._following.values()):
            task.cancel()
        if self._connection is not None:
            connections().leave(self._connection)

    def _cut(self, code: int) -> None:
        """Close, from outside of what the socket itself is doing."""
        self._closing = asyncio.get_running_loop().create_task(self.close(code))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take one frame: size, rate, permission, form; then the method of its type."""
        if text_data is None or len(text_data) > MAX_FRAME_BYTES:
            await self.close(TOO_BIG if text_data else NOT_TEXT)
            return
        self._restart_idle()
        now = time.monotonic()
        if len(self._frames) == FLOOD_FRAMES and now - self._frames[0] < FLOOD_SECONDS:
            await self.close(FLOOD)
            return
        self._frames.append(now)
        message: dict[str, Any] = {}
        with bind_trace(new_trace_id()):
            try:
                message = _parsed(text_data)
                await self._handle(message)
            except Over as over:
                await self.close(over.code)
            except ClientDisconnected:
                return  # what was done for them is done
            except Exception as error:  # noqa: BLE001 - told to the client, logged when ours
                await self._tell(error, message)

    async def _handle(self, message: dict[str, Any]) -> None:
        _refuse_unknown_fields(message)
        match message["type"]:
            case "message.send":
                await self._send_message(message)
            case "turn.stop":
                await self._permitted(stopped, self.conversation_id, _uuid(message, "turn"))
            case "turn.resume":
                after = message.get("after", 0)
                if not isinstance(after, int) or isinstance(after, bool) or after < 0:
                    raise Invalid(_("“after” must be a whole number."), field="after")
                turn_id = _uuid(message, "turn")
                await self._permitted(found, self.conversation_id, turn_id)
                self._follow(turn_id, after)
            case "ping":
                await self._send_json({"type": "pong"})
            case "token.refresh":
                await self._refresh(message.get("token"))
            case _:
                raise Invalid(_("There is no such message type."), code="unknown_type")

    async def _refresh(self, token: object) -> None:
        """Go on with a fresh token of the same person, key or session, for the time it gives."""
        known = await in_thread(caller_of_token, token) if isinstance(token, str) else None
        if known is None or self._connection is None:
            raise Invalid(_("The token is not valid, or too old."), code="token", field="token")
        fresh, before = known[0], self._connection.caller
        if (fresh.user_id, fresh.key_id) != (before.user_id, before.key_id):
            raise Invalid(_("The token is somebody else’s."), code="token", field="token")
        self._connection.caller = fresh
        seconds = settings.ACERVO_SOCKET_TOKEN_SECONDS
        await self._send_json({"type": "token.refreshed", "expires_in": seconds})

    async def _send_message(self, message: dict[str, Any]) -> None:
        content, client_id = message.get("content"), message.get("client_message_id")
        if not isinstance(content, str) or not isinstance(client_id, str):
            raise Invalid(_("A message needs “content” and “client_message_id”."))
        parent: uuid.UUID | Newest | None = NEWEST
        if "parent" in message:
            parent = None if message["parent"] is None else _uuid(message, "parent")
        as_of, release = message.get("as_of"), message.get("release")
        for name, value in (("as_of", as_of), ("release", release)):
            if value is not None and not isinstance(value, str):
                raise Invalid(_("“%(name)s” must be text.") % {"name": name}, field=name)
        caller = self._connection.caller if self._connection is not None else None
        language, (sent, accepted) = await in_thread(
            asked, caller, self.conversation_id, content, client_id, parent, as_of, release
        )
        translation.activate(language)
        if sent.is_new or sent.turn.pk not in self._following:  # a repeat goes on where it is
            self._follow(sent.turn.pk, 0, is_new=sent.is_new)
        await self._send_json(accepted)

    def _follow(self, turn_id: uuid.UUID, after: int, *, is_new: bool = False) -> None:
        """Pass on a turn's events from there; what was followed before is followed anew."""
        known = self._following.pop(turn_id, None)
        if known is not None:
            known.cancel()
        if len(self._following) >= MAX_FOLLOWED:
            raise Invalid(_("Too many turns are followed on this connection."), code="too_many")
        task = asyncio.create_task(self._forward(turn_id, after, is_new=is_new))
        self._following[turn_id] = task
        if self._connection is not None:
            self._connection.is_reading = True
        task.add_done_callback(lambda done: self._forget(turn_id, done))

    def _forget(self, turn_id: uuid.UUID, task: asyncio.Task[None]) -> None:
        if self._following.get(turn_id) is task:
            del self._following[turn_id]
            if self._connection is not None:
                self._connection.is_reading = bool(self._following)

    async def _forward(self, turn_id: uuid.UUID, after: int, *, is_new: bool) -> None:
        try:
            async with contextlib.aclosing(follow(turn_id, after, is_new=is_new)) as events:
                async for event in events:
                    await self.send(text_data=event.raw)
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001 - told to the client, logged when ours
            await self._tell(error, {"turn": str(turn_id)})

    async def _permitted(
        self, action: Callable[..., Any] | None = None, *args: Any, user: User | None = None
    ) -> Any:
        """Look again at who this is and whose the conversation is, then act for them.

        `user` is known when they were looked at just now. Between messages `chat.connections`
        looks. Raises Over when they may not be here any more.
        """
        caller = self._connection.caller if self._connection is not None else None
        language, result = await in_thread(
            examined, caller, self.conversation_id, action, args, user
        )
        translation.activate(language)
        return result

    async def _tell(self, error: Exception, message: dict[str, Any]) -> None:
        known = to_api_error(error)
        if known is None:
            log.error("socket_failed", exc_info=error)
            known = ApiError(_("Something went wrong on the server. Try again."), code="internal")
        body: dict[str, Any] = {"type": "error", "code": known.code, "message": known.message}
        body |= {"field": known.field} if known.field else {}
        body |= {"retry_after": known.retry_after} if known.retry_after is not None else {}
        for name in ("client_message_id", "turn"):
            if isinstance(message.get(name), str):
                body[name] = message[name]
        # In ASCII: what is sent back may hold half a surrogate pair, which is no UTF-8.
        await self.send(text_data=json.dumps(body, separators=(",", ":")))

    async def _send_json(self, body: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(body, ensure_ascii=False, separators=(",", ":")))

    def _restart_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(IDLE_SECONDS, lambda: loop.create_task(self.close(IDLE)))


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(_("A message must be a JSON object."), code="malformed") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Invalid(_("A message must be a JSON object with a “type”."), code="malformed")
    return message


def _refuse_unknown_fields(message: dict[str, Any]) -> None:
    unknown = set(message) - FIELDS.get(message["type"], set(message)) - {"type"}
    if unknown:
        raise Invalid(_("There is no such field."), code="unknown_field", field=min(unknown)[:100])


def _uuid(message: dict[str, Any], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(message.get(name))
    except (ValueError, TypeError, AttributeError):
        raise Invalid(_("“%(name)s” must be an id.") % {"name": name}, field=name) from None
