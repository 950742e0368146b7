"""Reads of events."""

import datetime
from typing import Self

from django.db import models
from django.utils import timezone


class EventQuerySet(models.QuerySet):
    """Chainable reads of events."""

    def unsettled(self) -> Self:
        """Keep the events that some subscriber may still have to apply."""
        return self.filter(settled_at=None, failed_at=None)

    def to_relay(self) -> Self:
        """Keep the unsettled events whose time to be sent again has come, longest due first."""
        return self.unsettled().filter(relay_at__lte=timezone.now()).order_by("relay_at")

    def given_up(self) -> Self:
        """Keep the events that a subscriber failed to apply too often; a person must look."""
        return self.filter(settled_at=None).exclude(failed_at=None)

    def settled_before(self, moment: datetime.datetime) -> Self:
        """Keep what nobody needs any more: settled events older than `moment`."""
        return self.filter(created_at__lt=moment).exclude(settled_at=None)
