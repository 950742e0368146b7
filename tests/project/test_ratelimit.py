"""Limits: exact from however many places at once, and in force while Redis is away or hangs."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from redis import Redis

from project import quick_redis, ratelimit
from project.checks import check_limits
from project.ratelimit._local import LocalCounts


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    quick_redis.forget()
    yield
    quick_redis.forget()


@pytest.fixture(params=["redis", "local"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Count in Redis, or, as while it is away, here."""
    if request.param == "local":
        monkeypatch.setattr(ratelimit, "_local", LocalCounts())
        monkeypatch.setattr(quick_redis, "_rest_until", time.monotonic() + 60)
    return str(request.param)


def test_exactly_as_many_hits_pass_as_allowed(place: str) -> None:
    states = [ratelimit.hit("t", "ana", "3/minute") for _ in range(5)]
    assert [each.allowed for each in states] == [True, True, True, False, False]
    assert [each.remaining for each in states] == [2, 1, 0, 0, 0]
    assert states[0].retry_after == 0
    assert 59 <= states[-1].retry_after <= 60
    assert (states[0].limit, states[0].window) == (3, 60)
    assert 59 <= states[0].reset_after <= 60
    assert ratelimit.hit("t", "ben", "3/minute").allowed
    assert ratelimit.hit("other", "ana", "3/minute").allowed


def test_a_hit_leaves_every_window_alone_when_one_refuses(place: str) -> None:
    limit = "2/second;5/hour"
    assert [ratelimit.hit("t", "ana", limit).allowed for _ in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    refused = ratelimit.hit("t", "ana", limit)
    assert (refused.window, refused.retry_after) == (1, 1)
    assert ratelimit.look("t", "ana", "5/hour").remaining == 3  # the refused ones did not count


def test_looking_counts_nothing_and_a_cost_counts_for_many(place: str) -> None:
    assert ratelimit.look("t", "ana", "5/hour").remaining == 5
    assert ratelimit.hit("t", "ana", "5/hour", cost=3).remaining == 2
    refused = ratelimit.hit("t", "ana", "5/hour", cost=3)
    assert (refused.allowed, refused.remaining) == (False, 2)
    assert ratelimit.look("t", "ana", "5/hour").allowed


def test_the_window_slides(place: str) -> None:
    for _ in range(2):
        assert ratelimit.hit("t", "ana", "2/second").allowed
    assert not ratelimit.hit("t", "ana", "2/second").allowed
    time.sleep(1.05)
    assert ratelimit.hit("t", "ana", "2/second").allowed


def test_a_limit_that_was_lowered_holds_at_once(place: str) -> None:
    for _ in range(4):
        ratelimit.hit("t", "ana", "5/hour")
    state = ratelimit.hit("t", "ana", "2/hour")
    assert (state.allowed, state.remaining) == (False, 0)
    assert state.retry_after > 3500


async def test_concurrent_hits_are_counted_once_each() -> None:
    states = await asyncio.gather(*(ratelimit.ahit("t", "ana", "10/minute") for _ in range(40)))
    assert sum(each.allowed for each in states) == 10


def test_exactly_as_many_pass_from_many_threads_and_processes(place: str) -> None:
    passed: list[bool] = []
    barrier = threading.Barrier(12)

    def many() -> None:
        barrier.wait()
        passed.extend(ratelimit.hit("t", "ana", "100/hour").allowed for _ in range(20))

    children = [] if place == "local" else [_child() for _ in range(3)]
    threads = [threading.Thread(target=many) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    total = sum(passed) + sum(_passed_in(*child) for child in children)
    assert total == 100


def _child() -> tuple[int, int]:
    """Start a process that hits sixty times; return its id and where it tells how many passed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        quick_redis.forget()  # a connection belongs to one process
        passed = sum(ratelimit.hit("t", "ana", "100/hour").allowed for _ in range(60))
        os.write(writing, bytes([passed]))
        os._exit(0)
    os.close(writing)
    return pid, reading


def _passed_in(pid: int, reading: int) -> int:
    os.waitpid(pid, 0)
    passed = os.read(reading, 1)[0]
    os.close(reading)
    return passed


def test_a_redis_that_is_away_leaves_the_limit_in_force(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    states = [ratelimit.hit("away", "ana", "2/minute") for _ in range(3)]
    assert [each.allowed for each in states] == [True, True, False]


async def test_a_frozen_redis_holds_one_hit_up_shortly_and_is_then_left_alone(
    settings: Settings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        for _ in range(50):
            assert ratelimit.hit("frozen", "ana", "1000/minute").allowed
        assert time.monotonic() - began < 2 * quick_redis.WAIT
        quick_redis.forget()
        began = time.monotonic()
        states = [await ratelimit.ahit("frozen", "ana", "1000/minute") for _ in range(50)]
        assert time.monotonic() - began < 2 * quick_redis.WAIT
        assert all(each.allowed for each in states)


def test_a_clock_that_was_set_back_neither_frees_nor_locks_for_long(settings: Settings) -> None:
    client = Redis.from_url(settings.REDIS_URL)
    ahead = int(time.time() * 1000) + 3_600_000
    client.rpush("acervo:rate:{t:ana}:60", *([ahead] * 2))
    state = ratelimit.hit("t", "ana", "2/minute")
    assert not state.allowed
    assert 1 <= state.retry_after <= 60
    client.close()


def test_what_is_no_limit_is_refused_and_the_start_says_which(settings: Settings) -> None:
    with pytest.raises(ValueError, match="couldn't parse"):
        ratelimit.hit("t", "ana", "often")
    assert check_limits() == []
    settings.ACERVO_RATE_MESSAGES = "often"
    [found] = check_limits()
    assert "ACERVO_RATE_MESSAGES" in found.msg
