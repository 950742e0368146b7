"""What was said earlier in a conversation, in short (`chat.summaries`)."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.models.conversations import Conversation, Message


class ConversationSummary(models.Model):
    """A summary of a branch up to a message. Rows never change; a longer one is a new version.

    It holds for every branch that `last_message` is on, and goes when that message goes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="summaries", verbose_name=_("conversation")
    )
    version = models.PositiveIntegerField(_("version"))
    last_message = models.ForeignKey(
        Message, models.CASCADE, related_name="summaries", verbose_name=_("last message")
    )
    messages = models.PositiveIntegerField(_("messages"))
    text = models.TextField(_("text"))
    model = models.CharField(
        _("model"), max_length=200, blank=True, help_text=_("Empty: sentences of the messages.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("conversation summary")
        verbose_name_plural = _("conversation summaries")
        ordering = ["conversation", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "version"], name="one_summary_a_version"
            ),
            models.UniqueConstraint(fields=["last_message"], name="one_summary_a_message"),
        ]

    def __str__(self) -> str:
        return f"v{self.version}: {self.text[:80]}"
