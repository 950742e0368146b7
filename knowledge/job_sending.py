"""Sending jobs to the workers, for modules that the tasks themselves stand on."""

from celery import current_app

from knowledge.models import IngestJob
from project.celery import send_after_commit

TASK = "knowledge.tasks.ingest"


def job_send(job: IngestJob) -> None:
    """Queue a job when the running transaction has committed. The task is found by its name."""
    send_after_commit(current_app.tasks[TASK], str(job.pk))
