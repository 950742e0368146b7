"""A number that grows with every transaction that wrote something of a conversation.

Triggers note the transactions (migration `history_revisions`): what is written to messages, turns,
citations and feedback by whatever way. The number and the change become visible in one commit.
"""

from __future__ import annotations

from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL

from chat.models import Conversation

FOLDED_AT_ONCE = 10_000

_REVISION = """chat_conversation.revision + (
    SELECT count(*) FROM chat_conversationchange AS change
    WHERE change.conversation_id = chat_conversation.id
)"""


def with_revision(rows: models.QuerySet) -> models.QuerySet:
    """Fetch along with conversations what `revision_of` says of them."""
    number = RawSQL(_REVISION, [], output_field=models.BigIntegerField())  # noqa: S611 - constant
    found: models.QuerySet = rows.annotate(revision_now=number)
    return found


def revision_of(conversation: Conversation) -> int:
    """Return the number as it was when the conversation was read, else as it is now."""
    known: int | None = conversation.__dict__.get("revision_now")
    if known is None:
        rows = with_revision(Conversation.objects.filter(pk=conversation.pk))
        known = rows.values_list("revision_now", flat=True).first() or 0
    return known


def changes_fold() -> int:
    """Count noted changes into the conversations; the sums stay as they are. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT conversation_id FROM chat_conversationchange")
        conversations = [row[0] for row in cursor.fetchall()]
    folded = 0
    for conversation in conversations:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM chat_conversationchange WHERE conversation_id = %s AND transaction ="
                " ANY(ARRAY(SELECT transaction FROM chat_conversationchange"
                " WHERE conversation_id = %s LIMIT %s FOR UPDATE SKIP LOCKED))",
                [conversation, conversation, FOLDED_AT_ONCE],
            )
            gone = cursor.rowcount
            cursor.execute(
                "UPDATE chat_conversation SET revision = revision + %s WHERE id = %s",
                [gone, conversation],
            )
        folded += gone
    return folded
