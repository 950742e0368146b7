"""Reads of accounts."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ApiKeyQuerySet(models.QuerySet):
    """Chainable reads of API keys."""

    def usable(self) -> "ApiKeyQuerySet":
        """Keep the keys that are neither revoked nor past their expiry, of active people."""
        now = timezone.now()
        return self.filter(revoked_at=None, user__is_active=True, user__is_guest=False).filter(
            Q(expires_at=None) | Q(expires_at__gt=now)
        )
