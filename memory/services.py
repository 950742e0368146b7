"""Writes of memory."""

import datetime
import uuid
from collections.abc import Collection, Sequence
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.models import Space
from memory import indexing, tasks
from memory.importance import importance_of
from memory.models import Episode
from memory.types import ToldTurn
from project.accounts.models import User
from project.celery import send_after_commit
from project.events.services import emit_many
from project.events.types import NewEvent
from project.http.errors import Conflict, Forbidden, Invalid, NotFound
from project.tracing import current_trace_id

MAX_CONTENT = 20_000
_Place = tuple[int, str, str]
"""Whose, about whom, and in which session."""
_KNOWN = """
SELECT told.*, EXISTS (SELECT FROM memory_episode AS known WHERE known.turn_id = told.turn_id),
       (SELECT content FROM memory_episode AS episode
        WHERE episode.user_id = told.user_id AND subject = '' AND episode.session = told.session
        ORDER BY occurred_at DESC, created_at DESC LIMIT 1)
FROM unnest(%s::uuid[], %s::bigint[], %s::text[]) AS told (turn_id, user_id, session)
"""


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
    previous: dict[_Place, str] = {}
    episodes = [_episode(acting_user, row, previous) for row in rows]
    # Only what the caller has named can be there already; a savepoint is two statements.
    may_clash = any(each.external_id for each in episodes)
    try:
        with transaction.atomic(savepoint=may_clash):
            indexing.episodes_insert(episodes)
    except IntegrityError:
        if not may_clash:
            raise
        message = _("There is an episode with this external_id already.")
        raise Conflict(message, code="duplicate_external_id", field="external_id") from None
    _announce(episodes)
    return episodes


def _announce(episodes: Sequence[Episode]) -> None:
    emit_many(
        [
            NewEvent(
                "memory.episode.created",
                {"episode": str(each.pk), "user": str(each.user_id)},
                each.space_id,
                each.pk,
                each.trace_id,
            )
            for each in episodes
        ]
    )
    send_after_commit(tasks.episodes_embed_missing)


def _episode(user: User, row: EpisodeFields, previous: dict[_Place, str]) -> Episode:
    content = row.get("content", "").strip()
    if not content:
        raise Invalid(_("An episode needs content."), field="content")
    if len(content) > MAX_CONTENT:
        message = _("The content may have %(limit)s characters.") % {"limit": MAX_CONTENT}
        raise Invalid(message, field="content")
    subject, session = row.get("subject", ""), row.get("session", "")
    place = (user.pk, subject, session)
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
def episodes_create_from_turns(turns: Sequence[ToldTurn]) -> list[Episode]:
    """Remember finished turns, each once however often it is told; return the new episodes.

    What the person said is the memory; the answer is kept beside it as context, never as a fact,
    so that recalled or generated text cannot feed on itself.
    """
    told = {each.turn_id: each for each in turns if each.user.remembers and not each.user.is_guest}
    known, previous = _known(told.values()) if told else (set(), {})
    episodes = [
        _of_turn(each, previous)
        for each in sorted(told.values(), key=lambda each: each.occurred_at)
        if each.turn_id not in known
    ]
    if episodes:
        indexing.episodes_insert(episodes)
        _announce(episodes)
    return episodes


def _known(turns: Collection[ToldTurn]) -> tuple[set[uuid.UUID], dict[_Place, str]]:
    """Return which turns are remembered already, and what their sessions ended with before."""
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOWN,
            [
                [each.turn_id for each in turns],
                [each.user.pk for each in turns],
                [each.session for each in turns],
            ],
        )
        rows = cursor.fetchall()
    known = {turn for turn, _user, _session, is_known, _before in rows if is_known}
    return known, {(user, "", session): before or "" for _turn, user, session, _is, before in rows}


def _of_turn(turn: ToldTurn, previous: dict[_Place, str]) -> Episode:
    row: EpisodeFields = {
        "session": turn.session,
        "content": turn.question[:MAX_CONTENT],
        "context": {"answer": turn.answer[:2000]},
        "occurred_at": turn.occurred_at,
        "tags": ["chat"],
        "turn_id": turn.turn_id,
    }
    episode = _episode(turn.user, row, previous)
    episode.space_id = turn.space_id
    episode.trace_id = turn.trace_id or episode.trace_id
    return episode


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
    emit_many(
        [
            NewEvent("memory.episode.deleted", {"episode": str(row.pk)}, row.space_id, row.pk)
            for row in rows
        ]
    )
    Episode.objects.filter(pk__in=[row.pk for row in rows]).delete()
