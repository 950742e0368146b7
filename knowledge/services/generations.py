"""Writes of index generations: begin, compare, switch, go back, delete."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _

from knowledge import tasks
from knowledge.access import not_found, role_require
from knowledge.choices import GenerationStatus, GenerationSwitching, JobKind
from knowledge.evaluation import evaluation_queue
from knowledge.generations import IN_FLIGHT, generation_activate, generation_start
from knowledge.job_news import emit_updated
from knowledge.models import EvaluationRun, GoldenQuestion, IndexGeneration, IngestJob, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Conflict, Invalid
from project.inference.choices import Purpose
from project.inference.models import ModelEndpoint
from project.inference.types import EmbeddingUnavailable
from project.locks import transaction_lock
from project.tracing import current_trace_id


@transaction.atomic
def generation_begin(
    *,
    acting_user: User,
    space: Space,
    endpoint: ModelEndpoint | None = None,
    switching: GenerationSwitching = GenerationSwitching.MANUAL,
) -> IndexGeneration:
    """Queue a job that builds a space's index with a model (None: the default one).

    The index that serves goes on serving; what becomes of the new one is said by `switching`.
    Needs a manager. Raises NotFound, Forbidden, Invalid for an endpoint that is no embedding model
    in use, and Conflict (`generation_building`) while another one is being built.
    """
    role_require(acting_user, space, Role.MANAGER)
    if endpoint is not None and (endpoint.purpose != Purpose.EMBEDDING or not endpoint.is_active):
        raise Invalid(_("This is no embedding model that is in use."), field="endpoint")
    transaction_lock(f"generation:{space.pk}")
    building = IndexGeneration.objects.filter(space=space, status=GenerationStatus.BUILDING)
    under_way = next((row for row in building.select_related("job") if not row.has_failed), None)
    if under_way is not None:
        raise Conflict(
            _("Another index is being built for the space: wait for it, or cancel its job."),
            code="generation_building",
            details={"generation": str(under_way.pk)},
        )
    try:
        generation = generation_start(space, endpoint, switching=switching)
    except EmbeddingUnavailable as error:
        raise Invalid(error.message, code=error.reason, field="endpoint") from None
    _job_queue(acting_user, generation)
    return generation


def index_rebuild(
    *, acting_user: User, space: Space, endpoint: ModelEndpoint | None = None
) -> IngestJob:
    """Begin a generation that takes over as soon as it is whole; return its job."""
    generation = generation_begin(
        acting_user=acting_user,
        space=space,
        endpoint=endpoint,
        switching=GenerationSwitching.AT_ONCE,
    )
    assert generation.job is not None
    return generation.job


@transaction.atomic
def generation_switch(
    *, acting_user: User, generation: IndexGeneration, reason: str = ""
) -> IndexGeneration:
    """Let a generation serve: at once when it is whole, else by a job that fills it up first.

    The same for one that was built and for one that served before; until it serves, nothing
    changes. Needs a manager. Raises NotFound, Forbidden, and Conflict for one that is still being
    built or deleted.
    """
    row = _locked(acting_user, generation)
    if row.status in {GenerationStatus.BUILDING, GenerationStatus.DELETING}:
        message = _("Only an index that was built whole can serve.")
        raise Conflict(message, code="generation_not_ready", details={"status": row.status})
    if not generation_activate(row.pk, acting_user=acting_user, reason=reason):
        _job_queue(acting_user, row, activate={"reason": reason})
    row.refresh_from_db()
    return row


@transaction.atomic
def generation_compare(
    *, acting_user: User, generation: IndexGeneration, k: int | None = None
) -> EvaluationRun:
    """Ask the space's golden questions of what serves and of a generation, one after the other.

    Needs a curator. Raises NotFound, Forbidden, and Conflict for a generation that is not whole or
    serves itself, and for a space without golden questions.
    """
    row = _visible(acting_user, generation)
    role_require(acting_user, row.space, Role.CURATOR)
    if row.status not in {GenerationStatus.READY, GenerationStatus.RETIRED}:
        message = _("Compare an index that was built and does not serve: this one is “%(status)s”.")
        raise Conflict(
            message % {"status": row.get_status_display()},
            code="generation_not_comparable",
            details={"status": row.status},
        )
    if not GoldenQuestion.objects.filter(space=row.space_id, is_active=True).exists():
        message = _("The space has no active golden question: make some first.")
        raise Conflict(message, code="no_golden_questions")
    return evaluation_queue(row.space, acting_user=acting_user, k=k, other_generation=row)


@transaction.atomic
def generation_remove(*, acting_user: User, generation: IndexGeneration) -> IngestJob:
    """Queue a job that deletes a generation with its vectors and its HNSW index.

    From now on nothing looks into it. Needs a manager. Raises NotFound, Forbidden, and Conflict for
    one that serves, is being built, or served so lately that searches may still use it.
    """
    row = _locked(acting_user, generation)
    if row.status == GenerationStatus.DELETING:
        if row.job is not None and not row.job.has_ended:
            return row.job
    else:
        _removal_check(row)
        row.status, row.written_until = GenerationStatus.DELETING, None
        row.save(update_fields=["status", "written_until"])
    return _job_queue(acting_user, row, kind=JobKind.REMOVAL)


def _removal_check(row: IndexGeneration) -> None:
    if row.status == GenerationStatus.ACTIVE:
        message = _("The index that serves cannot be deleted: let another one serve first.")
        raise Conflict(message, code="generation_serves")
    if row.job is not None and not row.job.has_ended:
        message = _("A job is working on the index: wait for its end, or cancel it.")
        raise Conflict(message, code="generation_busy", details={"job": str(row.job_id)})
    if row.retired_at is not None and row.retired_at + IN_FLIGHT > timezone.now():
        until = timezone.localtime(row.retired_at + IN_FLIGHT)
        message = _("Searches that began before the switch may still use it: delete it from %(at)s")
        raise Conflict(
            message % {"at": time_format(until, "TIME_FORMAT")},
            code="generation_in_use",
            details={"until": until.isoformat()},
        )


def _job_queue(
    user: User,
    generation: IndexGeneration,
    *,
    kind: JobKind = JobKind.GENERATION,
    **payload: Any,
) -> IngestJob:
    job = IngestJob.objects.create(
        kind=kind,
        space_id=generation.space_id,
        created_by=user,
        payload={"generation": str(generation.pk), **payload},
        trace_id=current_trace_id(),
    )
    generation.job = job
    generation.save(update_fields=["job"])
    emit_updated(job)
    send_after_commit(tasks.ingest, str(job.pk))
    return job


def _visible(user: User, generation: IndexGeneration) -> IndexGeneration:
    rows = IndexGeneration.objects.visible_to(user).select_related("space", "job")
    row = rows.filter(pk=generation.pk).first()
    if row is None:
        raise not_found()
    return row


def _locked(user: User, generation: IndexGeneration) -> IndexGeneration:
    """Return the row of a generation, with the lock of its space, for a manager."""
    row = _visible(user, generation)
    role_require(user, row.space, Role.MANAGER)
    transaction_lock(f"generation:{row.space_id}")
    row.refresh_from_db()
    return row


__all__ = [
    "generation_begin",
    "generation_compare",
    "generation_remove",
    "generation_switch",
    "index_rebuild",
]
