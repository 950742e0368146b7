"""The open connections of a process: how many there may be, and whether each may go on.

All of them are looked at together every few seconds, in one query for each way of proving who
somebody is: a thousand quiet sockets cost what one does, and whatever changed a row (the admin, a
script, another process) is noticed. How many a person has open is counted in Redis, over all
processes; while Redis is away each process counts its own.
"""

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from psycopg_pool import PoolTimeout

from project.accounts.models import ApiKey, User
from project.accounts.ws import SocketCaller, user_of
from project.aio import in_thread, redis_client
from project.http.sockets import NOT_SIGNED_IN, PROCESS_FULL, TOO_MANY
from project.quick_redis import quick

LOOK_SECONDS = 3.0
SEAT_SECONDS = 60  # a process that was killed leaves its connections counted for so long
RENEW_SECONDS = 20.0
log = structlog.get_logger(__name__)

_TAKE_SEAT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
_KEEP_SEAT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


class Refused(Exception):
    """There is no room for another connection; `code` says for whom."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Seat:
    """A place that was taken for a connection before it is there; `is_used` once it is."""

    caller: SocketCaller
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    is_used: bool = False

    @property
    def key(self) -> str:
        """Where Redis counts the connections of the person."""
        return f"connections:{self.caller.user_id}"

    def give_back(self) -> None:
        """Free the place of a connection that never came; its time ends by itself, too."""
        if not self.is_used:
            self.is_used = True
            quick(lambda client: client.zrem(self.key, self.name))


class Connection:
    """One open connection. `cut(code)` is called, once, when it may not go on.

    `subject` is what it is about, `kind` what it may be about it ("" is a reader), `is_reading`
    whether anything is being sent to it.
    """

    __slots__ = ("caller", "cut", "is_reading", "kind", "name", "subject")

    def __init__(
        self,
        caller: SocketCaller,
        cut: Callable[[int], object],
        subject: uuid.UUID | None,
        *,
        kind: str = "",
        name: str = "",
    ) -> None:
        self.caller = caller
        self.cut = cut
        self.subject = subject
        self.kind = kind
        self.is_reading = False
        self.name = name or secrets.token_hex(8)


Seen = tuple[Connection, SocketCaller]
Inspect = Callable[[Sequence[Seen]], dict[Connection, int]]


class Connections:
    """The connections of one event loop; `inspect` returns those to be cut, with the code."""

    def __init__(self, inspect: Inspect) -> None:
        self._inspect = inspect
        self._open: set[Connection] = set()
        self._task: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._renewed_at = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def seat(self, caller: SocketCaller) -> Seat:
        """Take a place before there is a connection, from any thread; raises Refused as `admit`."""
        seat = Seat(caller)
        self._room()
        limit = settings.ACERVO_CONNECTIONS_PER_USER
        if not limit:
            return seat
        arguments: list[str | int] = [seat.name, limit, SEAT_SECONDS]
        taken = quick(lambda client: client.register_script(_TAKE_SEAT)([seat.key], arguments))
        if not (self._held_by(caller) < limit if taken is None else taken):
            raise Refused(TOO_MANY)
        return seat

    async def admit(
        self,
        caller: SocketCaller,
        cut: Callable[[int], object],
        subject: uuid.UUID | None = None,
        *,
        kind: str = "",
        seat: Seat | None = None,
    ) -> Connection:
        """Count another connection; raises Refused when the process or the person has too many.

        One with a seat was counted already.
        """
        if seat is None:
            self._room()
        connection = Connection(caller, cut, subject, kind=kind, name=seat.name if seat else "")
        self._open.add(connection)
        if seat is not None:
            seat.is_used = True
        elif not await self._seated(connection):
            self._open.discard(connection)
            raise Refused(TOO_MANY)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return connection

    def leave(self, connection: Connection) -> None:
        """Count a connection no more."""
        if connection in self._open:
            self._open.discard(connection)
            leaving = asyncio.create_task(self._unseat(connection))
            self._background.add(leaving)
            leaving.add_done_callback(self._background.discard)

    def _room(self) -> None:
        most = settings.ACERVO_CONNECTIONS_PER_PROCESS
        if most and len(self._open) >= most:
            raise Refused(PROCESS_FULL)

    def _held_by(self, caller: SocketCaller) -> int:
        return sum(each.caller.user_id == caller.user_id for each in list(self._open))

    async def _seated(self, connection: Connection) -> bool:
        limit = settings.ACERVO_CONNECTIONS_PER_USER
        if not limit:
            return True
        client = await redis_client()
        try:
            taken: Any = await client.eval(
                _TAKE_SEAT, 1, _seats(connection), connection.name, limit, SEAT_SECONDS
            )
        except (redis.RedisError, OSError):
            return self._held_by(connection.caller) <= limit
        return bool(taken)

    async def _unseat(self, connection: Connection) -> None:
        try:
            await (await redis_client()).zrem(_seats(connection), connection.name)
        except (redis.RedisError, OSError) as error:
            # It falls out of the count by itself when its time is over.
            log.info("connection_still_counted", error=type(error).__name__)

    async def _run(self) -> None:
        while self._open:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
                await self._renew()
            except (DatabaseError, PoolTimeout, redis.RedisError, OSError) as error:
                log.warning("connections_not_looked_at", error=type(error).__name__)

    async def _look(self) -> None:
        seen = [(each, each.caller) for each in self._open]
        lost = await in_thread(self._inspect, seen) if seen else {}
        for connection, caller in seen:
            # One that showed a fresh token meanwhile is looked at again the next time.
            if connection in lost and connection in self._open and connection.caller is caller:
                connection.cut(lost[connection])

    async def _renew(self) -> None:
        if not settings.ACERVO_CONNECTIONS_PER_USER or not self._open:
            return
        if time.monotonic() - self._renewed_at < RENEW_SECONDS:
            return
        self._renewed_at = time.monotonic()
        client = await redis_client()
        script = await client.script_load(_KEEP_SEAT)
        pipe = client.pipeline(transaction=False)
        for each in self._open:
            pipe.evalsha(script, 1, _seats(each), each.name, SEAT_SECONDS)
        await pipe.execute()


def callers_gone(seen: Sequence[Seen]) -> dict[Connection, int]:
    """Return the connections whose caller may not act any more.

    Not active, signed out, session or token past its time, key revoked or past its time, password
    changed elsewhere.
    """
    callers = {caller for _connection, caller in seen}
    gone = {each for each in callers if each.is_over()}
    people = User.everybody.filter(pk__in={each.user_id for each in callers}, is_active=True)
    stamps = {each.pk: each.get_session_auth_hash() for each in people.only("pk", "password")}
    keys = {each.key_id for each in callers if each.key_id is not None}
    usable = set(ApiKey.objects.usable().filter(pk__in=keys).values_list("pk", flat=True))
    sessions = _sessions_alive({each.session_key for each in callers if each.session_key})
    for caller in callers - gone:
        is_theirs = caller.user_id in stamps
        is_keyed = caller.key_id is None or caller.key_id in usable
        is_signed_in = caller.session_key is None or caller.session_key in sessions
        # Who changes a password stays signed in where they did: their session says so.
        is_same = not caller.stamp or caller.stamp == stamps.get(caller.user_id)
        if not (is_theirs and is_keyed and is_signed_in and (is_same or user_of(caller))):
            gone.add(caller)
    return {connection: NOT_SIGNED_IN for connection, caller in seen if caller in gone}


def _sessions_alive(wanted: set[str]) -> set[str]:
    if not wanted:
        return set()
    model = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    rows = model.objects.filter(session_key__in=wanted, expire_date__gt=timezone.now())
    return set(rows.values_list("session_key", flat=True))


def _seats(connection: Connection) -> str:
    return f"connections:{connection.caller.user_id}"
