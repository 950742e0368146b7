"""Questions and their turns: asked, asked again, stopped."""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat import stopping
from chat.choices import FINAL_STATUSES, MessageRole, TurnRoute, TurnStatus
from chat.cold import warmed
from chat.handoff.opening import dispatched, handoff_tell, human_turn, log_ended
from chat.models import Conversation, Handoff, Message, Turn
from chat.querysets import remember_related
from chat.representation import final_fields
from chat.services._common import absent, as_title
from chat.services.admission import admit, allowance_use, queue
from chat.states import state_fields
from knowledge.moments import Moment, moment_of
from project.accounts.models import User
from project.events.services import emit
from project.guarding import cleaned
from project.http.errors import Conflict, Invalid
from project.ratelimit import RateState
from project.tracing import current_trace_id

CLIENT_ID_MAX = 100
TITLE_MAX = 80


class Newest(Enum):
    """Stands for "under the newest message", which is not the same as under none."""

    MESSAGE = "newest"


NEWEST = Newest.MESSAGE


@dataclass(frozen=True, slots=True)
class Sent:
    """A stored message and its turn; `is_new` is False when it had been sent before.

    `allowance` is what is left of the person's limit, None where there is none.
    """

    message: Message
    turn: Turn
    is_new: bool
    allowance: RateState | None = None


def message_send(
    *,
    acting_user: User,
    conversation_id: uuid.UUID,
    content: str,
    client_message_id: str,
    parent: uuid.UUID | Newest | None = NEWEST,
    as_of: datetime.datetime | None = None,
    release: str | None = None,
) -> Sent:
    """Store a question and queue its turn; the same client id again returns the first's.

    `as_of` (a moment of the past) or `release` (an id or a name) asks that state of knowledge.
    Unseen characters are taken out of the text. Raises NotFound, Invalid, TooMany, Unavailable, and
    Conflict when the client id stands for another text.
    """
    content = _checked_text(content, client_message_id)
    conversation = Conversation.objects.visible_to(acting_user).filter(pk=conversation_id).first()
    if conversation is None:
        raise absent()
    known = _sent_before(conversation, content, client_message_id)
    if known is not None:
        return known
    moment = moment_of(acting_user, as_of=as_of, release=release)
    queue.admit()
    try:
        sent = _store(acting_user, conversation, content, client_message_id, parent, moment)
    except IntegrityError:
        known = _sent_before(conversation, content, client_message_id)
        if known is None:
            raise
        return known
    if sent.is_new and sent.turn.route == TurnRoute.HUMAN:
        turns_stop(acting_user=acting_user, conversation_id=conversation_id)
    return sent


@transaction.atomic
def _store(
    acting_user: User,
    conversation: Conversation,
    content: str,
    client_message_id: str,
    parent: uuid.UUID | Newest | None,
    moment: Moment | None,
) -> Sent:
    # The lock puts the messages of a conversation in one order, which "newest" needs.
    # Whose it is, too: what a guest asked may have been claimed meanwhile.
    mine = Conversation.objects.filter(pk=conversation.pk, user=acting_user)
    locked = mine.select_for_update().first()
    if locked is None:
        raise absent()
    warmed(locked)  # what was said before goes along with the question
    # Of equal messages at once the first is counted; the others are here when it is stored.
    known = _sent_before(locked, content, client_message_id)
    if known is not None:
        return known
    admission = admit(
        user=acting_user, conversation_id=locked.pk, space_id=locked.space_id, text=content
    )
    message = Message.objects.create(
        conversation=locked,
        parent_id=_parent(locked, parent),
        role=MessageRole.USER,
        content=content,
        client_message_id=client_message_id,
    )
    people = dispatched(locked, content)
    if people is None:
        marked = {"trace": {"guard": {"words": list(admission.words)}}} if admission.words else {}
        turn = _queue(locked, message, {**state_fields(moment), **marked})
    else:
        turn = human_turn(
            locked,
            message,
            message_class=people.message_class,
            notice=people.notice,
            state=state_fields(moment),
        )
        _received(locked, turn)
    named = {"title": as_title(content, limit=TITLE_MAX)} if not locked.title else {}
    fresh = {"updated_at": Now(), "archived_at": None}
    Conversation.objects.filter(pk=locked.pk).update(**fresh, **named)
    # What was made here has nothing more to it: whoever shows it need not ask.
    remember_related(message, turns=[turn])
    remember_related(turn, citations=[])
    if people is not None:
        log_ended(turn)
        handoff_tell(locked)
    return Sent(message, turn, is_new=True, allowance=admission.allowance)


def _queue(conversation: Conversation, question: Message, state: Mapping[str, Any]) -> Turn:
    turn = Turn.objects.create(
        conversation=conversation, question=question, trace_id=current_trace_id(), **state
    )
    _received(conversation, turn)
    return turn


def _received(conversation: Conversation, turn: Turn) -> None:
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


def _parent(conversation: Conversation, parent: uuid.UUID | Newest | None) -> uuid.UUID | None:
    messages = Message.objects.filter(conversation=conversation)
    if parent is NEWEST:
        return messages.order_by("-created_at", "-id").values_list("pk", flat=True).first()
    if parent is not None and not messages.filter(pk=parent).exists():
        raise Invalid(_("The parent is not a message of this conversation."), field="parent")
    return parent


def _checked_text(content: str, client_message_id: str) -> str:
    """Return a text as it may be kept. Raises Invalid."""
    for name, text in (("content", content), ("client_message_id", client_message_id)):
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise Invalid(_("The text holds characters that cannot be stored."), field=name)
    content = cleaned(content).text
    limit = settings.ACERVO_MESSAGE_MAX_CHARS
    if not content.strip():
        raise Invalid(_("The message is empty."), field="content", code="empty_message")
    if len(content) > limit:
        raise Invalid(
            _("The message has %(count)s characters; %(limit)s are allowed.")
            % {"count": len(content), "limit": limit},
            field="content",
            code="message_too_long",
        )
    if not 0 < len(client_message_id) <= CLIENT_ID_MAX:
        raise Invalid(
            _("client_message_id must have 1 to 100 characters."), field="client_message_id"
        )
    return content


def _sent_before(conversation: Conversation, content: str, client_message_id: str) -> Sent | None:
    message = Message.objects.filter(
        conversation=conversation, client_message_id=client_message_id
    ).first()
    if message is None:
        return None
    if message.content != content:
        raise Conflict(
            _("This client_message_id was used for another message."),
            code="client_message_id_reused",
            field="client_message_id",
        )
    turn = message.turns.with_answers().order_by("created_at", "id").first()
    return Sent(message, turn, is_new=False) if turn is not None else None


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
