"""Reads of attachments: they are their conversation's, and so one person's alone."""

from typing import Self

from chat.querysets import ConversationScopedQuerySet


class AttachmentQuerySet(ConversationScopedQuerySet):
    """Chainable reads of attachments."""

    def without_content(self) -> Self:
        """Leave out what a list does not show: the bytes, and the text."""
        return self.defer("data", "content")
