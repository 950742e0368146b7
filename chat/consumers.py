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

from chat.models import Conversation, Turn
from chat.representation import message_body, turn_body
from chat.services import NEWEST, Newest, Sent, message_send, turn_stop
from chat.turn_log import follow
from knowledge.moments import time_of
from project.accounts.choices import Scope
from project.accounts.models import User
from project.accounts.ws import SocketCaller, user_of
from project.aio import in_thread
from project.http.errors import ApiError, Invalid
from project.http.exceptions import to_api_error
from project.http.sockets import Socket
from project.tracing import bind_trace, new_trace_id

NOT_SIGNED_IN, NOT_YOURS, IDLE, FLOOD, TOO_BIG = 4401, 4403, 4408, 4429, 1009
IDLE_SECONDS = 1800.0
MAX_FRAME_BYTES = 64 * 1024
FLOOD_FRAMES, FLOOD_SECONDS = 60, 10.0
RECHECK_SECONDS = 5.0
MAX_FOLLOWED = 20
log = structlog.get_logger(__name__)


class ChatConsumer(Socket):
    """`/ws/chat/{conversation}/`: questions in, the events of any of its turns out."""

    async def connect(self) -> None:
        """Accept; then close with the reason when there is one, which a refusal could not tell."""
        self._following: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._frames: deque[float] = deque(maxlen=FLOOD_FRAMES)
        self._checked_at = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self.conversation_id = _id_or_none(self.scope["url_route"]["kwargs"]["conversation"])
        await self.accept()
        try:
            await self._permitted()
        except _Over as over:
            await self.close(over.code)
        else:
            self._restart_idle()

    async def disconnect(self, code: int) -> None:
        """Stop following."""
        if self._idle is not None:
            self._idle.cancel()
        for task in list(self._following.values()):
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take one frame: size, rate, permission, form; then the method of its type."""
        if text_data is None or len(text_data) > MAX_FRAME_BYTES:
            await self.close(TOO_BIG if text_data else 1003)
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
            except _Over as over:
                await self.close(over.code)
            except Exception as error:  # noqa: BLE001 - told to the client, logged when ours
                await self._tell(error, message)

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "message.send":
                await self._send_message(message)
            case "turn.stop":
                await self._permitted(_stopped, self.conversation_id, _uuid(message, "turn"))
            case "turn.resume":
                after = message.get("after", 0)
                if not isinstance(after, int) or isinstance(after, bool) or after < 0:
                    raise Invalid(_("“after” must be a whole number."), field="after")
                turn_id = _uuid(message, "turn")
                await self._permitted(_found, self.conversation_id, turn_id)
                self._follow(turn_id, after)
            case "ping":
                await self._permitted()
                await self._send_json({"type": "pong"})
            case _:
                raise Invalid(_("There is no such message type."), code="unknown_type")

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
        sent, accepted = await self._permitted(
            _stored, self.conversation_id, content, client_id, parent, as_of, release
        )
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
        task.add_done_callback(lambda done: self._forget(turn_id, done))

    def _forget(self, turn_id: uuid.UUID, task: asyncio.Task[None]) -> None:
        if self._following.get(turn_id) is task:
            del self._following[turn_id]

    async def _forward(self, turn_id: uuid.UUID, after: int, *, is_new: bool) -> None:
        try:
            async with contextlib.aclosing(follow(turn_id, after, is_new=is_new)) as events:
                async for event in events:
                    if time.monotonic() - self._checked_at > RECHECK_SECONDS:
                        await self._permitted()
                    await self.send(text_data=event.raw)
        except _Over as over:
            await self.close(over.code)
        except OSError:
            return  # the client is gone
        except Exception as error:  # noqa: BLE001 - told to the client, logged when ours
            await self._tell(error, {"turn": str(turn_id)})

    async def _permitted(self, action: Callable[..., Any] | None = None, *args: Any) -> Any:
        """Look again at who this is and whose the conversation is, then act for them.

        Raises _Over when they may not be here any more.
        """
        caller: SocketCaller | None = self.scope.get("caller")
        language, result = await in_thread(_examined, caller, self.conversation_id, action, args)
        self._checked_at = time.monotonic()
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


class _Over(Exception):
    """The connection has to end with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _examined(
    caller: SocketCaller | None,
    conversation_id: uuid.UUID | None,
    action: Callable[..., Any] | None,
    args: tuple[Any, ...],
) -> tuple[str, Any]:
    """Check, then act, in one go; return the person's language and what the action returned."""
    user = user_of(caller) if caller is not None else None
    if user is None or caller is None:
        raise _Over(NOT_SIGNED_IN)
    rows = Conversation.objects.visible_to(user)
    is_theirs = conversation_id is not None and rows.filter(pk=conversation_id).exists()
    if not is_theirs or not caller.has_scope(Scope.CHAT):
        raise _Over(NOT_YOURS)
    language = user.language or caller.language or settings.LANGUAGE_CODE
    with translation.override(language):
        return language, action(user, *args) if action is not None else None


def _stored(
    user: User,
    conversation_id: uuid.UUID,
    content: str,
    client_id: str,
    parent: uuid.UUID | Newest | None,
    as_of: str | None,
    release: str | None,
) -> tuple[Sent, dict[str, Any]]:
    sent = message_send(
        acting_user=user,
        conversation_id=conversation_id,
        content=content,
        client_message_id=client_id,
        parent=parent,
        as_of=None if as_of is None else time_of(as_of),
        release=release,
    )
    return sent, {
        "type": "message.accepted",
        "client_message_id": client_id,
        "message": message_body(sent.message),
        "turn": turn_body(sent.turn),
    }


def _found(user: User, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> None:
    rows = Turn.objects.visible_to(user).filter(conversation=conversation_id, pk=turn_id)
    if not rows.exists():
        raise Invalid(_("There is no such turn in this conversation."), code="not_found")


def _stopped(user: User, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> None:
    _found(user, conversation_id, turn_id)
    turn_stop(acting_user=user, turn_id=turn_id)


def _id_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(_("A message must be a JSON object."), code="malformed") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Invalid(_("A message must be a JSON object with a “type”."), code="malformed")
    return message


def _uuid(message: dict[str, Any], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(message.get(name))
    except (ValueError, TypeError, AttributeError):
        raise Invalid(_("“%(name)s” must be an id.") % {"name": name}, field=name) from None
