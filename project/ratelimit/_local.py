"""The same sliding log as the script's, in this process: for the time that Redis is away."""

import threading
import time
from collections import deque
from collections.abc import Sequence

MOST_KEYS = 10_000
"""Beyond it the keys that rested longest are forgotten: memory is bounded, limits nearly."""


class LocalCounts:
    """Counts hits of this process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logs: dict[str, deque[int]] = {}

    def count(self, keys: Sequence[str], arguments: Sequence[int]) -> list[int]:
        """Do what the script does, with its arguments and its answer."""
        cost, asked = arguments[0], max(arguments[0], 1)
        now = time.monotonic_ns() // 1_000_000
        with self._lock:
            logs = [self._log(key) for key in keys]
            refusing: tuple[int, int] | None = None  # wait, index
            tightest: tuple[int, int] | None = None  # left, index
            for index, log in enumerate(logs):
                limit, length = arguments[index * 2 + 1], arguments[index * 2 + 2]
                while log and log[0] <= now - length:
                    log.popleft()
                over = len(log) + asked - limit
                if over > 0:
                    blocking = log[min(over, len(log)) - 1] if log else now
                    refusing = max(refusing or (0, 0), (max(1, blocking + length - now), index))
                else:
                    left = (limit - len(log), index)
                    tightest = min(tightest or left, left)
            if refusing is None and cost:
                for log in logs:
                    log.extend([now] * cost)
            wait, chosen = refusing or (0, tightest[1] if tightest else 0)
            log, length = logs[chosen], arguments[chosen * 2 + 2]
            reset = log[-1] + length - now if log else 0
            return [int(refusing is None), chosen, len(log), wait, reset]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._logs.clear()

    def _log(self, key: str) -> deque[int]:
        """Return the log of a key, which counts as used last now."""
        log = self._logs.pop(key, None)
        if log is None:
            while len(self._logs) >= MOST_KEYS:
                del self._logs[next(iter(self._logs))]
            log = deque()
        self._logs[key] = log
        return log
