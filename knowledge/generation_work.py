"""What jobs do for index generations: build, fill up and switch, delete.

A job that fails leaves what serves as it was. What was embedded stays, and a retry goes on there.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg.errors
from django.db import OperationalError, connection
from django.utils.translation import gettext as _

from knowledge.ann import ann_index_drop
from knowledge.choices import GenerationStatus, GenerationSwitching, JobStage
from knowledge.generation_building import generation_build, generation_fill
from knowledge.generations import generation_activate
from knowledge.leases import Hold
from knowledge.models import IndexGeneration
from project.http.errors import NotFound, Unavailable, Unreadable
from project.inference.types import EmbeddingUnavailable

DELETED_AT_ONCE = 5000  # vectors
_LASTING = {"dimensions", "not_configured"}
"""Faults of a model that no waiting mends."""


def build_work(hold: Hold) -> None:
    """Build the generation of a job, and let it take over where the job says so.

    Raises ApiError for what another try would not mend.
    """
    payload = hold.job.payload
    generation = _generation(payload["generation"])
    with hold.stage(JobStage.EMBED, 0.0), _readable_faults():
        if generation.status == GenerationStatus.BUILDING:
            generation_build(generation.pk, progress=lambda share: hold.progress(0.99 * share))
        is_at_once = generation.switching == GenerationSwitching.AT_ONCE
        if "activate" in payload or (is_at_once and generation.activated_at is None):
            _take_over(hold, generation, payload.get("activate") or {})
    with hold.finishing():
        pass  # the generation is as it should be: all that is left is to say so


def _take_over(hold: Hold, generation: IndexGeneration, wanted: dict[str, str]) -> None:
    """Fill up and switch; nodes that are written meanwhile are filled in before the next try."""
    while not generation_activate(
        generation.pk,
        acting_user=hold.job.created_by,
        reason=wanted.get("reason", ""),
        evaluation_id=uuid.UUID(wanted["evaluation"]) if wanted.get("evaluation") else None,
        is_automatic=bool(wanted.get("automatic")),
    ):
        hold.check()
        generation.refresh_from_db()
        if generation.status == GenerationStatus.DELETING:
            raise NotFound(_("The index generation is being deleted."))
        generation_fill(generation, progress=lambda share: hold.progress(0.99 * share))


def removal_work(hold: Hold) -> None:
    """Delete the generation of a job: its HNSW index first, then its vectors, so many at once."""
    generation = IndexGeneration.objects.filter(pk=hold.job.payload["generation"]).first()
    if generation is not None:
        with hold.stage(JobStage.STORE, 0.0), _readable_faults():
            ann_index_drop(generation.pk)
            _vectors_delete(hold, generation)
    with hold.finishing():
        if generation is not None:
            generation.delete()


def _vectors_delete(hold: Hold, generation: IndexGeneration) -> None:
    """Walk along the passages in the order of the key, so that no row is looked at twice."""
    everything = max(1, generation.embeddings.count())
    last, gone = uuid.UUID(int=0), 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                WITH chosen AS (
                    SELECT chunk_id FROM knowledge_embedding
                    WHERE generation_id = %s AND chunk_id > %s ORDER BY chunk_id LIMIT %s
                ), gone AS (
                    DELETE FROM knowledge_embedding AS vector USING chosen
                    WHERE vector.generation_id = %s AND vector.chunk_id = chosen.chunk_id
                )
                SELECT max(chunk_id::text)::uuid, count(*) FROM chosen
                """,
                [generation.pk, last, DELETED_AT_ONCE, generation.pk],
            )
            reached, count = cursor.fetchone()
        if not count:
            return
        last, gone = reached, gone + count
        hold.advance()
        hold.progress(min(0.99, gone / everything))


def _generation(pk: str) -> IndexGeneration:
    generation = IndexGeneration.objects.filter(pk=pk).first()
    if generation is None or generation.status == GenerationStatus.DELETING:
        raise NotFound(_("The index generation is gone."))
    return generation


@contextmanager
def _readable_faults() -> Iterator[None]:
    """Turn faults that last into errors that end the job and say what to do."""
    try:
        yield
    except EmbeddingUnavailable as error:
        if error.reason not in _LASTING:
            raise
        raise Unreadable(error.message, code=error.reason) from error
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.DiskFull):
            raise
        message = _(
            "The disk of the database is full. What serves is as it was; make room, then try again."
        )
        raise Unavailable(message, code="disk_full") from error
