"""Writes of tunings: begin and cancel."""

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from knowledge import tasks
from knowledge.access import not_found, role_require
from knowledge.choices import EvaluationStatus
from knowledge.models import GoldenQuestion, RetrievalTuning, Space
from knowledge.run_leases import UNFINISHED
from knowledge.tuning import LEAST
from knowledge.tuning_work import missing_words
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Invalid
from project.locks import transaction_lock
from project.tracing import current_trace_id


@transaction.atomic
def tuning_start(*, acting_user: User, space: Space) -> RetrievalTuning:
    """Queue the learning of a profile from a space's golden questions; needs a manager.

    One of the space that has not ended is returned as it is. Raises NotFound, Forbidden, and
    Invalid where questions are missing, and how many.
    """
    role_require(acting_user, space, Role.MANAGER)
    transaction_lock(f"tuning:{space.pk}")
    running = RetrievalTuning.objects.filter(space=space, status__in=UNFINISHED).first()
    if running is not None:
        return running
    questions = GoldenQuestion.objects.filter(space=space, is_active=True)
    known = questions.annotate(there=Count("targets", filter=~Q(targets__node=None)))
    count = known.filter(there__gt=0).count()
    if count < LEAST:
        raise Invalid(missing_words(count), code="questions_missing", field="space")
    row = RetrievalTuning.objects.create(
        space=space, questions=count, created_by=acting_user, trace_id=current_trace_id()
    )
    send_after_commit(tasks.tuning_work, str(row.pk))
    return row


@transaction.atomic
def tuning_cancel(*, acting_user: User, tuning: RetrievalTuning) -> RetrievalTuning:
    """End a tuning that has not ended. Raises NotFound and Forbidden."""
    rows = RetrievalTuning.objects.visible_to(acting_user).filter(pk=tuning.pk)
    row = rows.select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise not_found()
    role_require(acting_user, row.space, Role.MANAGER)
    if row.status in UNFINISHED:
        row.status, row.finished_at = EvaluationStatus.CANCELLED, timezone.now()
        row.lease_owner, row.lease_until = "", None
        row.save()
    return row


__all__ = ["tuning_cancel", "tuning_start"]
