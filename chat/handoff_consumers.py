"""The sockets of handoffs: both sides of a conversation with a person, and the queues."""

import asyncio
import json
import time
import uuid
from collections import deque
from typing import Any
from urllib.parse import parse_qs

import structlog

from chat.connections import connections
from chat.handoff import rights
from chat.handoff.line import Ear, line, say
from chat.handoff.news import DESK, LOOK
from chat.handoff.presence import HERE_SECONDS, Here
from chat.handoff.rights import OPERATOR, PERSON
from chat.handoff.watching import Looked, Watch, desk_state, look
from project.accounts.connections import Connection, Refused
from project.accounts.ws import SocketCaller, user_of
from project.aio import in_thread
from project.http.ids import uuid_or_none
from project.http.sockets import FLOOD, NOT_SIGNED_IN, NOT_TEXT, NOT_YOURS, TOO_BIG, Socket

LOOK_EVERY = 10.0  # seconds, where no news comes: Redis may be away
MAX_FRAME = 1024
FLOOD_FRAMES, FLOOD_SECONDS = 60, 10.0
SENT_FULL = 1011
log = structlog.get_logger(__name__)


class _Followed(Socket):
    """A socket that listens on the line and looks when it is told to."""

    place: uuid.UUID | str
    kind: str
    _task: asyncio.Task[None] | None = None
    _ear: Ear | None = None
    _here: Here | None = None
    _connection: Connection | None = None

    async def connect(self) -> None:
        """Accept; then close with the reason when there is one, which a refusal could not tell."""
        self._frames: deque[float] = deque(maxlen=FLOOD_FRAMES)
        await self.accept()
        caller: SocketCaller | None = self.scope["caller"]
        if caller is None:
            await self.close(NOT_SIGNED_IN)
            return
        self.caller = caller
        if not self._read_address():
            await self.close(NOT_YOURS)
            return
        try:
            subject = self.place if isinstance(self.place, uuid.UUID) else None
            self._connection = await connections().admit(caller, self._cut, subject, kind=self.kind)
        except Refused as refused:
            await self.close(refused.code)
            return
        self._task = asyncio.create_task(self._follow())

    async def disconnect(self, code: int) -> None:
        """Stop following, and be gone for the others."""
        if self._here is not None:
            here, self._here = self._here, None
            await here.go()
            await self._tell_presence()

    def ended(self) -> None:
        """Give back what the connection holds."""
        if self._task is not None:
            self._task.cancel()
        if self._ear is not None:
            self._ear.close()
        if self._connection is not None:
            connections().leave(self._connection)

    def _cut(self, code: int) -> None:
        """Close, from outside of what the socket itself is doing."""
        self._closing = asyncio.get_running_loop().create_task(self.close(code))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take a ping, or that somebody types; what is no such message is passed over."""
        if text_data is None or len(text_data) > MAX_FRAME:
            await self.close(TOO_BIG if text_data else NOT_TEXT)
            return
        now = time.monotonic()
        if len(self._frames) == FLOOD_FRAMES and now - self._frames[0] < FLOOD_SECONDS:
            await self.close(FLOOD)
            return
        self._frames.append(now)
        try:
            message = json.loads(text_data)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict):
            await self._take(message)

    async def _take(self, message: dict[str, Any]) -> None:
        if message.get("type") == "ping":
            await self._send({"type": "pong"})

    async def _follow(self) -> None:
        try:
            self._ear = line().join(self.place)
            came_at = 0.0
            news = LOOK
            while True:
                if time.monotonic() - came_at > HERE_SECONDS / 2 and self._here is not None:
                    came_at = time.monotonic()
                    await self._here.come()
                    await self._tell_presence()
                if not await self._heard(news):
                    return
                news = await self._ear.next(LOOK_EVERY)
        except OSError:
            return  # the client is gone
        except Exception:
            log.exception("handoff_socket_failed", place=str(self.place))
            await self.close(SENT_FULL)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(message, ensure_ascii=False))

    async def _turned_away(self) -> bool:
        is_there = await in_thread(user_of, self.caller) is not None
        await self.close(NOT_YOURS if is_there else NOT_SIGNED_IN)
        return False

    def _read_address(self) -> bool:
        raise NotImplementedError

    async def _heard(self, news: dict[str, Any]) -> bool:
        """Act on news; return whether to go on."""
        raise NotImplementedError

    async def _tell_presence(self) -> None:
        await say(self.place, LOOK)


class HandoffConsumer(_Followed):
    """`/ws/handoffs/{handoff}/`: `?side=operator` for whoever answers, `?after=` the last seen.

    Sends `handoff.message {message}`, each once and in order, `handoff.updated {handoff}` when it
    stands otherwise, and `handoff.typing {side, name}`; takes `typing` and `ping`. Closes with
    1000 when the handoff is over.
    """

    def _read_address(self) -> bool:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        handoff = uuid_or_none(self.scope["url_route"]["kwargs"]["handoff"])
        if handoff is None:
            return False
        after = uuid_or_none(query.get("after", [""])[0])
        is_operator = query.get("side", [""])[0] == "operator"
        self.place = handoff
        self.kind = OPERATOR if is_operator else PERSON
        self.watch = Watch(handoff, "operator" if is_operator else "person", after)
        self._last: dict[str, Any] | None = None
        self._name = ""
        return True

    async def _heard(self, news: dict[str, Any]) -> bool:
        if news["type"] == "typing":
            if news["side"] != self.watch.side:
                told = {"side": news["side"], "name": news["name"]}
                await self._send({"type": "handoff.typing", **told})
            return True
        seen: Looked | None = await in_thread(look, self.caller, self.watch)
        if seen is None:
            return await self._turned_away()
        self._name = seen.name
        for message in seen.messages:
            await self._send({"type": "handoff.message", "message": message})
        if seen.handoff != self._last:
            self._last = seen.handoff
            await self._send({"type": "handoff.updated", "handoff": seen.handoff})
        if seen.is_over:
            await self.close(1000)
            return False
        if self._here is None:
            who = f"operator:{self.caller.user_id}" if self._is_operator else "person"
            self._here = Here.of(self.place, who)
            await self._here.come()
            await self._tell_presence()
        return True

    async def _take(self, message: dict[str, Any]) -> None:
        if message.get("type") == "typing" and self._last is not None:
            side = self.watch.side
            await say(self.place, {"type": "typing", "side": side, "name": self._name})
        else:
            await super()._take(message)

    @property
    def _is_operator(self) -> bool:
        return self.watch.side == "operator"


class DeskConsumer(_Followed):
    """`/ws/desk/`: sends `desk.changed` whenever a queue may have; its operator counts as there."""

    place = DESK
    kind = rights.DESK

    def _read_address(self) -> bool:
        self._last: str | None = None
        return True

    async def _heard(self, news: dict[str, Any]) -> bool:
        state = await in_thread(desk_state, self.caller)
        if state is None:
            return await self._turned_away()
        if self._here is None:
            self._here = Here.of(DESK, str(self.caller.user_id))
            await self._here.come()
        if state != self._last:
            self._last = state
            await self._send({"type": "desk.changed"})
        return True

    async def _tell_presence(self) -> None:
        """Say nothing: who waits sees it at the next look."""
