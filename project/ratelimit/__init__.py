"""Rate limits: exact, counted atomically in Redis, and in this process while Redis is away.

A limit is a sliding log: of any window of its length, exactly as many hits pass as it allows, from
however many processes they come. Refused hits are not counted.

A Redis that does not answer is left alone for a while (`project.quick_redis`), in which each
process counts for itself.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from limits import parse_many

from project.quick_redis import aquick, quick
from project.ratelimit._local import LocalCounts
from project.ratelimit._script import SCRIPT

__all__ = [
    "RateState",
    "Window",
    "ahit",
    "hit",
    "hit_all",
    "look",
    "windows_of",
]

_local = LocalCounts()


@dataclass(frozen=True, slots=True)
class Window:
    """So many hits in so many seconds."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class RateState:
    """Whether a hit was within its limit, and what is left of it.

    Of several windows the one that refused, else the one of which least is left. Times in whole
    seconds: `retry_after` until a hit passes again (0 when this one did), `reset_after` until the
    window is as good as new.
    """

    allowed: bool
    retry_after: int
    limit: int = 0
    remaining: int = 0
    reset_after: int = 0
    window: int = 0


@functools.cache
def windows_of(limit: str) -> tuple[Window, ...]:
    """Return what a limit such as ``"30/minute"`` or ``"20/minute;100/hour"`` says.

    Raises ValueError for what is none.
    """
    return tuple(Window(each.amount, each.get_expiry()) for each in parse_many(limit))


def hit(name: str, key: str, limit: str, *, cost: int = 1) -> RateState:
    """Count a hit of `key` against `limit` under `name`; all of its windows, or none.

    `cost` counts it as so many; 0 only looks.
    """
    windows = windows_of(limit)
    keys, arguments = _keys(name, key, windows), _arguments(windows, cost)
    answer = quick(lambda client: client.register_script(SCRIPT)(keys=keys, args=arguments))
    return _state(windows, _local.count(keys, arguments) if answer is None else answer)


def hit_all(name: str, limits: Mapping[str, str], *, cost: int = 1) -> RateState:
    """Count a hit of several keys, each against its limit: all of them, or none.

    `limits` has at least one key. All keys of a name live on one node of a Redis cluster.
    """
    windows = tuple(each for limit in limits.values() for each in windows_of(limit))
    keys = [
        f"acervo:rate:{{{name}}}:{key}:{each.seconds}"
        for key, limit in limits.items()
        for each in windows_of(limit)
    ]
    arguments = _arguments(windows, cost)
    answer = quick(lambda client: client.register_script(SCRIPT)(keys=keys, args=arguments))
    return _state(windows, _local.count(keys, arguments) if answer is None else answer)


async def ahit(name: str, key: str, limit: str, *, cost: int = 1) -> RateState:
    """Do what `hit` does, without blocking the event loop."""
    windows = windows_of(limit)
    keys, arguments = _keys(name, key, windows), _arguments(windows, cost)
    answer = await aquick(lambda client: client.register_script(SCRIPT)(keys=keys, args=arguments))
    return _state(windows, _local.count(keys, arguments) if answer is None else answer)


def look(name: str, key: str, limit: str) -> RateState:
    """Return how a limit stands, without counting; `allowed`: whether a hit would pass now."""
    return hit(name, key, limit, cost=0)


def _keys(name: str, key: str, windows: Sequence[Window]) -> list[str]:
    # In braces: all windows of a key live on one node of a Redis cluster.
    return [f"acervo:rate:{{{name}:{key}}}:{each.seconds}" for each in windows]


def _arguments(windows: Sequence[Window], cost: int) -> list[int]:
    return [cost, *(number for each in windows for number in (each.limit, each.seconds * 1000))]


def _state(windows: Sequence[Window], answer: Sequence[int]) -> RateState:
    """Return the state that an answer of the script tells; see there."""
    allowed, index, used, wait, reset = (int(each) for each in answer)
    window = windows[index]
    return RateState(
        allowed=bool(allowed),
        retry_after=0 if allowed else max(1, -(-wait // 1000)),
        limit=window.limit,
        remaining=max(0, window.limit - used),
        reset_after=-(-reset // 1000),
        window=window.seconds,
    )
