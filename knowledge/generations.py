"""The life of index generations: building, ready, active, retired, deleted.

A space has one active generation. Another model's generation is built beside it: every swap
writes for both, `knowledge.generation_building` fills in what was there before, and
`generation_activate` changes over in one transaction when nothing is missing. What served before
is written for KEPT_UP_TO_DATE longer, so that going back is the same change-over; it is also what
searches that began before the change-over go on with.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence

from django.db import models, transaction
from django.utils import timezone

from knowledge.choices import GenerationStatus, GenerationSwitching
from knowledge.models import (
    Chunk,
    Embedding,
    GenerationSwitch,
    IndexGeneration,
    PreviewNode,
    Space,
)
from project.accounts.models import User
from project.events.services import emit
from project.inference.embeddings import default_model, model_for_endpoint, model_for_key
from project.inference.models import ModelEndpoint
from project.inference.types import EmbeddingModel
from project.locks import transaction_lock

KEPT_UP_TO_DATE = datetime.timedelta(days=7)
"""How long new passages get vectors in a generation that serves no longer."""
IN_FLIGHT = datetime.timedelta(minutes=5)
"""After which no search uses any more what served when it began."""


def ensure_generation(space_id: uuid.UUID) -> IndexGeneration:
    """Return the active generation of a space, made of the default model if there is none.

    Raises Space.DoesNotExist for one that was deleted meanwhile.
    """
    active = IndexGeneration.objects.filter(space=space_id, status=GenerationStatus.ACTIVE)
    found = active.first()
    if found:
        return found
    model = default_model()
    with transaction.atomic():
        transaction_lock(f"generation:{space_id}")
        Space.objects.select_for_update(no_key=True).only("pk").get(pk=space_id)
        return active.first() or IndexGeneration.objects.create(
            space_id=space_id,
            endpoint_id=model.endpoint_id,
            model_key=model.key,
            dimensions=model.dimensions,
            status=GenerationStatus.ACTIVE,
            activated_at=timezone.now(),
        )


def generations_written(space_ids: Sequence[uuid.UUID]) -> list[IndexGeneration]:
    """Return the generations that new passages of the spaces get vectors for."""
    rows = IndexGeneration.objects.filter(space__in=space_ids).written(timezone.now())
    return list(rows.order_by("pk"))


def generation_model(generation: IndexGeneration) -> EmbeddingModel:
    """Return the model of a generation. Raises EmbeddingUnavailable when it is gone."""
    return model_for_key(generation.model_key, generation.endpoint_id)


def generation_start(
    space: Space,
    endpoint: ModelEndpoint | None,
    *,
    switching: GenerationSwitching = GenerationSwitching.MANUAL,
) -> IndexGeneration:
    """Begin a generation of the endpoint's model (None: the default one) beside the active one.

    Raises EmbeddingUnavailable when the endpoint is no embedding model.
    """
    model = model_for_endpoint(endpoint) if endpoint else default_model()
    return IndexGeneration.objects.create(
        space=space,
        endpoint=endpoint,
        model_key=model.key,
        dimensions=model.dimensions,
        switching=switching,
    )


def passages_missing(generation: IndexGeneration) -> models.QuerySet[Chunk]:
    """Return the passages of the space that have no vector in a generation."""
    held = Embedding.objects.filter(chunk=models.OuterRef("pk"), generation=generation)
    return Chunk.objects.filter(~models.Exists(held), space=generation.space_id)


def generation_activate(
    generation_id: uuid.UUID,
    *,
    acting_user: User | None = None,
    reason: str = "",
    evaluation_id: uuid.UUID | None = None,
    is_automatic: bool = False,
) -> bool:
    """Make a generation the one that serves, and retire the one before, in one transaction.

    Returns False, and changes nothing, while passages have no vector in it or it is being deleted.
    What the switch was for is kept, and told by the event `knowledge.generation.activated`.
    """
    with transaction.atomic():
        space_id = IndexGeneration.objects.values_list("space", flat=True).get(pk=generation_id)
        # The lock that every swap holds: what is seen missing below stays so until the end.
        Space.objects.filter(pk=space_id).update(index_revision=models.F("index_revision") + 1)
        rows = IndexGeneration.objects.select_for_update(no_key=True, of=("self",))
        generation = rows.get(pk=generation_id)
        if generation.status == GenerationStatus.ACTIVE:
            return True
        is_going = generation.status == GenerationStatus.DELETING
        if is_going or passages_missing(generation).exists():
            return False
        before = rows.filter(space=space_id, status=GenerationStatus.ACTIVE).first()
        switch = GenerationSwitch(
            space_id=space_id,
            before_id=before.pk if before else None,
            model_key_before=before.model_key if before else "",
            is_rollback=generation.activated_at is not None,
            is_automatic=is_automatic,
            evaluation_id=evaluation_id,
            reason=reason,
            created_by=acting_user,
        )
        _switch(generation, before, switch)
    return True


def _switch(
    generation: IndexGeneration, before: IndexGeneration | None, switch: GenerationSwitch
) -> None:
    """Change over between locked rows, and keep that it was done."""
    now = timezone.now()
    if before is not None:
        before.status, before.retired_at = GenerationStatus.RETIRED, now
        before.written_until = now + KEPT_UP_TO_DATE
        before.save(update_fields=["status", "retired_at", "written_until"])
        # Only the last one before is kept up to date: each costs an embedding of every change.
        older = IndexGeneration.objects.filter(
            space=generation.space_id,
            status=GenerationStatus.RETIRED,
            written_until__gt=now + IN_FLIGHT,
        )
        older.exclude(pk=before.pk).update(written_until=now + IN_FLIGHT)
        if before.model_key != generation.model_key:
            # Previews have vectors of the model before: the sweep prepares them anew.
            PreviewNode.objects.filter(space=generation.space_id).delete()
    generation.status, generation.activated_at = GenerationStatus.ACTIVE, now
    generation.retired_at, generation.written_until, generation.notice = None, None, ""
    generation.save(
        update_fields=["status", "activated_at", "retired_at", "written_until", "notice"]
    )
    switch.generation_id, switch.model_key = generation.pk, generation.model_key
    switch.save()
    emit(
        "knowledge.generation.activated",
        {
            "generation": str(generation.pk),
            "before": str(before.pk) if before else None,
            "is_rollback": switch.is_rollback,
            "is_automatic": switch.is_automatic,
        },
        space_id=generation.space_id,
        subject_id=generation.pk,
    )
