"""Conversations in the hands of a person (`chat.handoff`)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chat.choices import OPEN_HANDOFFS, HandoffOrigin, HandoffStatus
from chat.handoff.querysets import HandoffQuerySet
from chat.models.conversations import Conversation
from knowledge.models import Space


class Handoff(models.Model):
    """One time that a conversation is answered by people instead of the AI.

    It waits in the queue of a space and a language. Its way is `chat.handoff.states`; a space
    that is deleted takes its handoffs along, and the AI answers again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="handoffs", verbose_name=_("conversation")
    )
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="handoffs", verbose_name=_("space")
    )
    queue = models.CharField(
        _("language"), max_length=10, help_text=_("The language of the person who asks.")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=HandoffStatus.choices, default=HandoffStatus.WAITING
    )
    origin = models.CharField(_("asked by"), max_length=10, choices=HandoffOrigin.choices)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="handoffs",
        verbose_name=_("operator"),
    )
    operator_name = models.CharField(
        _("operator"), max_length=150, blank=True, help_text=_("It outlives the account.")
    )
    requested_at = models.DateTimeField(_("requested"), auto_now_add=True)
    assigned_at = models.DateTimeField(_("assigned"), null=True, blank=True)
    answered_at = models.DateTimeField(_("first answer"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = HandoffQuerySet.as_manager()

    class Meta:
        verbose_name = _("handoff")
        verbose_name_plural = _("handoffs")
        ordering = ["-requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(status__in=OPEN_HANDOFFS),
                name="one_open_handoff_a_conversation",
            ),
            models.CheckConstraint(
                condition=Q(status__in=OPEN_HANDOFFS, ended_at=None)
                | (~Q(status__in=OPEN_HANDOFFS) & Q(ended_at__isnull=False)),
                name="handoff_ends_when_it_is_over",
            ),
            models.CheckConstraint(
                condition=~Q(status=HandoffStatus.ACTIVE) | Q(assigned_at__isnull=False),
                name="handoff_is_active_with_somebody",
            ),
        ]
        indexes = [
            models.Index(  # the queues
                fields=["space", "requested_at"],
                condition=Q(status__in=OPEN_HANDOFFS),
                name="handoff_queue",
            ),
            models.Index(fields=["-requested_at", "id"], name="handoff_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation}: {self.get_status_display()}"

    @property
    def is_open(self) -> bool:
        """Whether people answer."""
        return self.status in OPEN_HANDOFFS
