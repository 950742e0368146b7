"""Which searches are asked most, for as long as it takes to have them ready again after a publish.

What is counted is a keyed hash. A search that was asked `OFTEN` times in a day is kept itself,
sealed with the installation's secret, for a day after it was last asked; rarer ones never leave the
process that answered them. Everything is in Redis and bounded; ACERVO_SEARCH_WARM=0 keeps nothing.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import methodcaller
from typing import Any

import structlog
from django.conf import settings

from knowledge.types import SearchRequest
from project.cache import DailyCounts, LayeredCache, Rider, day_name
from project.inference import sealing

log = structlog.get_logger(__name__)

OFTEN = 3
MOST_COUNTED = 2000  # searches a day
MOST_PENDING = 200  # in this process
FLUSH_EVERY = 5.0  # seconds
BOARD_EVERY = 1.0  # seconds between two pipelines that it rides on
KEPT_SECONDS = 86_400
_COUNTS, _SEARCH = "acervo:asked:", "acervo:asked:search:"


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as somebody asked it, with the spaces that they could read then."""

    kind: str
    request: SearchRequest
    user_id: int | None
    spaces: tuple[uuid.UUID, ...]


class Tally(Rider):
    """Counts what is asked and which level answers, and tells Redis when a pipeline goes there."""

    def __init__(self, cache: LayeredCache) -> None:
        self._cache = cache
        self.levels = DailyCounts(cache.name, cache.store)
        self._lock = threading.Lock()
        self._here = threading.local()
        self._asked: dict[str, tuple[int, Asked]] = {}
        self._levels: Counter[str] = Counter()
        self._often: dict[str, Asked] = {}
        self._flushed = time.monotonic()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Count nothing that this thread asks: nobody else asked it."""
        self._here.is_silent = True
        try:
            yield
        finally:
            self._here.is_silent = False

    def note(self, name: str, asked: Asked) -> None:
        """Count a search under a name that tells nothing of it."""
        if not settings.ACERVO_SEARCH_WARM or self._is_silent:
            return
        with self._lock:
            if name in self._asked or len(self._asked) < MOST_PENDING:
                self._asked[name] = (self._asked.get(name, (0, asked))[0] + 1, asked)

    def flush_if_due(self) -> None:
        """Tell Redis where no pipeline went there of itself."""
        if time.monotonic() - self._flushed > FLUSH_EVERY:
            self._cache.send_riders()

    def count(self, level: str) -> None:
        if self._is_silent:
            return
        with self._lock:
            self._levels[level] += 1

    @property
    def _is_silent(self) -> bool:
        return getattr(self._here, "is_silent", False)

    def is_due(self) -> bool:
        return time.monotonic() - self._flushed > BOARD_EVERY

    def board(self, pipe: Any) -> Callable[[list[Any]], None]:
        today = day_name()
        with self._lock:
            self._flushed = time.monotonic()
            asked, self._asked = self._asked, {}
            levels, self._levels = self._levels, Counter()
            often, self._often = self._often, {}
        for name, (count, _each) in asked.items():
            pipe.zincrby(_COUNTS + today, count, name)
        if asked:
            pipe.zremrangebyrank(_COUNTS + today, 0, -MOST_COUNTED - 1)
            pipe.expire(_COUNTS + today, 2 * KEPT_SECONDS)
        for name, each in often.items():
            pipe.set(_SEARCH + name, _written(each), ex=KEPT_SECONDS)
        self.levels.board(pipe, levels)

        def arrive(answers: list[Any]) -> None:
            with self._lock:
                for (name, (_count, each)), score in zip(asked.items(), answers, strict=False):
                    if isinstance(score, float) and score >= OFTEN:
                        self._often[name] = each

        return arrive

    def most_asked(self, most: int) -> Iterator[Asked]:
        """Yield the searches asked most today and yesterday; none while Redis is away."""
        names: dict[bytes, float] = {}
        for day in (day_name(), day_name(1)):
            ask = methodcaller("zrevrange", _COUNTS + day, 0, most, withscores=True)
            rows = self._cache.store.call(ask)
            for name, score in rows or ():
                names[name] = names.get(name, 0.0) + score
        for name in sorted(names, key=lambda name: -names[name])[:most]:
            kept = self._cache.store.call(methodcaller("get", _SEARCH.encode() + name))
            if kept and (asked := _read(kept)) is not None:
                yield asked


def _written(asked: Asked) -> str:
    fields = {name: value for name, value in asdict(asked.request).items() if value is not None}
    record = {
        "kind": asked.kind,
        "request": fields,
        "user": asked.user_id,
        "spaces": asked.spaces,
    }
    return sealing.seal(json.dumps(record, default=str))


def _read(kept: bytes) -> Asked | None:
    """Return a kept search; None for one of another secret or release."""
    try:
        record = json.loads(sealing.unseal(kept.decode()))
        fields = record["request"]
        for name in ("created_after", "created_before"):
            if name in fields:
                fields[name] = datetime.datetime.fromisoformat(fields[name])
        for name in ("kinds", "tags", "external_ids"):
            if name in fields:
                fields[name] = tuple(fields[name])
        if "spaces" in fields:
            fields["spaces"] = tuple(map(uuid.UUID, fields["spaces"]))
        spaces = tuple(map(uuid.UUID, record["spaces"]))
        return Asked(record["kind"], SearchRequest(**fields), record["user"], spaces)
    except (sealing.SealBroken, ValueError, KeyError, TypeError) as error:
        log.warning("asked_search_unread", error=type(error).__name__)
        return None
