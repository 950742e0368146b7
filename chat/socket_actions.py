"""What the chat socket does in the database, each in one visit of one thread."""

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from chat.connections import may_follow
from chat.models import Conversation, Turn
from chat.representation import message_body, turn_body
from chat.services import Newest, Sent, message_send, turn_stop
from knowledge.moments import time_of
from project.accounts.choices import Scope
from project.accounts.models import User
from project.accounts.ws import SocketCaller, user_of
from project.http.errors import Invalid
from project.http.rates import allowance_body
from project.http.sockets import NOT_SIGNED_IN, NOT_YOURS


class Over(Exception):
    """The connection has to end with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def examined(
    caller: SocketCaller | None,
    conversation_id: uuid.UUID | None,
    action: Callable[..., Any] | None,
    args: tuple[Any, ...],
    user: User | None,
) -> tuple[str, Any]:
    """Check, then act, in one go; return the person's language and what the action returned."""
    if user is None and caller is not None:
        user = user_of(caller)
    if user is None or caller is None:
        raise Over(NOT_SIGNED_IN)
    rows = Conversation.objects.visible_to(user)
    is_theirs = conversation_id is not None and rows.filter(pk=conversation_id).exists()
    if not is_theirs or not caller.has_scope(Scope.CHAT):
        raise Over(NOT_YOURS)
    language = user.language or caller.language or settings.LANGUAGE_CODE
    with translation.override(language):
        return language, action(user, *args) if action is not None else None


def stored(
    user: User,
    conversation_id: uuid.UUID,
    content: str,
    client_id: str,
    parent: uuid.UUID | Newest | None,
    as_of: str | None,
    release: str | None,
) -> tuple[Sent, dict[str, Any]]:
    """Store a question; return it and what tells the client so."""
    sent = message_send(
        acting_user=user,
        conversation_id=conversation_id,
        content=content,
        client_message_id=client_id,
        parent=parent,
        as_of=None if as_of is None else time_of(as_of),
        release=release,
    )
    return sent, {
        "type": "message.accepted",
        "client_message_id": client_id,
        "message": message_body(sent.message),
        "turn": turn_body(sent.turn),
        "allowance": allowance_body(sent.allowance),
    }


def found(user: User, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> None:
    """Raise Invalid unless the turn is one of the conversation that the user may follow."""
    rows = Turn.objects.visible_to(user).filter(conversation=conversation_id, pk=turn_id)
    turn = rows.select_related("conversation").first()
    if turn is None or not may_follow(user, turn):
        raise Invalid(_("There is no such turn in this conversation."), code="not_found")


def stopped(user: User, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> None:
    """Stop a turn of the conversation."""
    found(user, conversation_id, turn_id)
    turn_stop(acting_user=user, turn_id=turn_id)
