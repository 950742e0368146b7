"""Reads of webhooks. A webhook is its owner's alone; superusers see all."""

from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from project.accounts.models import User
from project.events.choices import DeliveryStatus, DisabledReason

Reader = User | AnonymousUser


def _rows_behind(model: type[models.Model], field: str) -> Any:
    related: Any = model._meta.get_field(field).related_model
    return related._default_manager


class WebhookQuerySet(models.QuerySet):
    """Chainable reads of webhooks."""

    def visible_to(self, user: Reader) -> Self:
        """Keep a user's own webhooks; all for superusers."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self if user.is_superuser else self.filter(owner=user)

    def switched_off(self) -> Self:
        """Keep the webhooks that were switched off because of their receivers."""
        reasons = [DisabledReason.FAILING, DisabledReason.GONE]
        return self.filter(is_enabled=False, disabled_reason__in=reasons)

    def due(self) -> Self:
        """Keep the webhooks that have something to send now, and that nobody sends for."""
        waiting = _rows_behind(self.model, "deliveries")
        return self.filter(
            Q(pause_until=None) | Q(pause_until__lte=Now()),
            Q(lease_until=None) | Q(lease_until__lte=Now()),
            models.Exists(waiting.due().filter(webhook=models.OuterRef("pk"))),
            is_enabled=True,
        )


class DeliveryQuerySet(models.QuerySet):
    """Chainable reads of deliveries."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the deliveries of the webhooks that a user may see."""
        return self.filter(webhook__in=_rows_behind(self.model, "webhook").visible_to(user))

    def due(self) -> Self:
        """Keep what is to be sent by now."""
        return self.filter(status=DeliveryStatus.WAITING, next_attempt_at__lte=Now())
