"""A question that is sent: once, in the order of its conversation, within limits."""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from chat.choices import MessageRole, TurnRoute
from chat.cold import warmed
from chat.handoff.opening import dispatched, handoff_tell, human_turn, log_ended
from chat.models import Conversation, Message, Turn
from chat.querysets import remember_related
from chat.services._common import absent, as_title
from chat.services._questions import conversation_lock, question_store, surroundings_of
from chat.services.admission import admit, queue
from chat.services.messages import question_announce, turns_stop
from chat.states import state_fields
from knowledge.moments import Moment, moment_of
from project.accounts.models import User
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
    sent = _store(acting_user, conversation_id, content, client_message_id, parent, as_of, release)
    if sent.is_new and sent.turn.route == TurnRoute.HUMAN:
        turns_stop(acting_user=acting_user, conversation_id=conversation_id)
    return sent


@transaction.atomic
def _store(
    acting_user: User,
    conversation_id: uuid.UUID,
    content: str,
    client_message_id: str,
    parent: uuid.UUID | Newest | None,
    as_of: datetime.datetime | None,
    release: str | None,
) -> Sent:
    # The lock puts the messages of a conversation in one order, which "newest" needs. Of equal
    # messages at once the first is counted and stored; for the others it is known.
    locked = conversation_lock(acting_user, conversation_id)
    if locked is None:
        raise absent()
    warmed(locked)  # what was said before goes along with the question
    named = parent if isinstance(parent, uuid.UUID) else None
    around = surroundings_of(locked, client_message_id, named)
    if around.known is not None:
        return _sent_before(around.known, content)
    moment = moment_of(acting_user, as_of=as_of, release=release)
    queue.admit()
    admission = admit(
        user=acting_user,
        conversation_id=locked.pk,
        text=content,
        words=around.words,
        group_limit=around.group_limit,
    )
    if named is not None and not around.has_parent:
        raise Invalid(_("The parent is not a message of this conversation."), field="parent")
    message = Message(
        conversation=locked,
        parent_id=around.newest if parent is NEWEST else named,
        role=MessageRole.USER,
        content=content,
        client_message_id=client_message_id,
    )
    turn = _turn_stored(locked, message, moment, admission.words, has_people=around.has_people)
    # What was made here has nothing more to it: whoever shows it need not ask.
    remember_related(message, turns=[turn])
    remember_related(turn, citations=[])
    return Sent(message, turn, is_new=True, allowance=admission.allowance)


def _turn_stored(
    locked: Conversation,
    message: Message,
    moment: Moment | None,
    words: Sequence[str],
    *,
    has_people: bool,
) -> Turn:
    """Store a question with the turn that answers it: queued, or already over for people."""
    title = as_title(message.content, limit=TITLE_MAX)
    people = dispatched(locked, message.content, has_people=has_people)
    if people is None:
        marked = {"trace": {"guard": {"words": list(words)}}} if words else {}
        turn = Turn(
            conversation=locked,
            question=message,
            trace_id=current_trace_id(),
            **state_fields(moment),
            **marked,
        )
        question_store(message, turn, title=title)
        question_announce(locked, turn)
        return turn
    turn = human_turn(
        locked,
        message,
        message_class=people.message_class,
        notice=people.notice,
        state=state_fields(moment),
        store=lambda turn: question_store(message, turn, title=title),
    )
    question_announce(locked, turn)
    log_ended(turn)
    handoff_tell(locked)
    return turn


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


def _sent_before(message_id: uuid.UUID, content: str) -> Sent:
    """Return what came of a message that has come again. Raises Conflict for another text."""
    message = Message.objects.get(pk=message_id)
    turn = message.turns.with_answers().order_by("created_at", "id").first()
    if message.content != content or turn is None:
        raise Conflict(
            _("This client_message_id was used for another message."),
            code="client_message_id_reused",
            field="client_message_id",
        )
    return Sent(message, turn, is_new=False)
