"""Writes of ingest jobs: begin, cancel, retry; dismiss failures, and restore them."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge import tasks
from knowledge.access import not_found, role_require
from knowledge.bulk import rows_check
from knowledge.choices import JobKind, JobStage, JobStatus
from knowledge.database_time import database_now
from knowledge.job_log import job_note
from knowledge.job_news import emit_updated, job_settle, wake_watchers
from knowledge.models import IngestJob, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Conflict
from project.tracing import current_trace_id


@transaction.atomic
def nodes_bulk(
    *,
    acting_user: User,
    space: Space,
    rows: Sequence[Mapping[str, Any]],
    reason: str = "",
) -> IngestJob:
    """Queue a job that creates nodes, or updates those whose `external_id` is known in the space.

    Every row is tried first. Raises NotFound, Forbidden, and Invalid whose details map the numbers
    of the rows at fault to what is wrong with them.
    """
    role_require(acting_user, space, Role.EDITOR)
    rows_check(acting_user, space, rows)
    job = IngestJob.objects.create(
        kind=JobKind.BULK,
        space=space,
        created_by=acting_user,
        payload={"rows": [dict(row) for row in rows], "reason": reason},
        trace_id=current_trace_id(),
    )
    emit_updated(job)
    send_after_commit(tasks.ingest, str(job.pk))
    return job


@transaction.atomic
def job_cancel(*, acting_user: User, job: IngestJob) -> IngestJob:
    """End a waiting job at once, a running one at its next step; one that has ended stays as it is.

    Its own user and the space's curators may. Raises NotFound and Forbidden.
    """
    row = _locked(acting_user, job)
    if row.status == JobStatus.QUEUED:
        job_settle(row, JobStatus.CANCELLED)
    elif row.status == JobStatus.PROCESSING and not row.cancel_requested:
        row.cancel_requested = True
        row.save(update_fields=["cancel_requested"])
        job_note(row, "cancel_asked", who=str(acting_user))
        transaction.on_commit(lambda: wake_watchers(row.pk))
    return row


@transaction.atomic
def job_retry(*, acting_user: User, job: IngestJob) -> IngestJob:
    """Queue a failed or cancelled job again; it goes on from its last checkpoint.

    Its own user and the space's curators may. Raises NotFound, Forbidden, and Conflict for a job
    that has not failed.
    """
    row = _locked(acting_user, job)
    role_require(acting_user, row.space, Role.EDITOR)
    if row.status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
        message = _("Only a failed or cancelled job can be tried again.")
        raise Conflict(message, code="job_not_failed", details={"status": row.status})
    row.status, row.stage, row.progress = JobStatus.QUEUED, JobStage.QUEUED, 0.0
    row.error_code = row.error_message = ""
    row.cancel_requested, row.finished_at, row.lease_until = False, None, None
    row.checkpoint["tries"] = 0
    row.dismissed_at = None
    row.save()
    job_note(row, "requeued", who=str(acting_user))
    emit_updated(row)
    send_after_commit(tasks.ingest, str(row.pk))
    return row


@transaction.atomic
def job_dismiss(*, acting_user: User, job: IngestJob) -> IngestJob:
    """Take a job that failed off the list of dead ones; it can be restored and tried again.

    Its own user and the space's curators may. Raises NotFound, Forbidden, and Conflict for a job
    that has not failed.
    """
    return _dismissal_set(acting_user, job, "dismissed", database_now())


@transaction.atomic
def job_restore(*, acting_user: User, job: IngestJob) -> IngestJob:
    """Put a dismissed job back on the list of dead ones. Permission and errors are the same."""
    return _dismissal_set(acting_user, job, "restored", None)


def _dismissal_set(
    user: User, job: IngestJob, code: str, at: datetime.datetime | None
) -> IngestJob:
    row = _locked(user, job)
    if row.status != JobStatus.FAILED:
        message = _("Only a failed job can be dismissed or restored.")
        raise Conflict(message, code="job_not_failed", details={"status": row.status})
    if (row.dismissed_at is None) != (at is None):
        row.dismissed_at = at
        row.save(update_fields=["dismissed_at"])
        job_note(row, code, who=str(user))
        transaction.on_commit(lambda: wake_watchers(row.pk))
    return row


def _locked(user: User, job: IngestJob) -> IngestJob:
    rows = IngestJob.objects.visible_to(user).select_for_update(of=("self",), no_key=True)
    row = rows.filter(pk=job.pk).first()
    if row is None:
        raise not_found()
    if row.created_by_id != user.pk:
        role_require(user, row.space, Role.CURATOR)
    return row
