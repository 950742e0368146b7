"""The two levels, and who computes what is missing."""

from __future__ import annotations

import functools
import os
import secrets
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import redis
from django.conf import settings
from prometheus_client import Counter, Gauge

from project.cache._redis import REST, Rider, Store, opened, redis_key, sealed

WAIT_IN_PROCESS = 10.0  # seconds for the thread that computes the same
WAIT_ELSEWHERE = 1.5  # seconds for another process that does
POLL = 0.01
MOST_BYTES = 512 * 1024  # of one value; larger ones are not kept

requests = Counter(
    "acervo_cache_requests_total",
    "Lookups by where the answer was: l1, l2, waited (another one was computing it), miss, bypass.",
    ["cache", "level"],
)
entries = Gauge(
    "acervo_cache_entries", "Entries in the processes.", ["cache"], multiprocess_mode="livesum"
)
held_bytes = Gauge(
    "acervo_cache_bytes", "Bytes in the processes.", ["cache"], multiprocess_mode="livesum"
)

# The metric of some labels, which takes longer to look up than to count with.
_requests = functools.cache(requests.labels)
_entries = functools.cache(entries.labels)
_held_bytes = functools.cache(held_bytes.labels)

# What is kept; else OK if it is now for the caller to compute, nothing if somebody else does.
_ASK = """
local kept = redis.call('GET', KEYS[1])
if kept then return kept end
return redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
"""
_PUT = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('DEL', KEYS[2])
"""


@dataclass(frozen=True, slots=True)
class Computed:
    """A fresh answer: its bytes (None: not to be kept), and for how long it is true at most."""

    value: bytes | None
    seconds: float


@dataclass(slots=True)
class _Entry:
    value: bytes
    until: float  # by the monotonic clock
    tags: frozenset[str]


@dataclass(slots=True)
class _Flight:
    done: threading.Event = field(default_factory=threading.Event)
    value: bytes | None = None


class LayeredCache:
    """One named cache: `answer` is all that callers need.

    `riders` add commands to a pipeline that is sent anyway, and get their answers.
    """

    def __init__(self, name: str, *, most_entries: int, most_bytes: int) -> None:
        self.name = name
        self.store = Store()
        self.riders: list[Rider] = []
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._forget()
        _living.add(self)

    def answer(
        self,
        key: bytes,
        compute: Callable[[], Computed],
        *,
        tags: Collection[str] = (),
        before_waiting: Callable[[], None] = lambda: None,
    ) -> tuple[bytes | None, str]:
        """Return the value of a key and the level that it came from.

        None says that `compute` was called by this very call, on level `miss`, and left its answer
        with the caller. What `compute` raises goes through. `before_waiting` is called before the
        caller waits for somebody else: to let go of what others need.
        """
        held = self._held(key)
        if held is not None:
            return held, self._count("l1")
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not leads:
            before_waiting()
            if flight.done.wait(WAIT_IN_PROCESS) and flight.value is not None:
                return flight.value, self._count("waited")
            flight = _Flight()  # it failed, or must not be kept: everybody for themselves
        try:
            return self._lead(key, flight, compute, frozenset(tags), before_waiting)
        finally:
            flight.done.set()
            if leads:
                with self._lock:
                    self._flights.pop(key, None)

    def drop(self, tag: str) -> None:
        """Forget the entries of this process that carry a tag."""
        with self._lock:
            gone = [key for key, entry in self._entries.items() if tag in entry.tags]
            for key in gone:
                self._size -= len(self._entries.pop(key).value)
        self._tell_size()

    def clear(self) -> None:
        """Forget all entries of this process."""
        with self._lock:
            self._entries.clear()
            self._size = 0
        self._tell_size()

    def announce(self, tags: Iterable[str]) -> None:
        """Tell all processes that entries with these tags are not asked for any more."""
        message = " ".join(tags)
        self.store.call(lambda client: client.publish(self._channel, message))

    def send_riders(self) -> None:
        """Let the riders tell Redis what they have, without a lookup."""

        def send(client: redis.Redis) -> None:
            pipe = client.pipeline(transaction=False)
            arrive = self._board(pipe)
            arrive(pipe.execute(raise_on_error=False))

        self.store.call(send)

    def bypassed(self) -> None:
        """Count a lookup that did not take place."""
        self._count("bypass")

    # -- the levels ------------------------------------------------------------------------------

    def _held(self, key: bytes) -> bytes | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry.until <= time.monotonic():
                del self._entries[key]
                self._size -= len(entry.value)
                return None
            self._entries.move_to_end(key)
            return entry.value

    def _hold(self, key: bytes, value: bytes, seconds: float, tags: frozenset[str]) -> None:
        with self._lock:
            known = self._entries.pop(key, None)
            self._size += len(value) - (len(known.value) if known else 0)
            self._entries[key] = _Entry(value, time.monotonic() + seconds, tags)
            while len(self._entries) > self._most_entries or self._size > self._most_bytes:
                _key, oldest = self._entries.popitem(last=False)
                self._size -= len(oldest.value)
        self._tell_size()
        self._listen()

    def _lead(
        self,
        key: bytes,
        flight: _Flight,
        compute: Callable[[], Computed],
        tags: frozenset[str],
        before_waiting: Callable[[], None],
    ) -> tuple[bytes | None, str]:
        name, token = redis_key(self.name, key), secrets.token_bytes(8)
        found, is_ours = self._ask(name, token)
        level = "l2"
        if found is None and not is_ours:
            before_waiting()
            found, level = self._await(name), "waited"
        if found is not None and (kept := opened(name, found)) is not None:
            seconds, flight.value = kept
            self._hold(key, flight.value, seconds, tags)
            return flight.value, self._count(level)
        computed = Computed(None, 0)
        try:
            computed = compute()
        finally:
            keep = computed.value if computed.seconds > 0 else None
            if keep is not None and len(keep) <= MOST_BYTES:
                flight.value = keep
                self._hold(key, keep, computed.seconds, tags)
                self._put(name, keep, computed.seconds)
            elif is_ours:
                self.store.call(lambda client: client.delete(name + b":busy"))
        self._count("miss")
        return None, "miss"

    def _ask(self, name: bytes, token: bytes) -> tuple[bytes | None, bool]:
        """Return what Redis has; where it has nothing, whether it is for us to compute."""

        asked = (_ASK, 2, name, name + b":busy", token, int(WAIT_ELSEWHERE * 1000))

        def ask(client: redis.Redis) -> tuple[bytes | None, bool]:
            if any(rider.is_due() for rider in self.riders):
                pipe = client.pipeline(transaction=False)
                pipe.eval(*asked)
                arrive = self._board(pipe)
                answer, *rest = pipe.execute(raise_on_error=False)
                if isinstance(answer, redis.RedisError):
                    raise answer
                arrive(rest)
            else:
                answer = client.eval(*asked)
            return (None, True) if answer == b"OK" else (answer, False)

        answer: tuple[bytes | None, bool] | None = self.store.call(ask)
        return answer or (None, True)

    def _board(self, pipe: Any) -> Callable[[list[Any]], None]:
        """Let the riders add their commands; return what deals the answers out to them."""
        boarded = []
        for rider in self.riders:
            before = len(pipe.command_stack)
            arrive = rider.board(pipe)
            boarded.append((arrive, len(pipe.command_stack) - before))

        def deal(answers: list[Any]) -> None:
            for arrive, count in boarded:
                arrive(answers[:count])
                answers = answers[count:]

        return deal

    def _await(self, name: bytes) -> bytes | None:
        """Wait for the answer of another process while it computes."""
        until = time.monotonic() + WAIT_ELSEWHERE
        while time.monotonic() < until:
            time.sleep(POLL)
            answer = self.store.call(lambda client: client.mget(name, name + b":busy"))
            if answer is None or answer[0] is not None or answer[1] is None:
                return answer[0] if answer else None
        return None

    def _put(self, name: bytes, value: bytes, seconds: float) -> None:
        kept = sealed(name, value, seconds)
        lasts = max(1, int(seconds * 1000))
        self.store.call(lambda client: client.eval(_PUT, 2, name, name + b":busy", kept, lasts))

    # -- the process -----------------------------------------------------------------------------

    @property
    def _channel(self) -> str:
        return f"acervo:cache:{self.name}"

    def _count(self, level: str) -> str:
        _requests(self.name, level).inc()
        for rider in self.riders:
            rider.count(level)
        return level

    def _tell_size(self) -> None:
        _entries(self.name).set(len(self._entries))
        _held_bytes(self.name).set(self._size)

    def _forget(self) -> None:
        """Begin empty, as also after a fork: locks and threads do not survive one."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._flights: dict[bytes, _Flight] = {}
        self._size = 0
        self._listener: threading.Thread | None = None

    def _listen(self) -> None:
        if self._listener is not None:
            return
        with self._lock:
            if self._listener is None:
                self._listener = threading.Thread(
                    target=self._follow, name=f"cache-{self.name}", daemon=True
                )
                self._listener.start()

    def _follow(self) -> None:
        """Drop what other processes say; while Redis is away, entries only grow old."""
        while True:
            try:
                client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
                with client, _channel_of(client) as channel:
                    channel.subscribe(self._channel)
                    for message in channel.listen():
                        for tag in message["data"].decode("utf-8", "replace").split():
                            self.drop(tag)
            except (redis.RedisError, OSError, ValueError):
                time.sleep(REST)


def _channel_of(client: redis.Redis) -> Any:
    return client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]


_living: weakref.WeakSet[LayeredCache] = weakref.WeakSet()


def _forget_after_fork() -> None:
    for cache in _living:
        cache._forget()
        cache.store = Store()


os.register_at_fork(after_in_child=_forget_after_fork)
