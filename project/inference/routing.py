"""Which endpoint to ask, in which order."""

import random
from collections.abc import Iterable, Sequence
from uuid import UUID

from project.database.prepared import prepared_rows
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
STATE_OF_MODELS = """(
    SELECT coalesce(string_agg(concat_ws('.', id, xmin, ctid), ' ' ORDER BY id), '')
    FROM inference_modelendpoint WHERE is_active AND purpose = 'chat'
)"""
"""An SQL expression that is another one after every change of a language model: each writing of a
row has a transaction and a place of its own. For statements that are made anyway."""
_kept: tuple[str, tuple[ModelEndpoint, ...]] = ("", ())


def chat_models(state: str | None = None) -> tuple[ModelEndpoint, ...]:
    """Return the active language models, read again only when one has changed.

    `state` is what STATE_OF_MODELS was a moment ago; asked here when it is not given. The rows are
    shared by all threads: nobody changes them.
    """
    global _kept  # noqa: PLW0603 - one memory a process; whoever sets it sets both parts at once
    known = _kept
    if state is None:
        [(state,)] = prepared_rows(f"SELECT {STATE_OF_MODELS}")
    if state != known[0]:
        known = _kept = (state, tuple(ModelEndpoint.objects.active().chat()))
    return known[1]


def chat_endpoints(tier: str, *, first: UUID | None = None, above: str = "") -> list[ModelEndpoint]:
    """Return the active language models in the order to try them. One small statement.

    The endpoint `first`, where it is active, comes before all others. With `above` only those of
    more capable tiers than that count, the nearest tier first: none may be left.
    """
    return in_order(chat_models(), tier, first=first, above=above)


def in_order(
    models: Iterable[ModelEndpoint], tier: str, *, first: UUID | None = None, above: str = ""
) -> list[ModelEndpoint]:
    """Do what `chat_endpoints` does with models that were read before."""
    endpoints = ordered(models, tier)
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
