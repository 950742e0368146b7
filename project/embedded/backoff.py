"""How long to wait before starting a process that died again."""

from dataclasses import dataclass

FIRST_WAIT = 0.2  # seconds
LONGEST_WAIT = 30.0
STAYED_UP = 15.0  # after this long the next death counts as the first


@dataclass
class Backoff:
    """Doubles the wait at each death, and forgets after the process stayed up for a while."""

    wait: float = 0.0
    started_at: float = 0.0
    not_before: float = 0.0

    def started(self, now: float) -> None:
        self.started_at = now

    def died(self, now: float) -> float:
        """Return the seconds to wait from `now` on."""
        if now - self.started_at >= STAYED_UP:
            self.wait = 0.0
        self.wait = min(max(FIRST_WAIT, self.wait * 2), LONGEST_WAIT)
        self.not_before = now + self.wait
        return self.wait
