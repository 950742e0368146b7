"""Where jobs stand: their place in the queue, and how long they will still take.

All jobs share one queue of the broker, in the order in which they were queued last. What is said of
a job follows from the rows: those before it that may be taken now, those that workers hold, and
how long the last ones of each kind took. A job that pauses is nobody's predecessor.
"""

import datetime
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now, RowNumber

from knowledge.choices import JobStage, JobStatus
from knowledge.database_time import database_now
from knowledge.models import IngestJob

LAST = 20  # completed jobs of a kind that the usual time is taken of


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue from 1, None for a job that does not wait; seconds to the end."""

    position: int | None
    eta_seconds: int | None


@dataclass(frozen=True, slots=True)
class Usual:
    """How long jobs of a kind take: in all, and after their text was extracted."""

    seconds: float
    after_extract: float


def place_of(job: IngestJob) -> Place:
    """Return where a job stands."""
    return places_of([job])[job.pk]


def places_of(jobs: Iterable[IngestJob]) -> dict[uuid.UUID, Place]:
    """Return where jobs stand; a handful of queries however many they are."""
    rows = list(jobs)
    if all(job.has_ended for job in rows):
        return {job.pk: Place(None, None) for job in rows}
    line = _Line({job.pk: job for job in rows if job.status == JobStatus.QUEUED})
    return {job.pk: line.place(job) for job in rows}


def held_now() -> models.QuerySet[IngestJob]:
    """Return the jobs that workers hold."""
    held = Q(lease_until__gt=Now()) & ~Q(lease_owner="")
    return IngestJob.objects.filter(held, status=JobStatus.PROCESSING)


def due_now() -> models.QuerySet[IngestJob]:
    """Return the jobs that wait for a worker and for nothing else, the first one first."""
    is_due = Q(lease_until=None) | Q(lease_until__lte=Now())
    return IngestJob.objects.filter(is_due, status=JobStatus.QUEUED).order_by("queued_at", "pk")


@dataclass
class _Line:
    """The queue as it is at one moment, for the waiting jobs of some ids."""

    asked: dict[uuid.UUID, IngestJob]
    _usual: dict[str, Usual | None] = field(default_factory=dict)

    @cached_property
    def now(self) -> datetime.datetime:
        return database_now()

    @cached_property
    def held(self) -> list[IngestJob]:
        return list(held_now().defer("payload", "checkpoint", "nodes"))

    @cached_property
    def ahead(self) -> Mapping[uuid.UUID, tuple[int, Counter[str]]]:
        """Place of each asked job, and how many jobs of each kind are before it."""
        if len(self.asked) == 1:
            (job,) = self.asked.values()
            before = self._look(job)
            return {job.pk: (before.total() + 1, before)}
        waiting = Q(lease_until=None) | Q(lease_until__lte=Now()) | Q(pk__in=list(self.asked))
        rows = IngestJob.objects.filter(waiting, status=JobStatus.QUEUED).order_by()
        order = [F("queued_at").asc(), F("id").asc()]
        last = rows.filter(pk__in=list(self.asked)).order_by("-queued_at", "-pk").first()
        if last is None:
            return {}
        before_last = Q(queued_at__lt=last.queued_at) | Q(queued_at=last.queued_at, pk__lte=last.pk)
        rows = rows.filter(before_last).annotate(
            place=models.Window(RowNumber(), order_by=order),
        )
        found: dict[uuid.UUID, tuple[int, Counter[str]]] = {}
        kinds: Counter[str] = Counter()
        for pk, kind, place in rows.order_by("place").values_list("pk", "kind", "place"):
            if pk in self.asked:
                found[pk] = (place, kinds.copy())
            kinds[kind] += 1
        return found

    def _look(self, job: IngestJob) -> Counter[str]:
        """Ask for all that the place of one job needs; return the kinds of those before it."""
        # In plain SQL, as below: every upload asks, and to write queries costs more than to run
        # them.
        with connection.cursor() as cursor:
            cursor.execute(_LOOK, [job.queued_at, job.pk, job.kind, LAST])
            before, held, seconds, after_extract, self.now = cursor.fetchone()
        self._usual[job.kind] = None if seconds is None else Usual(seconds, after_extract)
        self.held = [_held(row) for row in json.loads(held or "[]")]
        return Counter(json.loads(before or "{}"))

    def usual(self, kind: str) -> Usual | None:
        if kind not in self._usual:
            self._usual[kind] = _usual(kind)
        return self._usual[kind]

    def place(self, job: IngestJob) -> Place:
        if job.has_ended:
            return Place(None, None)
        if job.status == JobStatus.PROCESSING:
            return Place(None, _whole(self._left(job)))
        place, before = self.ahead.get(job.pk, (None, Counter()))
        return Place(place, _whole(self._waiting(job, before)))

    def _left(self, job: IngestJob) -> float | None:
        """Return the seconds to the end of a job that is at work."""
        usual = self.usual(job.kind)
        rate, done, total = job.passages_rate, job.passages_done, job.passages_total
        if job.stage == JobStage.EMBED and rate and done is not None and total:
            return (total - done) / rate
        rate, done, total = job.pages_rate, job.pages_done, job.pages_total
        if job.stage == JobStage.EXTRACT and rate and done is not None and total:
            return (total - done) / rate + (usual.after_extract if usual else 0.0)
        if job.started_at is None:
            return None
        elapsed = max(0.0, (self.now - job.started_at).total_seconds())
        if job.progress > 0.05:
            return elapsed * (1 - job.progress) / job.progress
        return None if usual is None else max(1.0, usual.seconds - elapsed)

    def _waiting(self, job: IngestJob, before: Counter[str]) -> float | None:
        """Return the seconds to the end of a waiting job: workers share what is before it."""
        own = self.usual(job.kind)
        if own is None:
            return None
        work = 0.0
        for kind, count in before.items():
            usual = self.usual(kind) or own
            work += usual.seconds * count
        for each in self.held:
            usual = self.usual(each.kind) or own
            left = self._left(each)
            work += usual.seconds if left is None else left
        pause = (job.lease_until - self.now).total_seconds() if job.lease_until else 0.0
        return max(work / max(1, len(self.held)), pause) + own.seconds


_HELD = (
    "id",
    "kind",
    "status",
    "stage",
    "progress",
    "pages_done",
    "pages_total",
    "pages_rate",
    "passages_done",
    "passages_total",
    "passages_rate",
    "started_at",
)
_USUAL = """
    SELECT avg(greatest(0, seconds)) AS seconds,
        avg(greatest(0, seconds - extract)) AS after_extract
    FROM (
        SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds,
            coalesce((timings ->> 'extract')::float8, 0) AS extract
        FROM knowledge_ingestjob
        WHERE kind = %s AND status = 'completed' ORDER BY created_at DESC LIMIT %s
    ) AS done WHERE seconds IS NOT NULL
"""
_LOOK = f"""
    SELECT (
        SELECT json_object_agg(kind, number) FROM (
            SELECT kind, count(*) AS number FROM knowledge_ingestjob
            WHERE status = 'queued' AND (lease_until IS NULL OR lease_until <= now())
            AND (queued_at, id) < (%s, %s)
            GROUP BY kind
        ) AS ahead
    )::text, (
        SELECT json_agg(json_build_array({", ".join(_HELD)})) FROM knowledge_ingestjob
        WHERE status = 'processing' AND lease_until > now() AND lease_owner <> ''
    )::text, usual.*, clock_timestamp()
    FROM ({_USUAL}) AS usual
"""  # noqa: S608 - names of our own columns


def _held(values: list[Any]) -> IngestJob:
    """Return a job that a worker holds, with the fields that tell how far it is."""
    values[0] = uuid.UUID(values[0])
    if values[-1] is not None:
        values[-1] = datetime.datetime.fromisoformat(values[-1])
    return IngestJob.from_db(connection.alias, _HELD, values)


def _usual(kind: str) -> Usual | None:
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [kind, LAST])
        seconds, after_extract = cursor.fetchone()
    return None if seconds is None else Usual(seconds, after_extract)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds))
