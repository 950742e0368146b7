"""Conversations, and what people think of the answers in them."""

import uuid
from typing import Any

from django.utils.translation import gettext as _

from chat import stopping
from chat.answer_cache.keeping import answer_refuse
from chat.choices import MessageRole, TurnStatus
from chat.models import Conversation, Feedback, Message, Turn
from chat.services._common import as_title
from knowledge.models import Space
from project.accounts.models import User
from project.http.errors import Invalid, NotFound
from project.inference.choices import Tier


def conversation_create(
    *,
    acting_user: User,
    space: uuid.UUID | None = None,
    title: str = "",
    model_tier: str = "",
) -> Conversation:
    """Start a conversation; without a space it asks all that the user may read."""
    return Conversation.objects.create(
        user=acting_user,
        space=_space(acting_user, space),
        title=as_title(title),
        model_tier=_tier(model_tier),
    )


def conversation_update(
    *, acting_user: User, conversation: Conversation, **changes: Any
) -> Conversation:
    """Change `title`, `model_tier` or `space` of a conversation."""
    if "title" in changes:
        conversation.title = as_title(changes["title"])
    if "model_tier" in changes:
        conversation.model_tier = _tier(changes["model_tier"])
    if "space" in changes:
        conversation.space = _space(acting_user, changes["space"])
    conversation.save(update_fields=["title", "model_tier", "space"])
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


def feedback_give(*, acting_user: User, message: Message, value: int, reason: str = "") -> Feedback:
    """Say that an answer was good (1) or bad (-1); the last word counts."""
    if message.role != MessageRole.ASSISTANT:
        raise Invalid(_("Only answers take feedback."), field="value")
    row, _created = Feedback.objects.update_or_create(
        message=message, user=acting_user, defaults={"value": value, "reason": reason}
    )
    turn = Turn.objects.filter(answer=message).first()
    if value < 0 and turn is not None:
        answer_refuse(turn)
    return row


def _space(user: User, space: uuid.UUID | None) -> Space | None:
    if space is None:
        return None
    found = Space.objects.visible_to(user).filter(pk=space).first()
    if found is None:
        raise NotFound(_("There is no such space, or it is not yours to see."), field="space")
    return found


def _tier(tier: str) -> str:
    if tier and tier not in Tier.values:
        raise Invalid(
            _("The model tier must be one of: %(tiers)s.") % {"tiers": ", ".join(Tier.values)},
            field="model_tier",
        )
    return tier
