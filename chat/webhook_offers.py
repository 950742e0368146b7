"""The events of chat that webhooks may ask for: own conversations, and queues one may answer."""

from django.utils.translation import gettext_lazy as _

from chat.models import Handoff, Turn
from knowledge.models import Space
from project.accounts.choices import Role, Scope
from project.accounts.models import User
from project.events.webhooks.registry import Offer, Told, offer


def may_follow_turn(user: User, told: Told) -> bool:
    """Whose conversation it is."""
    return (
        told.subject_id is not None
        and Turn.objects.visible_to(user).filter(pk=told.subject_id).exists()
    )


def may_follow_handoff(user: User, told: Told) -> bool:
    """Whose conversation it is, and the operators of its queue."""
    if told.subject_id is None:
        return False
    gates = (Handoff.objects.asked_by(user), Handoff.objects.visible_to(user))
    return any(rows.filter(pk=told.subject_id).exists() for rows in gates)


def may_follow_budget(user: User, told: Told) -> bool:
    """The managers of the space, and whoever may change budgets."""
    if user.is_active and user.has_perm("inference.change_spacebudget"):
        return True
    managed = Space.objects.with_role(user, Role.MANAGER)
    return told.space_id is not None and managed.filter(pk=told.space_id).exists()


offer(
    Offer(
        f"inference.budget.{name}",
        text,
        Scope.KNOWLEDGE_READ,
        may_follow_budget,
        ("space", "month", "percent", "tokens", "cost"),
    )
    for name, text in (
        ("nearly_used_up", _("80 % of a month’s budget of a space are used.")),
        ("used_up", _("A month’s budget of a space is used up.")),
    )
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
offer(
    Offer(
        f"chat.handoff.{name}",
        text,
        Scope.CHAT,
        may_follow_handoff,
        ("handoff", "conversation", "status", "operator"),
    )
    for name, text in (
        ("requested", _("Somebody waits for a person.")),
        ("assigned", _("A person took a conversation.")),
        ("released", _("A conversation was given back to the AI.")),
        ("closed", _("A person closed a conversation.")),
    )
)
