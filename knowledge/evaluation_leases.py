"""Holding an evaluation: one worker at a time, whatever dies.

As with jobs (`knowledge.leases`): a run is claimed for LEASE, every write names the holder, and a
run whose holder died is free again. A question asked renews the lease.
"""

import datetime
import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from knowledge.choices import EvaluationStatus
from knowledge.holders import holder_is_dead, holder_name
from knowledge.models import EvaluationRun

LEASE = datetime.timedelta(seconds=120)
MAX_ATTEMPTS = 5  # without a question asked
UNFINISHED = (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING)


class LeaseLost(Exception):
    """Somebody else has the run now, or it was cancelled."""


def runs_unattended(now: datetime.datetime, *, patience: datetime.timedelta) -> list[uuid.UUID]:
    """Return the runs that a message may be missing for, or whose worker died; oldest first."""
    rows = EvaluationRun.objects.filter(status__in=UNFINISHED).order_by("created_at", "pk")
    light = rows.only("status", "lease_until", "lease_owner", "created_at")
    return [
        run.pk
        for run in light
        if _is_free(run, now)
        and (
            run.status == EvaluationStatus.RUNNING
            or run.lease_until is not None
            or run.created_at < now - patience
        )
    ]


@transaction.atomic
def run_claim(run_id: uuid.UUID) -> EvaluationRun | None:
    """Take a run for this process; None when it is not to be had.

    One that was tried too often fails here instead.
    """
    now = timezone.now()
    rows = EvaluationRun.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    run = rows.filter(pk=run_id, status__in=UNFINISHED).select_related("created_by").first()
    if run is None or not _is_free(run, now):
        return None
    run.attempts += 1
    if run.attempts > MAX_ATTEMPTS:
        run.status, run.finished_at = EvaluationStatus.FAILED, now
        run.lease_owner, run.lease_until = "", None
        with speaking_to_starter(run):
            run.error = _("The evaluation was interrupted too often.")
        run.save()
        return None
    run.status = EvaluationStatus.RUNNING
    run.started_at = run.started_at or now
    run.lease_owner, run.lease_until = holder_name(), now + LEASE
    run.save()
    return run


def run_give_back(run: EvaluationRun, *, wait: float = 0.0) -> None:
    """Let the run be claimed again, after `wait` seconds; a wait is no failed attempt."""
    rows = EvaluationRun.objects.filter(
        pk=run.pk, status=EvaluationStatus.RUNNING, lease_owner=run.lease_owner
    )
    until = timezone.now() + datetime.timedelta(seconds=wait) if wait else None
    counted = {"waits": run.waits + 1, "attempts": max(run.attempts - 1, 0)} if wait else {}
    rows.update(status=EvaluationStatus.QUEUED, lease_owner="", lease_until=until, **counted)


def run_held(run: EvaluationRun) -> EvaluationRun:
    """Return the row of a run, locked, as long as it is this holder's. Raises LeaseLost."""
    rows = EvaluationRun.objects.select_for_update(of=("self",), no_key=True)
    row = rows.filter(
        pk=run.pk, status=EvaluationStatus.RUNNING, lease_owner=run.lease_owner
    ).first()
    if row is None:
        raise LeaseLost
    return row


def speaking_to_starter(run: EvaluationRun) -> translation.override:
    """Return a context in which texts are in the language of whoever started the run."""
    language = run.created_by.language if run.created_by else ""
    return translation.override(language or settings.LANGUAGE_CODE)


def _is_free(run: EvaluationRun, now: datetime.datetime) -> bool:
    is_over = run.lease_until is None or run.lease_until <= now
    if run.status == EvaluationStatus.QUEUED:
        return is_over  # a queued run's lease is a pause before its next try
    return is_over or holder_is_dead(run.lease_owner)
