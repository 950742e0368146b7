import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisDown

from project import ratelimit


def test_exactly_as_many_hits_pass_as_allowed() -> None:
    states = [ratelimit.hit("t", "ana", "3/minute") for _ in range(5)]
    assert [each.allowed for each in states] == [True, True, True, False, False]
    assert 1 <= states[-1].retry_after <= 61
    assert ratelimit.hit("t", "ben", "3/minute").allowed
    assert ratelimit.hit("other", "ana", "3/minute").allowed


async def test_concurrent_hits_are_counted_once_each() -> None:
    states = await asyncio.gather(*(ratelimit.ahit("t", "ana", "10/minute") for _ in range(40)))
    assert sum(each.allowed for each in states) == 10


def test_a_redis_that_is_away_leaves_the_limit_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise RedisDown

    monkeypatch.setattr(ratelimit, "_shared", away)
    states = [ratelimit.hit("local", "ana", "2/minute") for _ in range(3)]
    assert [each.allowed for each in states] == [True, True, False]
