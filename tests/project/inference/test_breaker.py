"""The circuit breaker on a real Valkey, and without one."""

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django import Settings
from redis import Redis

from project import aio
from project.inference import breaker
from project.inference.breaker import Breaker, BreakerRules
from project.inference.breaker_rules import LocalBreaker

RULES = BreakerRules(minimum_calls=4, failure_share=0.5, open_seconds=0.2, probe_seconds=0.3)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    breaker.forget_local()
    yield
    breaker.forget_local()


def call(guard: Breaker, *, ok: bool) -> bool:
    permit = guard.acquire()
    if permit.allowed:
        guard.record(permit, ok=ok)
    return permit.allowed


def opened(name: str = "b", rules: BreakerRules = RULES) -> Breaker:
    guard = Breaker(name, rules)
    for _ in range(rules.minimum_calls):
        assert call(guard, ok=False)
    assert guard.state().state == "open"
    return guard


def test_it_needs_enough_calls_and_enough_failures() -> None:
    guard = Breaker("b", RULES)
    for ok in (False, False, False):
        call(guard, ok=ok)
    assert guard.state().state == "closed"
    other = Breaker("c", RULES)
    for ok in (True, True, True, True, False, False, False):
        call(other, ok=ok)
    assert other.state().state == "closed"
    call(other, ok=False)
    assert other.state().state == "open"


def test_its_state_is_shared() -> None:
    opened("shared")
    permit = Breaker("shared", RULES).acquire()
    assert not permit.allowed
    assert 0 < permit.retry_after <= 0.2


def test_exactly_one_of_twenty_concurrent_probes_passes() -> None:
    guard = opened()
    time.sleep(0.22)
    with ThreadPoolExecutor(20) as pool:
        permits = list(pool.map(lambda _: Breaker("b", RULES).acquire(), range(20)))
    (probe,) = [permit for permit in permits if permit.allowed]
    assert guard.state().state == "half_open"
    guard.record(probe, ok=True)
    assert guard.state().state == "closed"
    assert call(guard, ok=True)


async def test_exactly_one_of_twenty_probes_of_one_event_loop_passes() -> None:
    guard = await asyncio.to_thread(opened)
    await asyncio.sleep(0.22)
    permits = await asyncio.gather(*(guard.aacquire() for _ in range(20)))
    assert sum(permit.allowed for permit in permits) == 1


def test_each_opening_in_a_row_lasts_longer_up_to_the_limit() -> None:
    rules = BreakerRules(
        minimum_calls=1, open_seconds=0.05, open_limit_seconds=0.15, probe_seconds=1
    )
    guard = opened(rules=rules)
    waits = []
    for _ in range(4):
        waits.append(guard.state().retry_after)
        time.sleep(waits[-1] + 0.01)
        permit = guard.acquire()
        assert permit.probe
        guard.record(permit, ok=False)
    assert waits[0] <= 0.05 < waits[1] <= 0.1 < waits[2] <= 0.15
    assert waits[3] <= 0.15
    assert guard.state().openings == 5


def test_a_probe_that_never_reports_loses_its_place() -> None:
    guard = opened()
    time.sleep(0.22)
    assert guard.acquire().probe
    assert not guard.acquire().allowed
    time.sleep(0.32)
    assert guard.acquire().probe


def test_a_cancelled_probe_gives_its_place_back() -> None:
    guard = opened()
    time.sleep(0.22)
    guard.release(guard.acquire())
    assert guard.acquire().probe


def test_a_late_result_does_not_close_an_open_breaker() -> None:
    guard = Breaker("b", RULES)
    late = guard.acquire()
    opened()
    guard.record(late, ok=True)
    assert guard.state().state == "open"


def test_failures_leave_the_window() -> None:
    rules = BreakerRules(window_seconds=0.3, minimum_calls=2)
    guard = Breaker("b", rules)
    call(guard, ok=False)
    time.sleep(0.4)
    call(guard, ok=False)
    assert guard.state().state == "closed"
    assert guard.state().calls == 1


def test_it_can_be_reset() -> None:
    guard = opened()
    guard.reset()
    assert guard.state().state == "closed"
    assert call(guard, ok=True)


async def test_without_redis_it_goes_on_in_this_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(breaker, "_client", None)
    monkeypatch.setattr(aio, "_async_clients", {})
    guard = Breaker("b", RULES)
    for _ in range(4):
        permit = await guard.aacquire()
        assert permit.allowed
        assert permit.is_local
        await guard.arecord(permit, ok=False)
    assert not guard.acquire().allowed
    assert guard.state().is_local


def test_a_redis_that_hangs_is_waited_for_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # connects, and says nothing more
        settings.REDIS_URL = f"redis://127.0.0.1:{frozen.getsockname()[1]}/0"
        monkeypatch.setattr(breaker, "_client", None)
        assert breaker.REDIS_SECONDS <= 1
        monkeypatch.setattr(breaker, "REDIS_SECONDS", 0.05)
        guard = Breaker("b", RULES)
        for _ in range(RULES.minimum_calls):
            permit = guard.acquire()
            assert permit.allowed
            assert permit.is_local
            guard.record(permit, ok=False)
        assert guard.state().state == "open"
        frozen.setblocking(False)
        frozen.accept()[0].close()
        with pytest.raises(BlockingIOError):
            frozen.accept()


def test_the_local_breaker_keeps_the_same_rules() -> None:
    now = 1000.0
    local = LocalBreaker(RULES, clock=lambda: now)
    for _ in range(4):
        local.record(local.acquire("t").probe, ok=False)
    assert local.state().state == "open"
    assert not local.acquire("t").allowed
    now += 0.21
    permits = [local.acquire(str(number)) for number in range(20)]
    assert [permit.allowed for permit in permits] == [True] + [False] * 19
    local.record("0", ok=False)
    assert local.state().openings == 2
    now += 0.41
    assert local.acquire("again").allowed
    local.release("again")
    assert local.acquire("once more").allowed
    local.record("once more", ok=True)
    assert local.state().state == "closed"
    assert local.state().openings == 0


def test_nothing_stays_in_redis_for_ever(settings: Settings) -> None:
    opened()
    call(Breaker("c", RULES), ok=True)
    client = Redis.from_url(settings.REDIS_URL)
    keys = client.keys("acervo:breaker:*")
    assert len(keys) == 2
    assert all(client.pttl(key) > 0 for key in keys)
    client.close()


def test_many_calls_say_it_softly() -> None:
    rules = BreakerRules(open_seconds=5)
    guard, local = Breaker("often", rules), LocalBreaker(rules)
    for number in range(30):
        ok = number % 10 != 9
        assert call(guard, ok=ok)
        local.record("", ok=ok)
    assert guard.state().state == local.state().state == "closed"  # one in ten is not too many
    call(guard, ok=False)
    local.record("", ok=False)
    assert guard.state().state == local.state().state == "open"
