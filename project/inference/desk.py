"""Where texts wait for a model server, so that its calls are made of the texts of many jobs.

A call costs its latency however few texts it carries, and a server pads a batch to its longest
text. So whoever wants vectors of a server puts texts into a table, and takes batches from it: its
own ones by length, beside others' that wait longest. What one job embeds of another's, the other
finds in the cache; a text that two jobs want is embedded once.

- At most so many calls are under way as the endpoint allows, over all processes; meanwhile texts
  gather, and the next call is fuller.
- A quarter of each call is for others, if any wait: three texts never wait for ten thousand.
- A claim lasts CLAIM seconds and is renewed while its worker lives: a dead one's texts are free
  again.
- A call that fails with others' texts in it is made again without them, and those are left to their
  owners: nobody fails by another's text.
"""

from __future__ import annotations

import contextvars
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from django.db import DatabaseError, connection, transaction
from psycopg_pool import PoolTimeout

from project.aio import release_connections
from project.inference import vector_cache
from project.inference.choices import Outcome
from project.inference.types import EmbeddingUnavailable
from project.locks import transaction_lock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

log = structlog.get_logger(__name__)

WINDOW = 2048
"""Texts of one job that wait at once: what lengths are sorted within."""
BATCH = 64
BUDGET = 64_000
"""Characters of a call, its texts counted as if all were as long as the longest."""
FOR_OTHERS = BATCH // 4
CALLS = 4
"""Calls of an endpoint that are under way at once, where it does not say itself."""
CLAIM = 15.0  # seconds
POLL = (0.02, 0.2)  # seconds between two looks, from and to
_ALONE = uuid.UUID(int=0)
"""The claim of a text that only its own job may take."""

Embed = Callable[[list[str]], "Vectors"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text that wants its vector."""

    digest: bytes
    subject: uuid.UUID
    text: str


def texts_embed(
    identity: str,
    texts: Sequence[Text],
    embed: Embed,
    *,
    calls: int = 0,
    progress: Callable[[int], None] = lambda _done: None,
) -> dict[bytes, Vectors]:
    """Return the vectors of different texts, and keep them in `vector_cache`.

    `embed` makes one call; at most `calls` (0: CALLS) of this model are under way. `progress` is
    told how many of the texts have their vectors. Raises what `embed` raises of texts of its own.
    """
    found: dict[bytes, Vectors] = {}
    ordered = sorted(texts, key=lambda each: len(each.text))
    for at in range(0, len(ordered), WINDOW):
        job = _Job(identity, ordered[at : at + WINDOW], embed, calls or CALLS)
        for part in job.run():
            found |= part
            progress(len(found))
    return found


class _Job:
    """The texts of one caller while they are on the desk."""

    def __init__(self, identity: str, texts: Sequence[Text], embed: Embed, calls: int) -> None:
        self._identity, self._embed, self._calls = identity, embed, calls
        self._open = {each.digest: each for each in texts}
        self._lock = threading.Lock()

    def run(self) -> Iterator[dict[bytes, Vectors]]:
        """Yield vectors as they come."""
        self._deposit(self._open.values())
        hands = min(self._calls, -(-len(self._open) // BATCH))
        with ThreadPoolExecutor(hands, "desk") as pool:
            working = {self._start(pool) for _ in range(hands)}
            try:
                while working:
                    done, working = wait(working, return_when=FIRST_COMPLETED)
                    for each in done:
                        part = each.result()
                        if part is not None:
                            yield part
                            working.add(self._start(pool))
            except BaseException:
                self._open.clear()  # the other hands stop after what they have in hand
                raise

    def _start(self, pool: ThreadPoolExecutor) -> Future[dict[bytes, Vectors] | None]:
        return pool.submit(contextvars.copy_context().run, self._work)

    def _work(self) -> dict[bytes, Vectors] | None:
        """Return vectors of own texts, made by this hand or by others; None when all are there."""
        pause = POLL[0]
        while wanted := self._wanted():
            try:
                claim = uuid.uuid4()
                batch = self._take(claim, wanted)
                release_connections()
                part = self._make(claim, batch, wanted) if batch else self._collect(wanted)
            finally:
                release_connections()
            with self._lock:
                own = {digest: part[digest] for digest in part if self._open.pop(digest, None)}
            if own:
                return own
            if not batch:
                time.sleep(pause)
                pause = min(2 * pause, POLL[1])
        return None

    def _wanted(self) -> list[bytes]:
        with self._lock:
            return list(self._open)

    def _make(
        self, claim: uuid.UUID, batch: list[Text], wanted: Collection[bytes]
    ) -> dict[bytes, Vectors]:
        """Embed a claimed batch, keep its vectors and take it off the desk."""
        own = [each for each in batch if each.digest in set(wanted)]
        try:
            with _renewed(claim):
                vectors = self._embed([each.text for each in batch])
        except EmbeddingUnavailable as error:
            is_theirs = len(own) < len(batch) and error.reason not in _AWAY
            self._give_back(claim, alone=is_theirs)
            if not is_theirs:
                self._withdraw(own)
                raise
            return self._alone(own)
        except BaseException:
            self._give_back(claim, alone=False)
            raise
        made = {each.digest: vector for each, vector in zip(batch, vectors, strict=True)}
        rows = [(each.digest, each.subject, made[each.digest]) for each in batch]
        vector_cache.vectors_keep(self._identity, rows)  # which takes them off the desk
        return made

    def _alone(self, own: list[Text]) -> dict[bytes, Vectors]:
        """Embed own texts without those of others."""
        if not own:
            return {}
        try:
            vectors = self._embed([each.text for each in own])
        finally:
            self._withdraw(own)
        made = {each.digest: vector for each, vector in zip(own, vectors, strict=True)}
        rows = [(each.digest, each.subject, made[each.digest]) for each in own]
        vector_cache.vectors_keep(self._identity, rows)
        return made

    def _collect(self, wanted: Sequence[bytes]) -> dict[bytes, Vectors]:
        """Return what others made; make what is neither there nor on the desk any more."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT text_sha256 FROM inference_waitingtext"
                " WHERE model = %s AND text_sha256 = ANY(%s)",
                [self._identity, list(wanted)],
            )
            waiting = {bytes(row[0]) for row in cursor.fetchall()}
        gone = [digest for digest in wanted if digest not in waiting]
        found = vector_cache.vectors_get(self._identity, gone)
        if found or not gone:
            return found
        with self._lock:
            lost = [self._open[digest] for digest in gone if digest in self._open]
        return self._alone(lost[:BATCH])

    # -- the table -------------------------------------------------------------------------------

    def _deposit(self, texts: Collection[Text]) -> None:
        rows = sorted(texts, key=lambda each: each.digest)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO inference_waitingtext"
                " (text_sha256, model, subject, text, length, waits_since)"
                " SELECT digest, %s, subject, text, length(text), now()"
                " FROM unnest(%s::bytea[], %s::uuid[], %s::text[]) AS new (digest, subject, text)"
                " ON CONFLICT DO NOTHING",
                [
                    self._identity,
                    [each.digest for each in rows],
                    [each.subject for each in rows],
                    [each.text for each in rows],
                ],
            )
        release_connections()

    @transaction.atomic
    def _take(self, claim: uuid.UUID, wanted: Sequence[bytes]) -> list[Text]:
        """Claim a batch: own texts of like length, and some that wait for others."""
        transaction_lock(f"desk:{self._identity}")
        with connection.cursor() as cursor:
            cursor.execute(_WAITING, self._waiting(wanted))
            rows = [(row[0], Text(bytes(row[1]), row[2], row[3])) for row in cursor.fetchall()]
            own = [each for is_own, each in rows if is_own]
            others = [each for is_own, each in rows if not is_own]
            if not own:
                return []
            batch = _batch(own, others)
            cursor.execute(
                "UPDATE inference_waitingtext SET claim = %s,"
                " claimed_until = now() + make_interval(secs => %s)"
                " WHERE model = %s AND text_sha256 = ANY(%s)",
                [claim, CLAIM, self._identity, [each.digest for each in batch]],
            )
        return batch

    def _waiting(self, wanted: Sequence[bytes]) -> list[Any]:
        full = [self._identity, _ALONE, self._calls]
        own = [self._identity, list(wanted), _ALONE, *full, BATCH]
        return [*own, self._identity, list(wanted), *full, BATCH]

    def _give_back(self, claim: uuid.UUID, *, alone: bool) -> None:
        held = vector_cache.WAITING_AT_MOST.total_seconds() if alone else None
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE inference_waitingtext SET claim = %s,"
                " claimed_until = now() + make_interval(secs => %s) WHERE claim = %s",
                [_ALONE if alone else None, held, claim],
            )

    def _withdraw(self, texts: Sequence[Text]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM inference_waitingtext WHERE model = %s AND text_sha256 = ANY(%s)",
                [self._identity, [each.digest for each in texts]],
            )


# Own texts, the longest first, and those of others that wait longest; nothing while all calls that
# the endpoint allows are under way.
_FULL = """(SELECT count(DISTINCT claim) FROM inference_waitingtext
    WHERE model = %s AND claimed_until > now() AND claim <> %s) < %s"""
_WAITING = f"""
(SELECT true, text_sha256, subject, text FROM inference_waitingtext
    WHERE model = %s AND text_sha256 = ANY(%s)
        AND (claimed_until IS NULL OR claimed_until < now() OR claim = %s) AND {_FULL}
    ORDER BY length DESC LIMIT %s)
UNION ALL
(SELECT false, text_sha256, subject, text FROM inference_waitingtext
    WHERE model = %s AND text_sha256 <> ALL(%s)
        AND (claimed_until IS NULL OR claimed_until < now()) AND {_FULL}
    ORDER BY waits_since LIMIT %s)
"""  # noqa: S608 - of constants
_AWAY = frozenset(
    {
        Outcome.BREAKER_OPEN,
        Outcome.REFUSED,
        Outcome.TIMEOUT,
        Outcome.RATE_LIMITED,
        "not_configured",
        "not_installed",
    }
)
"""Reasons that are the server's, whatever the texts are."""


def _batch(own: Sequence[Text], others: Sequence[Text]) -> list[Text]:
    """Return the texts of a call: others' have a quarter of it, and what own ones leave."""
    room = max(FOR_OTHERS, BATCH - len(own))
    chosen = [*others[:room]]
    chosen = [*own[: BATCH - len(chosen)], *chosen]
    longest = 0
    for count, each in enumerate(chosen):
        longest = max(longest, len(each.text))
        if count and longest * (count + 1) > BUDGET:
            kept = chosen[:count]
            # Long texts of one's own leave no room: then somebody else's go instead of the last.
            return [*kept[:-1], others[0]] if others and others[0] not in kept else kept
    return chosen


@contextmanager
def _renewed(claim: uuid.UUID) -> Iterator[None]:
    """Keep a claim while the call takes its time."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(CLAIM / 3):
            try:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "UPDATE inference_waitingtext"
                        " SET claimed_until = now() + make_interval(secs => %s) WHERE claim = %s",
                        [CLAIM, claim],
                    )
            except (DatabaseError, PoolTimeout) as error:  # at worst somebody does it twice
                log.warning("claim_not_renewed", error=type(error).__name__)
            finally:
                release_connections()

    thread = threading.Thread(target=renew, name="desk-claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
