"""A cache of two levels: what it keeps, what it refuses, and what it does without Redis."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from project.cache import Computed, LayeredCache, Rider, _layers


class Work:
    """Counts how often it is done."""

    def __init__(
        self, value: bytes | None = b"found", seconds: float = 60, takes: float = 0
    ) -> None:
        self.value, self.seconds, self.takes, self.times = value, seconds, takes, 0

    def __call__(self) -> Computed:
        self.times += 1
        time.sleep(self.takes)
        return Computed(self.value, self.seconds)


def made(most_entries: int = 100, most_bytes: int = 10_000) -> LayeredCache:
    """Return a cache as another process would have it: with nothing of its own yet."""
    return LayeredCache("test", most_entries=most_entries, most_bytes=most_bytes)


@pytest.fixture
def raw() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    yield client
    client.close()


def test_an_answer_is_found_again_here_and_in_other_processes(raw: redis.Redis) -> None:
    here, there, work = made(), made(), Work()
    assert here.answer(b"k", work) == (None, "miss")
    assert here.answer(b"k", work) == (b"found", "l1")
    assert there.answer(b"k", work) == (b"found", "l2")
    assert there.answer(b"k", work) == (b"found", "l1")
    assert work.times == 1
    (name,) = raw.keys("acervo:cache:test:*")
    assert 0 < raw.pttl(name) <= 60_000

    shortlived = Work(seconds=0.05)
    here.answer(b"short", shortlived)
    time.sleep(0.08)
    there.answer(b"short", shortlived)
    here.answer(b"short", shortlived)
    assert shortlived.times == 2
    for unkept in (Work(None), Work(seconds=0), Work(seconds=-1), Work(b"x" * 600_000)):
        here.answer(b"unkept", unkept)
        assert here.answer(b"unkept", unkept) == (None, "miss")


def test_what_was_not_written_here_is_not_believed(raw: redis.Redis, settings: Settings) -> None:
    here, other = Work(b"mine"), Work(b"other")
    made().answer(b"k", here)
    made().answer(b"other", other)
    first, second = sorted(raw.keys("acervo:cache:test:*"))
    mine, others = raw.get(first), raw.get(second)
    assert mine is not None
    assert others is not None
    for forged in (b"", b"junk", mine[:-1] + b"!", others):
        raw.set(first, forged, px=1000)
        raw.set(second, forged if forged != others else mine, px=1000)
        assert made().answer(b"k", here) == (None, "miss")
        assert made().answer(b"other", other) == (None, "miss")
    settings.SECRET_KEY = "another"
    assert made().answer(b"k", here)[1] == "miss"


def test_it_is_bounded_and_forgets_by_tag() -> None:
    cache = made(most_entries=3, most_bytes=100)
    for number in range(5):
        cache.answer(bytes([number]), Work(b"x" * 10), tags={"even" if number % 2 == 0 else "odd"})
    assert [key[0] for key in cache._entries] == [2, 3, 4]
    cache.answer(b"large", Work(b"x" * 85))
    assert [bytes(key) for key in cache._entries] == [b"\4", b"large"]
    cache.drop("even")
    assert list(cache._entries) == [b"large"]
    assert cache._size == 85


def test_other_processes_are_told_what_nobody_asks_for_any_more() -> None:
    cache = made()
    cache.answer(b"k", Work(), tags={"space"})
    until = time.monotonic() + 10
    while cache._entries and time.monotonic() < until:
        made().announce(["other", "space"])
        time.sleep(0.02)
    assert not cache._entries


def test_a_stampede_computes_once() -> None:
    one, another, work = made(), made(), Work(takes=0.2)
    answers = at_once(
        [lambda cache=cache: cache.answer(b"k", work) for cache in [one, another] * 6]
    )
    assert work.times == 1
    assert sorted(level for _value, level in answers) == ["miss"] + ["waited"] * 11

    unkept = Work(None, takes=0.05)
    answers = at_once([lambda: one.answer(b"unkept", unkept)] * 4)
    assert {value for value, _level in answers} == {None}
    assert unkept.times == 4  # everybody has an answer of their own


def test_what_fails_fails_for_whoever_asked_and_is_tried_again() -> None:
    cache, work = made(), Work()

    def failing() -> Computed:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        cache.answer(b"k", failing)
    assert cache.answer(b"k", work) == (None, "miss")
    assert made().answer(b"k", work) == (b"found", "l2")


def test_it_works_without_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(_layers.LayeredCache, "_listen", lambda _self: None)
    cache, work = made(), Work()
    assert cache.answer(b"k", work) == (None, "miss")
    assert cache.answer(b"k", work) == (b"found", "l1")
    cache.announce(["space"])
    calls: list[object] = []
    cache.store.call(calls.append)
    assert not calls  # it is left alone for a while


def test_a_rider_gets_the_answers_to_its_own_commands() -> None:
    class Counter(Rider):
        def __init__(self, name: str) -> None:
            self.name, self.answers, self.levels = name, [], []

        def count(self, level: str) -> None:
            self.levels.append(level)

        def board(self, pipe: redis.client.Pipeline) -> Callable[[list[object]], None]:
            pipe.incrby(self.name, 5)
            pipe.incrby(self.name, 5)
            return self.answers.extend

    cache = made()
    cache.riders += [Rider(), Counter("a"), Counter("b")]
    cache.answer(b"k", Work())
    cache.answer(b"k", Work())
    cache.send_riders()
    for rider in cache.riders[1:]:
        assert isinstance(rider, Counter)
        assert rider.answers == [5, 10, 15, 20]
        assert rider.levels == ["miss", "l1"]


def at_once(calls: list[Callable[[], tuple[bytes | None, str]]]) -> list[tuple[bytes | None, str]]:
    answers: list[tuple[bytes | None, str]] = []
    threads = [threading.Thread(target=lambda call=call: answers.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
