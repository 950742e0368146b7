"""Telling of jobs: the event of each change of status, and the wake-up of whoever watches."""

import uuid

import redis
import structlog
from django.db import transaction
from django.utils import timezone

from knowledge.choices import JobKind, JobStage, JobStatus
from knowledge.feed_outcomes import run_follow
from knowledge.models import IngestJob
from project.aio import sync_redis
from project.events.services import emit

CHANNEL = "acervo:job:{}"
log = structlog.get_logger(__name__)


def job_settle(job: IngestJob, status: JobStatus, code: str = "", message: str = "") -> None:
    """Write the end of a locked job and the event that tells of it."""
    job.status = status
    job.finished_at = timezone.now()
    job.error_code, job.error_message = code, message
    job.lease_owner, job.lease_until = "", None
    if status == JobStatus.COMPLETED:
        job.stage, job.progress, job.payload = JobStage.DONE, 1.0, {}
    job.save()
    if job.kind == JobKind.FEED:
        run_follow(job)
    emit_updated(job)


def emit_updated(job: IngestJob) -> None:
    """Write the event of a job's change of status, and wake who watches it after the commit."""
    emit(
        "knowledge.job.updated",
        {"job": str(job.pk), "status": job.status, "error": job.error_code or None},
        space_id=job.space_id,
        subject_id=job.pk,
    )
    transaction.on_commit(lambda: wake_watchers(job.pk))


def wake_watchers(job_id: uuid.UUID) -> None:
    """Tell whoever watches a job to look at it; they look by themselves too, only later."""
    try:
        sync_redis().publish(CHANNEL.format(job_id), "changed")
    except redis.RedisError as error:
        log.debug("watchers_not_woken", job=str(job_id), error=type(error).__name__)
