"""BM25 as an inner product: a weight for each word of a passage, and one for each of a query.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the
idf of Lucene, which is never negative. Words of the title and of the headings above a passage
count towards it (the fields of BM25F, with one length).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

K1 = 1.2
B = 0.75
FIELD_WEIGHTS = (2.0, 1.0, 1.0)
"""Of title, headings and text, in the order of a passage's sequence."""


def word_counts(sequence: npt.NDArray[np.uint32]) -> dict[int, float]:
    """Return how often each word occurs in a passage, weighted by field."""
    counts: dict[int, float] = {}
    field = 0
    for key in sequence.tolist():
        if key:
            counts[key] = counts.get(key, 0.0) + FIELD_WEIGHTS[field]
        else:
            field += 1
    return counts


def passage_weights(counts: dict[int, float], average: float) -> dict[int, float]:
    """Return BM25's factor of each word; `average` is the mean length of the space's passages."""
    length = sum(counts.values())
    norm = K1 * (1 - B + B * length / average)
    return {key: count * (K1 + 1) / (count + norm) for key, count in counts.items()}


def rarity(passages: int, total: int) -> float:
    """Return the idf of a word that occurs in `passages` of `total`."""
    return math.log1p((max(total - passages, 0) + 0.5) / (passages + 0.5))


def highest_score(idf: float, times: float = 1.0) -> float:
    """Return what a word of a query can add to the score of a passage at most."""
    return idf * times * (K1 + 1)
