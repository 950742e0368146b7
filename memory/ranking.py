"""The order of recollections: how relevant, then gently how recent and how important.

Relevance is a weighted sum of two legs, each normalised over the candidates of the question. The
boosts are multiplicative and bounded, after Hindsight (vectorize.io, 2025): a signal of 0.5 is
neutral, and the strongest together cannot lift a weak match over a strong one.
"""

import datetime
import math
from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")

VECTOR_WEIGHT = 0.3
RECENCY = 0.2
IMPORTANCE = 0.2
RECENT_DAYS = 365.0


def normalised(scores: Mapping[Key, float]) -> dict[Key, float]:
    """Return the scores divided by the best one, so that no match is taken for none."""
    best = max(scores.values(), default=0.0)
    if best <= 0:
        return dict.fromkeys(scores, 0.0)
    return {key: max(0.0, score) / best for key, score in scores.items()}


def fuse(
    vector: Mapping[Key, float],
    keyword: Mapping[Key, float],
    *,
    vector_weight: float = VECTOR_WEIGHT,
) -> dict[Key, float]:
    """Return a relevance from 0 to 1 for each candidate; an empty leg leaves the other whole."""
    if not vector:
        return normalised(keyword)
    if not keyword:
        return normalised(vector)
    left, right = _spread(vector), normalised(keyword)
    return {
        key: vector_weight * left.get(key, 0.0) + (1 - vector_weight) * right.get(key, 0.0)
        for key in left.keys() | right.keys()
    }


def _spread(scores: Mapping[Key, float]) -> dict[Key, float]:
    """Return cosine similarities stretched from the weakest candidate (0) to the best (1)."""
    low, high = min(scores.values()), max(scores.values())
    if math.isclose(low, high):
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}


def recency(occurred_at: datetime.datetime, now: datetime.datetime) -> float:
    """Return 1 for what just happened, falling to 0.1 over a year."""
    days = max(0.0, (now - occurred_at).total_seconds() / 86_400)
    return max(0.1, 1.0 - days / RECENT_DAYS)


def boosted(relevance: float, *, recent: float, important: float) -> float:
    """Return the final score: the relevance times bounded factors of two signals from 0 to 1."""
    return relevance * (1 + RECENCY * (recent - 0.5)) * (1 + IMPORTANCE * (important - 0.5))
