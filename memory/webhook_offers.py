"""The event of memory that webhooks may ask for: each person's own episodes."""

from django.utils.translation import gettext_lazy as _

from memory.models import Episode
from project.accounts.choices import Scope
from project.accounts.models import User
from project.events.webhooks.registry import Offer, Told, offer


def may_recall(user: User, told: Told) -> bool:
    """Who keeps the episode."""
    return (
        told.subject_id is not None
        and Episode.objects.visible_to(user).filter(pk=told.subject_id).exists()
    )


offer(
    [
        Offer(
            "memory.episode.created",
            _("An episode was kept."),
            Scope.MEMORY_READ,
            may_recall,
            ("episode",),
        )
    ]
)
