"""Reads of memory: a person sees their own, and nobody else's."""

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from project.accounts.models import User


class EpisodeQuerySet(models.QuerySet):
    """Chainable reads of episodes."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Keep the episodes kept by `user`."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(user=user)

    def about(self, subject: str) -> Self:
        """Keep the episodes about one subject; the empty one is the user."""
        return self.filter(subject=subject)
