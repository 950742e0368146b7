"""Beginning a handoff: in which queue, and what it means for the messages that come."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat import metrics
from chat.choices import DispatchRoute, HandoffOrigin, MessageClass, TurnRoute, TurnStatus
from chat.dispatching.classify import classify
from chat.handoff.news import tell_after_commit
from chat.handoff.presence import operators_of
from chat.models import Citation, Conversation, Handoff, Message, Turn
from chat.representation import final_fields
from chat.turn_log.entries import TTL_FINISHED, encode, log_key
from knowledge.languages import detect_language
from knowledge.models import Space
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict
from project.quick_redis import quick
from project.tracing import current_trace_id

LATEST = 10  # turns whose citations say which space a conversation is about
QUEUE_AT_MOST = 20  # spaces that are looked through for somebody


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A message that people answer, or nobody; `notice` is a sentence for whoever wrote it."""

    message_class: MessageClass
    notice: str = ""


class Nobody(Conflict):
    """There is nobody who could answer."""

    def __init__(self) -> None:
        super().__init__(
            _("Nobody answers in person here yet, so you would wait in vain. Ask Acervo."),
            code="no_operator",
        )


class NotForGuests(Nobody):
    """A guest asked for a person."""

    def __init__(self) -> None:
        Conflict.__init__(
            self,
            _("Guests cannot talk to a person here. Sign in first: this conversation comes along."),
            code="guest",
        )


def dispatched(conversation: Conversation, content: str, *, has_people: bool) -> Dispatch | None:
    """Return who answers a message of a locked conversation, when it is not the AI.

    1. While a handoff is open (`has_people`), people do.
    2. Words that ask for a person open one; with nobody there, the person is told.

    That is decided as the message is stored, and by no agent: where none runs, people must be
    reached all the same. Everything else is the dispatcher's (`chat.dispatching`).
    """
    if has_people:
        return Dispatch(classify(content, has_history=True).message_class)
    asked = classify(content, has_history=False).message_class
    if asked != MessageClass.PERSON:
        return None
    try:
        handoff_open(conversation, reason=content, origin=HandoffOrigin.WORDS, words=content)
    except Nobody as nobody:
        return Dispatch(asked, nobody.message)
    notice = _("You asked for a person. They read along here, and answer in this place.")
    return Dispatch(asked, notice)


def handoff_open(
    conversation: Conversation,
    *,
    reason: str,
    origin: HandoffOrigin,
    words: str = "",
    space: Space | None = None,
) -> Handoff:
    """Put a locked conversation in the queue of a space. Raises Nobody when nobody could answer.

    Nobody answers guests: they have no name, and may be gone with the next click.
    """
    if conversation.user.is_guest:
        raise NotForGuests
    chosen = space if space is not None else space_of(conversation)
    if chosen is None or not operators_of(chosen).exists():
        raise Nobody
    handoff = Handoff.objects.create(
        conversation=conversation,
        space=chosen,
        queue=language_of(conversation, words),
        origin=origin,
        reason=" ".join(reason.split())[:500],
    )
    announce("requested", handoff)
    return handoff


def human_turn(
    conversation: Conversation,
    question: Message,
    *,
    message_class: MessageClass | None = None,
    notice: str = "",
    answer: Message | None = None,
    state: Mapping[str, Any] | None = None,
    store: Callable[[Turn], object] = Turn.save,
) -> Turn:
    """Store the turn of a message that people answer, or of their answer; it is over at once.

    A message has a class, an answer none. `store` may store more along with the turn.
    """
    if message_class is not None:
        counter = metrics.dispatched.labels(message_class, DispatchRoute.HUMAN)
        transaction.on_commit(counter.inc)
    turn = Turn(
        conversation=conversation,
        question=question,
        answer=answer,
        route=TurnRoute.HUMAN,
        message_class=message_class or "",
        dispatched_to=DispatchRoute.HUMAN if message_class is not None else "",
        status=TurnStatus.COMPLETED,
        trace={"notice": notice} if notice else {},
        trace_id=current_trace_id(),
        finished_at=timezone.now(),
        last_seq=1,
        **(state or {}),
    )
    store(turn)
    return turn


def log_ended(turn: Turn) -> None:
    """Tell whoever follows the turn that it is over, after the commit."""
    event = encode(turn.pk, turn.last_seq, final_fields(turn))

    def write(client: redis.Redis) -> None:
        pipe = client.pipeline(transaction=True)
        pipe.xadd(log_key(turn.pk), {"e": event.raw, "w": "human"}, id=f"{event.seq}-0")
        pipe.expire(log_key(turn.pk), TTL_FINISHED)
        pipe.execute()

    transaction.on_commit(lambda: quick(write), robust=True)


def handoff_tell(conversation: Conversation) -> None:
    """Tell whoever follows that the person has written, after the commit."""
    rows = Handoff.objects.filter(conversation=conversation).open()
    for handoff_id in rows.values_list("pk", flat=True):
        tell_after_commit(handoff_id)


def announce(what: str, handoff: Handoff) -> None:
    """Write the event of a change, and tell whoever follows."""
    emit(
        f"chat.handoff.{what}",
        {
            "handoff": str(handoff.pk),
            "conversation": str(handoff.conversation_id),
            "status": handoff.status,
            "operator": handoff.operator_name or None,
        },
        space_id=handoff.space_id,
        subject_id=handoff.pk,
    )
    tell_after_commit(handoff.pk)


def space_of(conversation: Conversation) -> Space | None:
    """Return the space of a conversation; of one about all spaces, the one it cites most.

    Then the default one and the others that the person may read: the first where somebody is.
    """
    if conversation.space_id is not None:
        return conversation.space
    user = conversation.user
    spaces = list(
        Space.objects.visible_to(user).order_by("-is_default", "name", "pk")[:QUEUE_AT_MOST]
    )
    turns = Turn.objects.filter(conversation=conversation).order_by("-created_at", "pk")
    cited = Citation.objects.filter(turn__in=turns.values("pk")[:LATEST]).exclude(node=None)
    counts: Counter[uuid.UUID] = Counter(cited.order_by().values_list("node__space", flat=True))
    spaces.sort(key=lambda space: -counts[space.pk])  # stable: of equals the default one
    return next((each for each in spaces if operators_of(each).exists()), None)


def language_of(conversation: Conversation, words: str) -> str:
    """Return the language that the person speaks: their own choice, or that of what they wrote."""
    user: User = conversation.user
    if user.language:
        return user.language
    newest = Message.objects.filter(conversation=conversation, author=None, role="user")
    text = newest.order_by("-created_at", "pk").values_list("content", flat=True)[:3]
    spoken = detect_language(" ".join([words, *text]))
    return spoken if spoken in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
