"""Handing conversations to people, and back. Every write locks the conversation, then the handoff.

That puts them in one order with the messages of the conversation: one is either before a handoff,
and the AI's to answer, or within it. The person who asks may end it; operators of its space do the
rest.
"""

import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.choices import HandoffOrigin, HandoffStatus, MessageClass, MessageRole
from chat.cold import warmed
from chat.handoff.opening import announce, handoff_open, human_turn, log_ended
from chat.handoff.states import Step, status_after
from chat.models import Conversation, Handoff, Message
from chat.services._common import absent, as_title
from chat.services.messages import turns_stop
from knowledge.models import Space
from project.accounts.models import User
from project.http.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Requested:
    """An open handoff; `is_new` is False when the conversation had one."""

    handoff: Handoff
    is_new: bool


def handoff_request(
    *,
    acting_user: User,
    conversation_id: uuid.UUID,
    reason: str = "",
    space: uuid.UUID | None = None,
    origin: HandoffOrigin = HandoffOrigin.BUTTON,
) -> Requested:
    """Ask for a person: in the space that is named, or in that of the conversation.

    What is being answered is stopped. A conversation without a message begins with the request.
    Raises NotFound, and Conflict (`no_operator`) when nobody could answer.
    """
    requested = _request(acting_user, conversation_id, reason, _space(acting_user, space), origin)
    if requested.is_new:
        turns_stop(acting_user=acting_user, conversation_id=conversation_id)
    return requested


@transaction.atomic
def _request(
    user: User,
    conversation_id: uuid.UUID,
    reason: str,
    space: Space | None,
    origin: HandoffOrigin,
) -> Requested:
    conversation = (
        Conversation.objects.visible_to(user)
        .select_for_update(of=("self",))
        .select_related("space", "user")
        .filter(pk=conversation_id)
        .first()
    )
    if conversation is None:
        raise absent()
    warmed(conversation)
    known = Handoff.objects.filter(conversation=conversation).open().select_related("space").first()
    if known is not None:
        return Requested(known, is_new=False)
    handoff = handoff_open(conversation, reason=reason, origin=origin, words=reason, space=space)
    if not Message.objects.filter(conversation=conversation).exists():
        _begin(conversation, reason)
    return Requested(handoff, is_new=True)


def _begin(conversation: Conversation, reason: str) -> None:
    content = reason.strip() or _("I would like to talk to a person.")
    message = Message.objects.create(
        conversation=conversation, role=MessageRole.USER, content=content
    )
    log_ended(human_turn(conversation, message, message_class=MessageClass.PERSON))
    named = {} if conversation.title else {"title": as_title(content, limit=80)}
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=Now(), **named)


@transaction.atomic
def handoff_assign(*, acting_user: User, handoff_id: uuid.UUID, take_over: bool = False) -> Handoff:
    """Take a conversation; with `take_over` also from whoever has it.

    Raises NotFound, and Conflict: `already_assigned` (somebody else has it), `wrong_status`.
    """
    handoff = _locked(acting_user, handoff_id)
    following = status_after(handoff.status, Step.ASSIGN)
    if handoff.operator_id == acting_user.pk:
        return handoff
    if handoff.operator_id is not None and not take_over:
        message = _("%(name)s has taken this conversation already.")
        raise Conflict(
            message % {"name": handoff.operator_name},
            code="already_assigned",
            details={"operator": handoff.operator_name},
        )
    handoff.status = following
    handoff.operator, handoff.operator_name = acting_user, name_of(acting_user)
    handoff.assigned_at = timezone.now()
    handoff.save(update_fields=["status", "operator", "operator_name", "assigned_at"])
    announce("assigned", handoff)
    return handoff


@transaction.atomic
def handoff_requeue(*, acting_user: User, handoff_id: uuid.UUID) -> Handoff:
    """Put a conversation back for somebody else. Raises NotFound and Conflict."""
    handoff = _locked(acting_user, handoff_id)
    handoff.status = status_after(handoff.status, Step.REQUEUE)
    _own_require(handoff, acting_user)
    handoff.operator, handoff.operator_name, handoff.assigned_at = None, "", None
    handoff.save(update_fields=["status", "operator", "operator_name", "assigned_at"])
    announce("requested", handoff)
    return handoff


@transaction.atomic
def handoff_release(*, acting_user: User, handoff_id: uuid.UUID) -> Handoff:
    """Let the AI answer again; the person who asked may, too. Raises NotFound and Conflict."""
    return _end(acting_user, handoff_id, Step.RELEASE, "released", is_asker_allowed=True)


@transaction.atomic
def handoff_close(*, acting_user: User, handoff_id: uuid.UUID) -> Handoff:
    """End it as settled; a later question is the AI's. Raises NotFound and Conflict."""
    return _end(acting_user, handoff_id, Step.CLOSE, "closed")


def _end(
    user: User, handoff_id: uuid.UUID, step: Step, what: str, *, is_asker_allowed: bool = False
) -> Handoff:
    handoff = _locked(user, handoff_id, is_asker_allowed=is_asker_allowed)
    following = status_after(handoff.status, step)
    is_asker = is_asker_allowed and handoff.conversation.user_id == user.pk
    if handoff.status == HandoffStatus.ACTIVE and not is_asker:
        _own_require(handoff, user)
    handoff.status, handoff.ended_at = following, timezone.now()
    handoff.save(update_fields=["status", "ended_at"])
    announce(what, handoff)
    return handoff


def handoff_lock(user: User, handoff_id: uuid.UUID) -> Handoff:
    """Return a locked handoff that is the operator's to answer, its conversation locked before.

    Raises NotFound, and Conflict: `wrong_status`, `not_assigned`.
    """
    handoff = _locked(user, handoff_id)
    status_after(handoff.status, Step.ANSWER)
    _own_require(handoff, user)
    return handoff


def name_of(user: User) -> str:
    """Return what a person is called in a conversation."""
    return (user.get_full_name() or user.get_username())[:150]


def _locked(user: User, handoff_id: uuid.UUID, *, is_asker_allowed: bool = False) -> Handoff:
    gates = [Handoff.objects.visible_to(user)]
    if is_asker_allowed:
        gates.append(Handoff.objects.asked_by(user))
    found = (
        rows.filter(pk=handoff_id).values_list("conversation", flat=True).first() for rows in gates
    )
    known = next((each for each in found if each is not None), None)
    if known is None:
        raise absent()
    Conversation.objects.select_for_update().filter(pk=known).values_list("pk").first()
    handoff = (
        Handoff.objects.select_for_update(of=("self",))
        .select_related("conversation__user", "space")
        .filter(pk=handoff_id)
        .first()
    )
    if handoff is None:
        raise absent()
    return handoff


def _own_require(handoff: Handoff, user: User) -> None:
    if handoff.operator_id != user.pk:
        raise Conflict(
            _("Somebody else has this conversation: take it over first."),
            code="not_assigned",
            details={"operator": handoff.operator_name},
        )


def _space(user: User, space: uuid.UUID | None) -> Space | None:
    if space is None:
        return None
    found: Space | None = Space.objects.visible_to(user).filter(pk=space).first()
    if found is None:
        raise NotFound(_("There is no such space, or it is not yours to see."), field="space")
    return found
