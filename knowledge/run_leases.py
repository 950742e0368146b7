"""Holding a run (an evaluation, a tuning): one worker at a time, whatever dies.

As with jobs (`knowledge.leases`): a run is claimed for LEASE, every write names the holder, and a
run whose holder died is free again. Progress renews the lease.
"""

import datetime
import uuid
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from knowledge.choices import EvaluationStatus
from knowledge.holders import holder_is_dead, holder_name
from knowledge.models.leased import LeasedRun

LEASE = datetime.timedelta(seconds=180)
MAX_ATTEMPTS = 5  # without progress
UNFINISHED = (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING)

Run = TypeVar("Run", bound=LeasedRun)


class LeaseLost(Exception):
    """Somebody else has the run now, or it was cancelled."""


def runs_unattended(
    kind: type[Run], now: datetime.datetime, *, patience: datetime.timedelta
) -> list[uuid.UUID]:
    """Return the runs that a message may be missing for, or whose worker died; oldest first."""
    rows = kind.objects.filter(status__in=UNFINISHED).order_by("created_at", "pk")
    return [
        run.pk
        for run in rows.only("status", "lease_until", "lease_owner", "created_at")
        if _is_free(run, now)
        and (
            run.status == EvaluationStatus.RUNNING
            or run.lease_until is not None
            or run.created_at < now - patience
        )
    ]


@transaction.atomic
def run_claim(kind: type[Run], run_id: uuid.UUID) -> Run | None:
    """Take a run for this process; None when it is not to be had.

    One that was tried too often fails here instead.
    """
    now = timezone.now()
    rows = kind.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    run: Run | None = (
        rows.filter(pk=run_id, status__in=UNFINISHED).select_related("created_by").first()
    )
    if run is None or not _is_free(run, now):
        return None
    run.attempts += 1
    if run.attempts > MAX_ATTEMPTS:
        run.status, run.finished_at = EvaluationStatus.FAILED, now
        run.lease_owner, run.lease_until = "", None
        with speaking_to_starter(run):
            run.error = _("It was interrupted too often.")
        run.save()
        return None
    run.status = EvaluationStatus.RUNNING
    run.started_at = run.started_at or now
    run.lease_owner, run.lease_until = holder_name(), now + LEASE
    run.save()
    return run


def held_rows(run: Run) -> QuerySet[Run]:
    """Return the row of a run, as long as it is this holder's."""
    rows: QuerySet[Run] = type(run).objects.filter(
        pk=run.pk, status=EvaluationStatus.RUNNING, lease_owner=run.lease_owner
    )
    return rows


def run_held(run: Run) -> Run:
    """Return the row of a run, locked, as long as it is this holder's. Raises LeaseLost."""
    row = held_rows(run).select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise LeaseLost
    return row


def speaking_to_starter(run: LeasedRun) -> translation.override:
    """Return a context in which texts are in the language of whoever started the run."""
    language = run.created_by.language if run.created_by else ""
    return translation.override(language or settings.LANGUAGE_CODE)


def _is_free(run: LeasedRun, now: datetime.datetime) -> bool:
    is_over = run.lease_until is None or run.lease_until <= now
    if run.status == EvaluationStatus.QUEUED:
        return is_over  # a queued run's lease is a pause before its next try
    return is_over or holder_is_dead(run.lease_owner)
