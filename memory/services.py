"""Writes of memory."""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.models import Space
from memory import indexing, tasks
from memory.importance import importance_of
from memory.models import Episode
from project.accounts.models import User
from project.celery import send_after_commit
from project.events.services import emit
from project.http.errors import Conflict, Forbidden, Invalid, NotFound
from project.tracing import current_trace_id

MAX_CONTENT = 20_000


class EpisodeFields(TypedDict, total=False):
    """What a caller says of an episode; only `session` and `content` are needed."""

    session: str
    content: str
    occurred_at: datetime.datetime | None
    context: dict[str, Any]
    tags: list[str]
    importance: float | None
    subject: str
    external_id: str | None
    space: Space | None
    turn_id: uuid.UUID | None


def episode_create(*, acting_user: User, **fields: Unpack[EpisodeFields]) -> Episode:
    """Store one episode; see `episodes_create`."""
    return episodes_create(acting_user=acting_user, rows=[fields])[0]


@transaction.atomic
def episodes_create(*, acting_user: User, rows: Sequence[EpisodeFields]) -> list[Episode]:
    """Store episodes in the order given and return them, with their importance computed.

    They can be found by their words at once, and by meaning when their vectors are there. Raises
    Invalid for an empty or too long content, Conflict for a taken external id.
    """
    previous: dict[tuple[str, str], str] = {}
    episodes = [_episode(acting_user, row, previous) for row in rows]
    # Only what the caller has named can be there already; a savepoint is two statements.
    may_clash = any(each.external_id for each in episodes)
    try:
        with transaction.atomic(savepoint=may_clash):
            Episode.objects.bulk_create(episodes)
    except IntegrityError:
        if not may_clash:
            raise
        message = _("There is an episode with this external_id already.")
        raise Conflict(message, code="duplicate_external_id", field="external_id") from None
    indexing.words_index(episodes)
    for episode in episodes:
        emit(
            "memory.episode.created",
            {"episode": str(episode.pk), "user": str(acting_user.pk)},
            space_id=episode.space_id,
            subject_id=episode.pk,
        )
    send_after_commit(tasks.episodes_embed_missing)
    return episodes


def _episode(user: User, row: EpisodeFields, previous: dict[tuple[str, str], str]) -> Episode:
    content = row.get("content", "").strip()
    if not content:
        raise Invalid(_("An episode needs content."), field="content")
    if len(content) > MAX_CONTENT:
        message = _("The content may have %(limit)s characters.") % {"limit": MAX_CONTENT}
        raise Invalid(message, field="content")
    subject, session = row.get("subject", ""), row.get("session", "")
    place = (subject, session)
    before = previous.get(place)
    if before is None:
        before = _last_of(user, subject, session)
    previous[place] = content
    judged = importance_of(content)
    stated = row.get("importance")
    occurred_at = row.get("occurred_at") or timezone.now()
    return Episode(
        user=user,
        subject=subject,
        session=session,
        space=row.get("space"),
        content=content,
        context=row.get("context") or {},
        occurred_at=occurred_at,
        importance=judged.score if stated is None else stated,
        importance_signals=judged.signals if stated is None else {"stated": stated},
        tags=row.get("tags") or [],
        language=indexing.language_of(content),
        external_id=row.get("external_id") or None,
        turn_id=row.get("turn_id"),
        indexed_text=indexing.indexed_text(content, occurred_at=occurred_at, before=before),
        trace_id=current_trace_id(),
    )


def _last_of(user: User, subject: str, session: str) -> str:
    rows = Episode.objects.filter(user=user, subject=subject, session=session)
    return (
        rows.order_by("-occurred_at", "-created_at").values_list("content", flat=True).first() or ""
    )


@transaction.atomic(savepoint=False)
def episode_create_from_turn(
    *,
    user: User,
    turn_id: uuid.UUID,
    session: str,
    question: str,
    answer: str,
    occurred_at: datetime.datetime,
    space: Space | None = None,
) -> Episode | None:
    """Remember a finished turn, once however often it is told; None when it is not to be.

    What the person said is the memory; the answer is kept beside it as context, never as a fact,
    so that recalled or generated text cannot feed on itself.
    """
    if user.is_guest or not user.remembers or Episode.objects.filter(turn_id=turn_id).exists():
        return None
    return episode_create(
        acting_user=user,
        session=session,
        content=question[:MAX_CONTENT],
        context={"answer": answer[:2000]},
        occurred_at=occurred_at,
        space=space,
        tags=["chat"],
        turn_id=turn_id,
    )


@transaction.atomic
def episode_delete(*, acting_user: User, episode: Episode) -> None:
    """Forget one episode for good. Raises NotFound for one of somebody else."""
    row = Episode.objects.visible_to(acting_user).filter(pk=episode.pk).first()
    if row is None:
        raise NotFound(_("There is no such object, or it is not yours to see."))
    _forget([row])


@transaction.atomic
def episodes_delete_all(*, acting_user: User, subject: str = "") -> int:
    """Forget every episode about a subject (the user when empty); return how many."""
    rows = list(Episode.objects.visible_to(acting_user).about(subject).only("pk", "space_id"))
    _forget(rows)
    return len(rows)


@transaction.atomic
def episodes_forget(*, acting_user: User, episodes: Any) -> int:
    """Forget episodes of anybody, as an operator; return how many. Raises Forbidden."""
    if not acting_user.has_perm("memory.delete_episode"):
        raise Forbidden(_("You may not delete what others keep."))
    rows = list(episodes.only("pk", "space_id"))
    _forget(rows)
    return len(rows)


def _forget(rows: Sequence[Episode]) -> None:
    for row in rows:
        emit(
            "memory.episode.deleted",
            {"episode": str(row.pk)},
            space_id=row.space_id,
            subject_id=row.pk,
        )
    Episode.objects.filter(pk__in=[row.pk for row in rows]).delete()
