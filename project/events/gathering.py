"""How long a reader of events gathers before it reads again. Pure.

A trip to Redis, a visit of a thread, a transaction and its statements cost the same for one event
and for many. So a reader that hears of many waits until some have come together.
"""

import math

SHORTEST = 0.05
LONGEST = 0.5
DENSE = 8.0
"""Events a second from which on the longest time is waited: four of them come in it."""
REMEMBERED = 1.0  # seconds after which what came before counts for a third


class Gathering:
    """Measures how densely events come; times are those of a steady clock, in seconds."""

    def __init__(self, now: float) -> None:
        self._rate = 0.0
        self._last = now

    def seconds(self, count: int, now: float) -> float:
        """Return how long to wait after a read that brought `count` events that somebody wants."""
        passed = max(1e-3, now - self._last)
        self._last = now
        share = 1 - math.exp(-passed / REMEMBERED)
        self._rate += share * (count / passed - self._rate)
        return min(LONGEST, max(SHORTEST, LONGEST * self._rate / DENSE))
