"""Reads of events."""

import datetime
from typing import Self

from django.db import models
from django.utils import timezone


class EventQuerySet(models.QuerySet):
    """Chainable reads of events."""

    def unsettled(self, *, older_than: datetime.timedelta) -> Self:
        """Keep the events that some subscriber may not have applied after that time."""
        return self.filter(
            settled_at=None, failed_at=None, created_at__lt=timezone.now() - older_than
        ).order_by("position")
