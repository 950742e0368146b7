"""What changed in conversations, and the content of those that nobody has touched for long."""

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.models.conversations import Conversation


class ConversationChange(models.Model):
    """A transaction in which something of a conversation was written; triggers note it.

    Rows are only added, so that no writer waits for another; `chat.history.revisions` counts them
    into the conversation's `revision` later. No foreign key: a conversation may be gone by then.
    """

    pk = models.CompositePrimaryKey("conversation_id", "transaction")
    conversation_id = models.UUIDField()
    transaction = models.BigIntegerField(help_text=_("The transaction's id in Postgres."))

    class Meta:
        verbose_name = _("change of a conversation")
        verbose_name_plural = _("changes of conversations")

    def __str__(self) -> str:
        return f"{self.conversation_id}: {self.transaction}"


class ColdConversation(models.Model):
    """The texts and traces of a conversation in cold storage (`chat.cold`).

    Its messages, turns and citations stay rows with their ids and links, but are empty: `body`
    has what they held, as compressed JSON. `words` finds the texts meanwhile.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.OneToOneField(
        Conversation, models.CASCADE, related_name="cold", editable=False
    )
    body = models.BinaryField()
    words = SearchVectorField()
    size = models.PositiveBigIntegerField(
        help_text=_("Bytes of the body before it was compressed.")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("conversation in cold storage")
        verbose_name_plural = _("conversations in cold storage")
        indexes = [
            GinIndex(fields=["words"], name="cold_words"),
        ]

    def __str__(self) -> str:
        return str(self.conversation_id)
