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
from chat.services import Absent, Newest, Sent, message_send, turn_stop
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
    user, language = _admitted(caller, user)
    rows = Conversation.objects.visible_to(user)
    if conversation_id is None or not rows.filter(pk=conversation_id).exists():
        raise Over(NOT_YOURS)
    with translation.override(language):
        return language, action(user, *args) if action is not None else None


def _admitted(caller: SocketCaller | None, user: User | None) -> tuple[User, str]:
    """Return who acts, and their language. Raises Over when they may not be here any more."""
    if user is None and caller is not None:
        user = user_of(caller)
    if user is None or caller is None:
        raise Over(NOT_SIGNED_IN)
    if not caller.has_scope(Scope.CHAT):
        raise Over(NOT_YOURS)
    return user, user.language or caller.language or settings.LANGUAGE_CODE


def asked(
    caller: SocketCaller | None,
    conversation_id: uuid.UUID | None,
    content: str,
    client_id: str,
    parent: uuid.UUID | Newest | None,
    as_of: str | None,
    release: str | None,
) -> tuple[str, tuple[Sent, dict[str, Any]]]:
    """Check and store a question; return the person's language, it, and what tells the client so.

    Whose the conversation is, is decided as it is locked. Raises Over.
    """
    user, language = _admitted(caller, None)
    if conversation_id is None:
        raise Over(NOT_YOURS)
    with translation.override(language):
        try:
            sent = message_send(
                acting_user=user,
                conversation_id=conversation_id,
                content=content,
                client_message_id=client_id,
                parent=parent,
                as_of=None if as_of is None else time_of(as_of),
                release=release,
            )
        except Absent:
            raise Over(NOT_YOURS) from None
        return language, (sent, _accepted(sent, client_id))


def _accepted(sent: Sent, client_id: str) -> dict[str, Any]:
    return {
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
