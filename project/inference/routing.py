"""Which endpoint to ask, in which order."""

import random
from collections.abc import Iterable, Sequence
from uuid import UUID

from project.inference.choices import Tier
from project.inference.models import ModelEndpoint

TIERS: tuple[str, ...] = (Tier.SIMPLE, Tier.MODERATE, Tier.COMPLEX)
"""The less capable first."""
# The wanted tier first; then whatever may still answer, the more capable before the less.
_ORDER: dict[str, tuple[str, ...]] = {
    Tier.SIMPLE: (Tier.SIMPLE, Tier.MODERATE, Tier.COMPLEX),
    Tier.MODERATE: (Tier.MODERATE, Tier.COMPLEX, Tier.SIMPLE),
    Tier.COMPLEX: (Tier.COMPLEX, Tier.MODERATE, Tier.SIMPLE),
}


def chat_endpoints(tier: str, *, first: UUID | None = None, above: str = "") -> list[ModelEndpoint]:
    """Return the active language models in the order to try them. One query.

    The endpoint `first`, where it is active, comes before all others. With `above` only those of
    more capable tiers than that count, the nearest tier first: none may be left.
    """
    endpoints = ordered(ModelEndpoint.objects.active().chat(), tier)
    if above:
        higher = TIERS[TIERS.index(above) + 1 :]
        return [each for wanted in higher for each in endpoints if each.tier == wanted]
    return sorted(endpoints, key=lambda each: each.pk != first) if first else endpoints


def ordered(endpoints: Iterable[ModelEndpoint], tier: str) -> list[ModelEndpoint]:
    """Sort by tier; within a tier by a weighted draw, stand-bys (weight 0) last."""
    tiers = _ORDER.get(tier, _ORDER[Tier.MODERATE])
    pool: Sequence[ModelEndpoint] = list(endpoints)
    return [
        endpoint
        for each in tiers
        for endpoint in sorted(
            (candidate for candidate in pool if candidate.tier == each), key=_draw, reverse=True
        )
    ]


def _draw(endpoint: ModelEndpoint) -> tuple[bool, float]:
    # Sorting by u^(1/weight) draws without replacement by weight (Efraimidis and Spirakis, 2006).
    if not endpoint.weight:
        return False, random.random()  # noqa: S311 - shares load, guards nothing
    return True, random.random() ** (1 / endpoint.weight)  # noqa: S311
