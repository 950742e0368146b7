"""Conversations that the members of a space may read."""

import uuid

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chat.models.conversations import Conversation, Message
from chat.querysets import ShareQuerySet
from knowledge.models import Space


class Share(models.Model):
    """A link to one path of a conversation, as far as `leaf`, for those who may read a space.

    What is said after that stays its owner's alone. Deleting the row takes the link back.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.OneToOneField(
        Conversation, models.CASCADE, related_name="share", verbose_name=_("conversation")
    )
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="shared_conversations", verbose_name=_("space")
    )
    leaf = models.ForeignKey(
        Message, models.CASCADE, related_name="+", verbose_name=_("last message")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ShareQuerySet.as_manager()

    class Meta:
        verbose_name = _("shared conversation")
        verbose_name_plural = _("shared conversations")
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.conversation} → {self.space}"

    def get_absolute_url(self) -> str:
        """Return the link for the members of the space."""
        return reverse("shared-page", args=[self.pk])
