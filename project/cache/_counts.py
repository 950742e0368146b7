"""Counts by day in Redis, for people who look: how often each level answered."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from operator import methodcaller
from typing import Any

import redis

from project.cache._redis import Store

KEPT = 8 * 86_400  # seconds


class DailyCounts:
    """Counters under a name; what is added while Redis is away is lost."""

    def __init__(self, name: str, store: Store | None = None) -> None:
        self._prefix = f"acervo:cache-levels:{name}:"
        self._store = store or Store()

    def board(self, pipe: Any, counts: Mapping[str, int]) -> None:
        """Add to today's counts with a pipeline that is sent anyway."""
        for level, count in counts.items():
            pipe.hincrby(self._prefix + day_name(), level, count)
        if counts:
            pipe.expire(self._prefix + day_name(), KEPT)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to today's counts."""

        def send(client: redis.Redis) -> None:
            pipe = client.pipeline(transaction=False)
            self.board(pipe, {level: count for level, count in counts.items() if count})
            pipe.execute()

        self._store.call(send)

    def total(self, days: int) -> Counter[str]:
        """Return the counts of the last days, today among them; none while Redis is away."""
        total: Counter[str] = Counter()
        for ago in range(days):
            rows = self._store.call(methodcaller("hgetall", self._prefix + day_name(ago)))
            for level, count in (rows or {}).items():
                total[level.decode()] += int(count)
        return total


def day_name(ago: int = 0) -> str:
    """Return the name of a day in UTC."""
    day = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=ago)
    return f"{day:%Y%m%d}"
