"""Reads of chat: a conversation is its owner's alone."""

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from project.accounts.models import User

Reader = User | AnonymousUser


class ConversationQuerySet(models.QuerySet):
    """Chainable reads of conversations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the conversations of `user`."""
        return self.filter(user=user) if user.is_authenticated else self.none()


class ConversationScopedQuerySet(models.QuerySet):
    """Reads of rows that hang on a conversation."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the rows of the conversations of `user`."""
        return self.filter(conversation__user=user) if user.is_authenticated else self.none()
