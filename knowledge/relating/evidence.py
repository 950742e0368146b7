"""What speaks for relating two nodes, and how strongly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from knowledge.choices import EvidenceWay

STEEPNESS = 13.0
"""How fast a margin of likeness becomes certainty; fitted on the linked pairs of the demo in
English, where of the pairs with a margin of 0.025 a half is linked and of those with 0.15 most
(benchmarks/related_quality.py)."""
DOUBT = 2.0
"""Conversations that a pair must be cited in together for half of the credit."""
FEWEST = 2
"""Conversations, too: one alone tells what one person asked."""
NAMED, ADDRESSED = 0.7, 0.85
"""The strength of a title, and of an address, in the other text."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for a pair; `strength` is from 0 to 1.

    `details` is ready for JSON. Places in it are offsets into the content of a version, never text.
    """

    way: EvidenceWay
    strength: float
    details: dict[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {"way": str(self.way), "strength": round(self.strength, 4), **self.details}


def joint(strengths: Iterable[float]) -> float:
    """Return how strong evidence is together: the noisy-or of its parts (Pearl, 1988)."""
    return 1.0 - math.prod(1.0 - min(max(each, 0.0), 1.0) for each in strengths)


def likeness_strength(likeness: float, crowding_here: float, crowding_there: float) -> float:
    """Return what the likeness of two texts says, against what is usual around each.

    Cross-domain similarity local scaling (Conneau and others, "Word translation without parallel
    data", 2018): a text that is like everything is near to nothing in particular.
    """
    margin = 2 * likeness - crowding_here - crowding_there
    return 1.0 / (1.0 + math.exp(-STEEPNESS * margin))


def cited_strength(together: int, here: int, there: int) -> float:
    """Return what conversations say that cite both nodes, of those that cite each.

    The cosine of Salton between the two sets, shrunk while they are small.
    """
    if together < FEWEST or not here or not there:
        return 0.0
    return min(1.0, together / math.sqrt(here * there)) * together / (together + DOUBT)
