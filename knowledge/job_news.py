"""Telling of jobs: the event of each change of status, and the wake-up of whoever watches."""

import uuid

import redis
import structlog
from django.db import transaction

from knowledge.choices import JobKind, JobStage, JobStatus, LogLevel
from knowledge.database_time import database_now
from knowledge.feed_outcomes import run_follow
from knowledge.holders import worker_name
from knowledge.job_log import job_note, job_queued
from knowledge.models import IngestJob
from project.aio import sync_redis
from project.events.services import emit_many
from project.events.types import NewEvent

CHANNEL = "acervo:job:{}"
log = structlog.get_logger(__name__)


def job_settle(job: IngestJob, status: JobStatus, code: str = "", message: str = "") -> None:
    """Write the end of a locked job and the event that tells of it."""
    job.status = status
    job.finished_at = database_now()
    job.error_code, job.error_message = code, message
    job.lease_owner, job.lease_until = "", None
    if status == JobStatus.COMPLETED:
        job.stage, job.progress, job.payload = JobStage.DONE, 1.0, {}
    job.save()
    _settled_note(job)
    if job.kind == JobKind.FEED:
        run_follow(job)
    emit_updated(job)


def _settled_note(job: IngestJob) -> None:
    if job.status == JobStatus.COMPLETED:
        job_note(job, "completed", worker=worker_name(), count=len(job.nodes))
    elif job.status == JobStatus.FAILED:
        job_note(job, "failed", level=LogLevel.ERROR, reason=job.error_message)
    else:
        job_note(job, str(job.status))


def emit_updated(job: IngestJob, *before: NewEvent) -> None:
    """Write the event of a job's change of status, and wake who watches it after the commit.

    News that comes `before` it, of the same transaction, goes along with it.
    """
    if job.status == JobStatus.QUEUED:
        job_queued(job, is_new=not job.attempts)
    emit_status(job, *before)


def emit_status(job: IngestJob, *before: NewEvent) -> None:
    """Do the same for a job that was noted as queued already, or is not."""
    updated = NewEvent(
        "knowledge.job.updated",
        {"job": str(job.pk), "status": job.status, "error": job.error_code or None},
        space_id=job.space_id,
        subject_id=job.pk,
    )
    emit_many([*before, updated])
    transaction.on_commit(lambda: wake_watchers(job.pk))


def wake_watchers(job_id: uuid.UUID) -> None:
    """Tell whoever watches a job to look at it; they look by themselves too, only later."""
    try:
        sync_redis().publish(CHANNEL.format(job_id), "changed")
    except redis.RedisError as error:
        log.debug("watchers_not_woken", job=str(job_id), error=type(error).__name__)
