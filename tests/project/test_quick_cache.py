"""The cache of sessions: as usual while Redis answers, empty and quick while it does not."""

import socket
import time

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.utils.module_loading import import_string
from pytest_django import Settings

from project import quick_redis


@pytest.fixture(autouse=True)
def fresh() -> None:
    quick_redis.forget()


def test_values_are_kept_and_forgotten() -> None:
    cache = caches["default"]
    cache.set("a", [1], 60)
    assert cache.get("a") == [1]
    assert cache.get("b", "none") == "none"
    assert (cache.add("a", 2), cache.add("b", 2)) == (False, True)
    assert cache.get_many(["a", "b", "c"]) == {"a": [1], "b": 2}
    assert "a" in cache
    assert cache.touch("a", 60)
    cache.delete("a")
    cache.delete_many(["b"])
    assert "a" not in cache
    assert cache.get("b") is None


def test_a_frozen_redis_is_an_empty_cache_that_costs_one_short_wait(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = settings.CACHES["default"]
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        cache: BaseCache = import_string(options["BACKEND"])(address, options)
        began = time.monotonic()
        cache.set("a", 1)
        assert [cache.get("a", "none") for _ in range(20)] == ["none"] * 20
        assert cache.get_many(["a"]) == {}
        assert "a" not in cache
        assert time.monotonic() - began < 3 * quick_redis.WAIT
    quick_redis.forget()
