"""Conversations, and what people think of the answers in them."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat import stopping
from chat.answer_cache.keeping import answer_refuse
from chat.choices import REASONS_OF, MessageRole, TurnStatus
from chat.models import Conversation, Feedback, Message, Turn
from chat.services._common import as_title, space_of
from chat.services.guests import guest_conversation_create
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Forbidden, Invalid
from project.inference.choices import Tier


def conversation_create(
    *,
    acting_user: User,
    space: uuid.UUID | None = None,
    title: str = "",
    model_tier: str = "",
) -> Conversation:
    """Start a conversation; without a space it asks all that the user may read."""
    if acting_user.is_guest:
        if model_tier:
            raise Forbidden(_("Sign in to choose a model."), field="model_tier")
        return guest_conversation_create(guest=acting_user, space=space, title=title)
    return Conversation.objects.create(
        user=acting_user,
        space=space_of(acting_user, space),
        title=as_title(title),
        model_tier=_tier(model_tier),
    )


def conversation_update(
    *, acting_user: User, conversation: Conversation, **changes: Any
) -> Conversation:
    """Change `title`, `model_tier`, `space`, `pinned` or `archived` of a conversation."""
    fields: dict[str, Any] = {}
    if "title" in changes:
        fields["title"] = as_title(changes["title"])
    if "model_tier" in changes:
        if acting_user.is_guest:
            raise Forbidden(_("Sign in to choose a model."), field="model_tier")
        fields["model_tier"] = _tier(changes["model_tier"])
    if "space" in changes:
        fields["space"] = space_of(acting_user, changes["space"])
    for name in ("pinned", "archived"):
        if name in changes:
            since = getattr(conversation, f"{name}_at") or timezone.now()
            fields[f"{name}_at"] = since if changes[name] else None
    for name, value in fields.items():
        setattr(conversation, name, value)
    # Only these: a question that is sent meanwhile names the conversation and brings it back.
    conversation.save(update_fields=list(fields))
    return conversation


def conversation_delete(*, acting_user: User, conversation: Conversation) -> None:
    """Delete a conversation with all that hangs on it; what is being answered is broken off."""
    running = list(
        Turn.objects.visible_to(acting_user)
        .filter(conversation=conversation, status=TurnStatus.RUNNING)
        .values_list("pk", flat=True)
    )
    Conversation.objects.visible_to(acting_user).filter(pk=conversation.pk).delete()
    for turn_id in running:
        stopping.signal_stop(turn_id)


@transaction.atomic
def feedback_give(
    *,
    acting_user: User,
    message: Message,
    value: int,
    reasons: Sequence[str] = (),
    reason: str = "",
) -> Feedback:
    """Say that an answer was good (1) or bad (-1), and why; the last word counts."""
    if message.role != MessageRole.ASSISTANT:
        raise Invalid(_("Only answers take feedback."), field="value")
    if not set(reasons) <= set(REASONS_OF[value]):
        raise Invalid(_("These reasons do not fit the value."), field="reasons")
    chosen = [each for each in REASONS_OF[value] if each in reasons]
    row, _created = Feedback.objects.update_or_create(
        message=message,
        user=acting_user,
        defaults={"value": value, "reasons": chosen, "reason": reason},
    )
    turn = Turn.objects.filter(answer=message).first()
    if turn is not None:
        if value < 0:
            answer_refuse(turn)
        emit(
            "chat.feedback.given",
            {"turn": str(turn.pk), "message": str(message.pk), "value": value},
            space_id=message.conversation.space_id,
            subject_id=turn.pk,
        )
    return row


def _tier(tier: str) -> str:
    if tier and tier not in Tier.values:
        raise Invalid(
            _("The model tier must be one of: %(tiers)s.") % {"tiers": ", ".join(Tier.values)},
            field="model_tier",
        )
    return tier
