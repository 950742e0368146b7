"""Dispatching a batch of turns, each named any number of times and in any order.

1. What has a class already is left out: the row of a turn is its own receipt.
2. The conversations of the rest are locked, those that somebody writes in just now left for the
   next time: a batch never waits for one of them.
3. All that is undispatched in a locked conversation is read, named or not, and classified in the
   order of its messages. So a late event changes nothing, and what one message brings about (a
   handoff) holds for those after it.
4. Classes and routes are written, and what they bring about with them, in the same transaction.

That a later message is not answered before an earlier one is up to the claim
(`TurnQuerySet.claimable`), which takes nothing without a class.
"""

import datetime
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from chat import metrics
from chat.choices import (
    DispatchRoute,
    HandoffOrigin,
    MessageClass,
    TurnRoute,
    TurnStatus,
)
from chat.dispatching.classify import classify
from chat.handoff.opening import handoff_open, handoff_tell, language_of, log_ended, space_of
from chat.handoff.presence import at_desk
from chat.models import Conversation, Handoff, Turn
from project.database.prepared import prepared_rows

UNDISPATCHED_AFTER = datetime.timedelta(seconds=1)

# Whoever finishes a turn or sends a message holds this lock, too.
_LOCKED = """
WITH named AS (
    SELECT id, conversation_id FROM chat_turn
    WHERE id = ANY(%s::uuid[]) AND status = 'queued' AND message_class = ''
), locked AS (
    SELECT id FROM chat_conversation WHERE id IN (SELECT conversation_id FROM named)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
SELECT named.id, locked.id FROM named LEFT JOIN locked ON locked.id = named.conversation_id
"""
_WAITING = """
SELECT turn.id, turn.conversation_id, message.content, message.parent_id IS NOT NULL,
       EXISTS (SELECT FROM chat_handoff AS handoff
               WHERE handoff.conversation_id = turn.conversation_id
                 AND handoff.status IN ('waiting', 'active')),
       EXISTS (SELECT FROM chat_turn AS other
               WHERE other.question_id = turn.question_id AND other.id <> turn.id)
FROM chat_turn AS turn JOIN chat_message AS message ON message.id = turn.question_id
WHERE turn.conversation_id = ANY(%s::uuid[])
  AND turn.status = 'queued' AND turn.message_class = ''
ORDER BY turn.conversation_id, turn.created_at, turn.id
"""
_WRITE = """
UPDATE chat_turn SET message_class = given.class, dispatched_to = 'ai'
FROM unnest(%s::uuid[], %s::text[]) AS given (id, class)
WHERE chat_turn.id = given.id AND status = 'queued' AND message_class = ''
RETURNING given.class
"""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of a batch.

    `turns` may be taken by an agent, as soon as it is their turn; those in `busy` are to be
    dispatched again in a moment.
    """

    turns: list[uuid.UUID] = field(default_factory=list)
    busy: list[uuid.UUID] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting:
    """A turn without a class; `is_again`: its question was answered before."""

    turn_id: uuid.UUID
    conversation_id: uuid.UUID
    content: str
    has_history: bool
    is_with_person: bool
    is_again: bool
    message_class: MessageClass = MessageClass.QUESTION


def dispatch(turn_ids: Collection[uuid.UUID]) -> Dispatched:
    """Dispatch these turns, and what else waits in their conversations."""
    with transaction.atomic():
        waiting: dict[uuid.UUID, uuid.UUID | None] = dict(_rows(_LOCKED, turn_ids))
        locked = sorted({each for each in waiting.values() if each is not None})
        turns = _dispatch_locked(locked) if locked else []
    told = [each for each in dict.fromkeys(turn_ids) if each not in waiting]
    busy = [turn_id for turn_id, conversation in waiting.items() if conversation is None]
    return Dispatched([*told, *turns], busy)


def turns_undispatched(limit: int) -> list[uuid.UUID]:
    """Return turns that an event should have led to by now, oldest first."""
    rows = Turn.objects.filter(
        status=TurnStatus.QUEUED, message_class="", created_at__lt=Now() - UNDISPATCHED_AFTER
    )
    return list(rows.order_by("created_at", "pk").values_list("pk", flat=True)[:limit])


def _rows(statement: str, ids: Iterable[uuid.UUID]) -> list[Any]:
    return prepared_rows(statement, [list(ids)])


def _dispatch_locked(conversation_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Dispatch what waits in locked conversations; return what is for the AI, in order."""
    to_ai: list[_Waiting] = []
    handed_over: set[uuid.UUID] = set()
    for row in _rows(_WAITING, conversation_ids):
        each = _Waiting(*row)
        each.message_class = classify(each.content, has_history=each.has_history).message_class
        if each.is_with_person or each.conversation_id in handed_over:
            _to_person(each, DispatchRoute.HUMAN)
        elif each.message_class == MessageClass.OUT_OF_SCOPE and _triage(each, to_ai):
            handed_over.add(each.conversation_id)
        else:
            to_ai.append(each)
    if to_ai:
        _to_ai(to_ai)
    return [each.turn_id for each in to_ai]


def _to_ai(waiting: Sequence[_Waiting]) -> None:
    ids = [each.turn_id for each in waiting]
    rows = prepared_rows(_WRITE, [ids, [str(each.message_class) for each in waiting]])
    classes = [name for (name,) in rows]
    transaction.on_commit(lambda: _count(DispatchRoute.AI, *classes))


def _triage(waiting: _Waiting, before: Sequence[_Waiting]) -> bool:
    """Hand a conversation to whoever is at the desk of its space; return whether somebody is.

    Once a conversation: what was given back is not taken away again. Never while an earlier
    message of it is being answered, or will be: people would overtake it. Never a guest's.
    """
    conversation = Conversation.objects.select_related("space", "user").get(
        pk=waiting.conversation_id
    )
    is_first = not any(each.conversation_id == conversation.pk for each in before)
    unfinished = Turn.objects.filter(
        conversation=conversation, status__in=(TurnStatus.QUEUED, TurnStatus.RUNNING)
    ).exclude(message_class="")
    if waiting.is_again or not is_first or conversation.user.is_guest or unfinished.exists():
        return False
    if Handoff.objects.filter(conversation=conversation, origin=HandoffOrigin.TRIAGE).exists():
        return False
    space = space_of(conversation)
    if space is None or not at_desk(space):
        return False
    with translation.override(language_of(conversation, waiting.content)):
        notice = _(
            "Acervo hardly knows anything about this. Somebody is at the desk: they read along"
            " now, and answer in this place."
        )
    if not _to_person(waiting, DispatchRoute.TRIAGE, notice):
        return False  # stopped just now
    handoff_open(
        conversation,
        reason=waiting.content,
        origin=HandoffOrigin.TRIAGE,
        words=waiting.content,
        space=space,
    )
    return True


def _to_person(waiting: _Waiting, route: DispatchRoute, notice: str = "") -> bool:
    """End a turn that people answer; return whether it still waited."""
    rows = Turn.objects.filter(pk=waiting.turn_id, status=TurnStatus.QUEUED, message_class="")
    changed = rows.update(
        message_class=waiting.message_class,
        dispatched_to=route,
        route=TurnRoute.HUMAN,
        status=TurnStatus.COMPLETED,
        trace={"notice": notice} if notice else {},
        finished_at=timezone.now(),
        last_seq=1,
    )
    if not changed:
        return False
    turn = Turn.objects.select_related("answer", "conversation").get(pk=waiting.turn_id)
    log_ended(turn)
    handoff_tell(turn.conversation)
    transaction.on_commit(lambda: _count(route, waiting.message_class))
    return True


def _count(route: str, *classes: str) -> None:
    for each in classes:
        metrics.dispatched.labels(each, route).inc()
