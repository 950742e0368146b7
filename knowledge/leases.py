"""Holding a job: one worker at a time, whatever dies.

A worker claims a job for LEASE and renews that while it lives. Every write of its progress and
its outcome names the holder, so a worker that lost its job (it slept, the database was away)
changes nothing any more.
"""

import datetime
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext as _
from psycopg_pool import PoolTimeout

from knowledge.choices import JobStage, JobStatus, LogLevel
from knowledge.database_time import database_now
from knowledge.holders import holder_is_dead, holder_name, worker_name
from knowledge.job_log import job_note
from knowledge.job_news import emit_updated, job_settle, wake_watchers
from knowledge.job_places import due_now
from knowledge.models import IngestJob
from knowledge.tallies import Tally
from project.tracing import bind_trace

LEASE = datetime.timedelta(seconds=60)  # by the database's clock
RENEW_EVERY = 15.0  # seconds
PROGRESS_EVERY = 0.5  # seconds between two writes of a stage's progress
TURN = 30.0  # seconds of a long job, after which others that wait have a turn
MAX_TRIES = 5  # without reaching a further stage, crashes and faults together
_ORDER = JobStage.values
log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker has the job now, or may have it."""


class JobCancelled(Exception):
    """Somebody asked for the job to end."""


class JobPaused(Exception):
    """The job waits for other jobs, or lets others have a turn; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


@contextmanager
def job_hold(job_id: uuid.UUID) -> Iterator["Hold | None"]:
    """Claim a job and keep it for the block; None when it is not to be had.

    A job that was tried too often fails here instead. What the block says is in the language of
    whoever asked for the job.
    """
    claimed = _claim(job_id)
    if claimed is None:
        yield None
        return
    job, is_resumed = claimed
    hold = Hold(job, is_resumed=is_resumed)
    with bind_trace(job.trace_id), _speaking_to_author(job):
        try:
            yield hold
        finally:
            hold.close()


def _speaking_to_author(job: IngestJob) -> translation.override:
    language = job.created_by.language if job.created_by else ""
    return translation.override(language or settings.LANGUAGE_CODE)


@transaction.atomic
def _claim(job_id: uuid.UUID) -> tuple[IngestJob, bool] | None:
    """Take a job for this process; return it, and whether it goes on after a pause."""
    now = database_now()
    rows = IngestJob.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    job = rows.filter(pk=job_id).first()
    if job is None or not _is_free(job, now):
        return None
    tries = int(job.checkpoint.get("tries", 0)) + 1
    if tries > MAX_TRIES:
        with _speaking_to_author(job):
            why = _("The job was interrupted too often.")
        job_settle(job, JobStatus.FAILED, "gave_up", why)
        return None
    was_held = job.status == JobStatus.PROCESSING and bool(job.lease_owner)
    is_resumed = bool(job.checkpoint.pop("paused", False))
    job.status = JobStatus.PROCESSING
    if not is_resumed:
        job.attempts += 1
        code, level = ("taken_over", LogLevel.WARNING) if was_held else ("taken", LogLevel.INFO)
        job_note(job, code, level=level, worker=worker_name(), attempt=job.attempts)
    job.checkpoint["tries"] = tries
    job.lease_owner = holder_name()
    job.lease_until = now + LEASE
    job.started_at = job.started_at or now
    job.error_code = job.error_message = ""
    job.save()
    emit_updated(job)
    return job, is_resumed


def _is_free(job: IngestJob, now: datetime.datetime) -> bool:
    is_over = job.lease_until is None or job.lease_until <= now
    if job.status == JobStatus.QUEUED:
        return is_over  # a queued job's lease is a pause before its next try
    return job.status == JobStatus.PROCESSING and (is_over or holder_is_dead(job.lease_owner))


class Hold:
    """A claimed job: its row, and the writes that only its holder may make."""

    def __init__(self, job: IngestJob, *, is_resumed: bool = False) -> None:
        self.job = job
        self._is_resumed = is_resumed
        self._owner = job.lease_owner
        self._lost = threading.Event()
        self._ending = threading.Event()
        self._written_at = 0.0
        self._began = time.monotonic()
        self._tallies: dict[str, Tally] = {}
        self._thread = threading.Thread(target=self._renew, name="job-lease", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop renewing."""
        self._ending.set()
        self._thread.join(timeout=5)

    @property
    def is_last_try(self) -> bool:
        """Whether a fault now would end the job."""
        return int(self.job.checkpoint.get("tries", 1)) >= MAX_TRIES

    def check(self) -> None:
        """Raise LeaseLost or JobCancelled when the work is not to go on."""
        if self._lost.is_set():
            raise LeaseLost
        row = self._row().values_list("cancel_requested", flat=True).first()
        if row is None:
            raise LeaseLost
        if row:
            raise JobCancelled

    @contextmanager
    def stage(self, stage: JobStage, start: float) -> Iterator[None]:
        """Run a stage: it begins at progress `start`; its seconds go into the timings."""
        self.check()
        if not (self._is_resumed and self.job.stage == stage):
            self.note("stage", stage=str(stage))
        self._write(stage=stage, progress=max(start, self.job.progress))
        began = time.monotonic()
        yield
        seconds = self._note_time(stage, began)
        done = self.job.checkpoint.get("done", JobStage.QUEUED)
        if _ORDER.index(stage) > _ORDER.index(done):
            self.job.checkpoint |= {"done": str(stage), "tries": 1}
            self.note("stage_done", stage=str(stage), seconds=round(self.job.timings[stage], 1))
        for tally in self._tallies.values():
            tally.close(seconds)
        self._write(
            timings=self.job.timings, checkpoint=self.job.checkpoint, **self._counted(is_last=True)
        )

    def note(self, code: str, *, level: LogLevel = LogLevel.INFO, **data: Any) -> None:
        """Add a line to the job's log (see `knowledge.job_log`)."""
        job_note(self.job, code, level=level, worker=worker_name(), **data)

    def count(self, name: str, done: int, total: int | None) -> None:
        """Count "pages" or "passages"; written with the next progress."""
        self._tallies.setdefault(name, Tally()).set(done, total)

    def add(self, name: str, count: int) -> None:
        """Count more of what nobody knows the number of beforehand."""
        known = self._tallies.get(name)
        done = known.done if known else (getattr(self.job, f"{name}_done") or 0)
        self.count(name, done + count, None)

    def _counted(self, *, is_last: bool = False) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, tally in self._tallies.items():
            fields |= tally.fields(name)
        if is_last:
            self._tallies.clear()
        return fields

    def turn(self) -> None:
        """Raise JobPaused when a long job has had its turn and others wait; call where it can."""
        if time.monotonic() - self._began > TURN and due_now().exists():
            self.note("turn")
            raise JobPaused(0.0)

    def progress(self, value: float) -> None:
        """Note the progress, 0 to 1, at most every half second. Raises as `check` does."""
        now = time.monotonic()
        if now - self._written_at < PROGRESS_EVERY:
            if self._lost.is_set():
                raise LeaseLost
            return
        self.check()
        self._write(progress=value, **self._counted())

    def advance(self) -> None:
        """Note that work was done which no later try repeats: the tries are counted anew."""
        if int(self.job.checkpoint.get("tries", 1)) > 1:
            self._write(checkpoint=self.job.checkpoint | {"tries": 1})

    def keep(self, **values: Any) -> None:
        """Write fields of the row. Raises LeaseLost."""
        self._write(**values)

    @contextmanager
    def finishing(self) -> Iterator[IngestJob]:
        """Open the transaction in which the job's effect becomes visible and the job completes.

        The row is locked first: of two holders, or a holder and a cancel, one comes too late.
        """
        self.check()
        self._write(stage=JobStage.SWAP)
        began = time.monotonic()
        with transaction.atomic():
            row = self._row().select_for_update(of=("self",), no_key=True).first()
            if row is None:
                raise LeaseLost
            if row.cancel_requested:
                raise JobCancelled
            yield row
            self._note_time(JobStage.SWAP, began)
            row.timings = self.job.timings
            job_settle(row, JobStatus.COMPLETED)

    def release(self, *, wait: float = 0.0) -> None:
        """Give the job back, to be tried again after `wait` seconds."""
        pause = Now() + datetime.timedelta(seconds=wait)
        later = {"lease_until": pause, "queued_at": pause} if wait else {"lease_until": None}
        self._row().update(status=JobStatus.QUEUED, lease_owner="", **later)
        wake_watchers(self.job.pk)

    def pause(self, wait: float) -> None:
        """Let go of the job for `wait` seconds; it goes on after that, and no try is counted."""
        self._row().update(
            lease_owner="",
            lease_until=Now() + datetime.timedelta(seconds=wait),
            checkpoint=self.job.checkpoint | {"tries": 0, "paused": True},
        )
        wake_watchers(self.job.pk)

    @transaction.atomic
    def settle(self, status: JobStatus, code: str = "", message: str = "") -> None:
        """End the job, if it is still this holder's."""
        row = self._row().select_for_update(of=("self",), no_key=True).first()
        if row is not None:
            job_settle(row, status, code, message)

    def _row(self) -> Any:
        return IngestJob.objects.filter(
            pk=self.job.pk, status=JobStatus.PROCESSING, lease_owner=self._owner
        )

    def _write(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self.job, name, value)
        if not self._row().update(**values):
            raise LeaseLost
        self._written_at = time.monotonic()
        wake_watchers(self.job.pk)

    def _note_time(self, stage: JobStage, began: float) -> float:
        seconds = time.monotonic() - began
        earlier = float(self.job.timings.get(str(stage), 0.0))
        self.job.timings[str(stage)] = round(earlier + seconds, 3)
        return seconds

    def _renew(self) -> None:
        held_until = time.monotonic() + LEASE.total_seconds()
        while not self._ending.wait(RENEW_EVERY):
            try:
                renewed = self._row().update(lease_until=Now() + LEASE)
            except (Error, PoolTimeout, OSError) as error:
                log.warning("lease_not_renewed", job=str(self.job.pk), error=type(error).__name__)
                if time.monotonic() > held_until:
                    self._lost.set()
                    return
            else:
                held_until = time.monotonic() + LEASE.total_seconds()
                if not renewed:
                    self._lost.set()
                    return
            finally:
                connection.close()


def stuck_jobs(*, patience: datetime.timedelta) -> list[uuid.UUID]:
    """Return the jobs that a message may be missing for, first in the queue first.

    They wait too long, their pause or their holder's lease is over, or it was a process of this
    machine that died. By the database's clock.
    """
    now = database_now()
    rows = IngestJob.objects.filter(
        Q(status=JobStatus.QUEUED, lease_until=None, queued_at__lt=now - patience)
        | Q(status=JobStatus.QUEUED, lease_until__lt=now)
        | Q(status=JobStatus.PROCESSING)
    ).order_by("queued_at", "pk")
    return [
        job.pk
        for job in rows.only("status", "lease_until", "lease_owner", "queued_at")
        if _is_free(job, now)
    ]
