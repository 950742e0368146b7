"""Reads of the inference app."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict, cast

from django.db.models import Avg, Count, Q, QuerySet, Sum

from project.inference.choices import Outcome, Purpose

if TYPE_CHECKING:
    from project.inference.models import ModelEndpoint, UsageRecord  # noqa: F401


class UsageTotals(TypedDict):
    """Sums over usage rows; milliseconds and money."""

    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal
    latency_ms: float | None


class ModelEndpointQuerySet(QuerySet["ModelEndpoint"]):
    """Endpoints."""

    def active(self) -> "ModelEndpointQuerySet":
        """Keep those in use."""
        return self.filter(is_active=True)

    def chat(self) -> "ModelEndpointQuerySet":
        """Keep language models."""
        return self.filter(purpose=Purpose.CHAT)

    def embedding(self) -> "ModelEndpointQuerySet":
        """Keep embedding models."""
        return self.filter(purpose=Purpose.EMBEDDING)


class UsageRecordQuerySet(QuerySet["UsageRecord"]):
    """Usage rows."""

    def since(self, moment: datetime) -> "UsageRecordQuerySet":
        """Keep calls that ended at `moment` or later."""
        return self.filter(created_at__gte=moment)

    def totals(self) -> UsageTotals:
        """Return the sums over these rows."""
        sums = self.aggregate(
            calls=Count("id"),
            failed=Count("id", filter=~Q(outcome__in=[Outcome.OK, Outcome.CANCELLED])),
            prompt_tokens=Sum("prompt_tokens", default=0),
            completion_tokens=Sum("completion_tokens", default=0),
            cost=Sum("cost", default=Decimal(0)),
            latency_ms=Avg("latency_ms"),
        )
        return cast("UsageTotals", sums)
