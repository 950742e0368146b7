"""Handoffs as JSON: one form for REST and sockets."""

from typing import Any

from chat.handoff.desk import waited
from chat.handoff.presence import at_desk
from chat.models import Handoff


def handoff_body(handoff: Handoff) -> dict[str, Any]:
    """Return a handoff, as the person who asked and operators see it."""
    return {
        "id": str(handoff.pk),
        "conversation": str(handoff.conversation_id),
        "space": str(handoff.space_id),
        "queue": handoff.queue,
        "status": handoff.status,
        "origin": handoff.origin,
        "reason": handoff.reason,
        "operator": {"name": handoff.operator_name} if handoff.operator_name else None,
        "requested_at": handoff.requested_at.isoformat(),
        "assigned_at": handoff.assigned_at.isoformat() if handoff.assigned_at else None,
        "answered_at": handoff.answered_at.isoformat() if handoff.answered_at else None,
        "ended_at": handoff.ended_at.isoformat() if handoff.ended_at else None,
        "waited_seconds": waited(handoff),
    }


def asker_body(handoff: Handoff) -> dict[str, Any]:
    """Return a handoff with what matters to who waits: how many operators are there just now."""
    body = handoff_body(handoff)
    return body | {"at_desk": at_desk(handoff.space) if handoff.is_open else 0}


def listed_body(handoff: Handoff) -> dict[str, Any]:
    """Return a handoff for operators: with who asks, and the newest message.

    Expects `with_newest` and the conversation's user.
    """
    conversation = handoff.conversation
    user = conversation.user
    newest: Any = handoff
    return handoff_body(handoff) | {
        "user": {"name": user.get_full_name() or user.get_username()},
        "title": conversation.title,
        "is_unanswered": bool(handoff.is_open and newest.newest_role == "user"),
        "newest_at": newest.newest_at.isoformat() if newest.newest_at else None,
    }
