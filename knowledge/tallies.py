"""Counting pages and passages, and how many a second there are."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """How many are done, of how many; the rate is this process's own, by its own clock.

    The first count may hold what a worker before had done: the rate is that of what follows it.
    """

    done: int = 0
    total: int | None = None
    _first: int | None = None
    _since: float = field(default_factory=time.monotonic)
    _rate: float | None = None

    def set(self, done: int, total: int | None) -> None:
        """Note the count."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._since = done, now
        elif done > self._first and now > self._since:
            self._rate = (done - self._first) / (now - self._since)
        self.done, self.total = done, total

    def close(self, seconds: float) -> None:
        """Take the rate of the whole, where there was but one count in so many seconds."""
        if self._rate is None and self.done and seconds > 0:
            self._rate = self.done / seconds

    def fields(self, name: str) -> dict[str, object]:
        """Return the columns of a job that show it."""
        shown: dict[str, object] = {f"{name}_done": self.done, f"{name}_total": self.total}
        return shown if self._rate is None else {**shown, f"{name}_rate": round(self._rate, 3)}
