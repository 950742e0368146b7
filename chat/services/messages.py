"""Questions that are there: asked again, stopped. How they come is in `sending`."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat import stopping
from chat.choices import FINAL_STATUSES, MessageRole, TurnStatus
from chat.models import Conversation, Handoff, Message, Turn
from chat.representation import final_fields
from chat.services._common import absent
from chat.services.admission import allowance_use, queue
from chat.states import state_fields
from knowledge.moments import moment_of
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict, Invalid
from project.tracing import current_trace_id


def message_regenerate(*, acting_user: User, message: Message) -> Turn:
    """Queue another answering of a question, or of the question that an answer answers.

    It asks the same state of knowledge as the one before. Raises NotFound, Invalid, TooMany.
    """
    question = message.parent if message.role == MessageRole.ASSISTANT else message
    is_by_person = bool(message.author_name)
    if question is None or question.role != MessageRole.USER or is_by_person:
        raise Invalid(_("Only a question or its answer can be answered again."))
    queue.admit()
    allowance_use(acting_user)
    with transaction.atomic():
        conversation = (
            Conversation.objects.visible_to(acting_user)
            .select_for_update()
            .filter(pk=message.conversation_id)
            .first()
        )
        if conversation is None:
            raise absent()
        if Handoff.objects.filter(conversation=conversation).open().exists():
            raise Conflict(
                _("A person answers this conversation now: give it back to Acervo first."),
                code="handoff_open",
            )
        return _queue(conversation, question, _state_again(acting_user, message, question))


def _state_again(user: User, message: Message, question: Message) -> dict[str, Any]:
    """Return the state that the answer, or the newest answering of the question, was asked of."""
    turns = Turn.objects.filter(question=question)
    if message.role == MessageRole.ASSISTANT:
        turns = turns.filter(answer=message)
    before = turns.order_by("-created_at", "id").first()
    if before is None or before.as_of is None:
        return {}
    if not before.release_name:
        return state_fields(moment_of(user, as_of=before.as_of))
    # By its id, or, once it is gone, by its name: then the refusal says that it is.
    wanted = str(before.release_id) if before.release_id else before.release_name
    return state_fields(moment_of(user, release=wanted))


def turns_stop(*, acting_user: User, conversation_id: uuid.UUID) -> None:
    """Stop what is being answered, or will be, in a conversation that people have taken over.

    Not in the transaction that hands it over: whoever finishes a turn locks it before the
    conversation.
    """
    rows = Turn.objects.visible_to(acting_user).filter(conversation=conversation_id)
    unfinished = rows.exclude(status__in=FINAL_STATUSES).order_by("created_at", "pk")
    for turn_id in list(unfinished.values_list("pk", flat=True)):
        turn_stop(acting_user=acting_user, turn_id=turn_id)


def turn_stop(*, acting_user: User, turn_id: uuid.UUID) -> Turn:
    """Stop a turn: a queued one at once, a running one as soon as its agent hears of it.

    Stopping what is over changes nothing.
    """
    with transaction.atomic():
        turn = (
            Turn.objects.visible_to(acting_user)
            .select_related("conversation")
            .select_for_update(of=("self",))
            .filter(pk=turn_id)
            .first()
        )
        if turn is None:
            raise absent()
        if turn.status in FINAL_STATUSES:
            return turn
        turn.stop_requested_at = turn.stop_requested_at or timezone.now()
        if turn.status == TurnStatus.QUEUED:
            _end_queued(turn)
        turn.save()
    stopping.signal_stop(turn.pk)
    return turn


def _end_queued(turn: Turn) -> None:
    turn.status = TurnStatus.STOPPED
    turn.finished_at = timezone.now()
    turn.last_seq += 1
    emit(
        "chat.turn.stopped",
        {
            "turn": str(turn.pk),
            "conversation": str(turn.conversation_id),
            "question": str(turn.question_id),
            "answer": None,
        },
        space_id=turn.conversation.space_id,
        subject_id=turn.pk,
    )
    fields = final_fields(turn)
    transaction.on_commit(lambda: stopping.log_final(turn.pk, turn.last_seq, fields), robust=True)


def _queue(conversation: Conversation, question: Message, state: Mapping[str, Any]) -> Turn:
    turn = Turn.objects.create(
        conversation=conversation, question=question, trace_id=current_trace_id(), **state
    )
    question_announce(conversation, turn)
    return turn


def question_announce(conversation: Conversation, turn: Turn) -> None:
    """Write the event of a question that waits for an answer, or has it already."""
    emit(
        "chat.message.received",
        {
            "conversation": str(conversation.pk),
            "message": str(turn.question_id),
            "turn": str(turn.pk),
        },
        space_id=conversation.space_id,
        subject_id=turn.pk,
    )
