"""The events of chat that webhooks may ask for: each person's own conversations."""

from django.utils.translation import gettext_lazy as _

from chat.models import Turn
from project.accounts.choices import Scope
from project.accounts.models import User
from project.events.webhooks.registry import Offer, Told, offer


def may_follow_turn(user: User, told: Told) -> bool:
    """Whose conversation it is."""
    return (
        told.subject_id is not None
        and Turn.objects.visible_to(user).filter(pk=told.subject_id).exists()
    )


offer(
    Offer(
        f"chat.{name}",
        text,
        Scope.CHAT,
        may_follow_turn,
        ("turn", "conversation", "message", "question", "answer"),
    )
    for name, text in (
        ("message.received", _("A question came in.")),
        ("turn.completed", _("A question was answered.")),
        ("turn.failed", _("A question could not be answered.")),
        ("turn.stopped", _("An answer was stopped.")),
    )
)
