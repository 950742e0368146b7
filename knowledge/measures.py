"""How good a ranking is, judged by what should have been found.

A ranking is a sequence of ids, best first; `grades` says how much each relevant id matters (1 to
3), `k` how many of the first count. All measures run from 0 to 1.

Sources: recall as in Manning, Raghavan and Schütze, "Introduction to Information Retrieval"
(2008), section 8.3; reciprocal rank as in Voorhees, "The TREC-8 Question Answering Track Report"
(1999), cut at k; nDCG as in Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
techniques" (2002), with the gain 2^grade - 1 and the discount log2(rank + 1) of Burges et al.,
"Learning to Rank using Gradient Descent" (2005). With test sets of others the gain is the grade
itself, as trec_eval and BEIR have it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Id = TypeVar("Id")

TOLERANCE = 1e-9
"""Means of the same numbers in another order differ by less; a question's worth is far more."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Recall, reciprocal rank and nDCG of one ranking, or their means over many."""

    recall: float
    reciprocal_rank: float
    ndcg: float

    def change_from(self, before: "Measures") -> "Measures":
        """Return by how much each has grown."""
        return Measures(
            recall=self.recall - before.recall,
            reciprocal_rank=self.reciprocal_rank - before.reciprocal_rank,
            ndcg=self.ndcg - before.ndcg,
        )


def measures_of(found: Sequence[Id], grades: Mapping[Id, int], k: int) -> Measures:
    """Return all measures of a ranking. Raises ValueError without anything relevant or k < 1."""
    return Measures(
        recall=recall_at(found, grades, k),
        reciprocal_rank=reciprocal_rank_at(found, grades, k),
        ndcg=ndcg_at(found, grades, k),
    )


def recall_at(found: Sequence[Id], grades: Mapping[Id, int], k: int) -> float:
    """Return the share of the relevant ids that are among the first k."""
    _check(grades, k)
    return len(set(found[:k]) & set(grades)) / len(grades)


def reciprocal_rank_at(found: Sequence[Id], grades: Mapping[Id, int], k: int) -> float:
    """Return 1 / rank of the first relevant id among the first k, 0 without one."""
    _check(grades, k)
    return next((1 / rank for rank, each in enumerate(found[:k], 1) if each in grades), 0.0)


def ndcg_at(found: Sequence[Id], grades: Mapping[Id, int], k: int) -> float:
    """Return the discounted gain of the first k, as a share of the best possible one."""
    _check(grades, k)
    gained = _discounted(2 ** grades.get(each, 0) - 1 for each in found[:k])
    best = sorted(grades.values(), reverse=True)[:k]
    return gained / _discounted(2**grade - 1 for grade in best)


def linear_ndcg_at(found: Sequence[Id], grades: Mapping[Id, float], k: int) -> float:
    """Do the same with the grade as the gain; grades may be any numbers above 0."""
    if k < 1 or not grades or min(grades.values()) <= 0:
        message = "A measure needs k of at least 1 and something relevant, graded above 0."
        raise ValueError(message)
    gained = _discounted(grades.get(each, 0.0) for each in found[:k])
    return gained / _discounted(sorted(grades.values(), reverse=True)[:k])


def mean_of(every: Iterable[Measures]) -> Measures | None:
    """Return the mean of each measure; None of none."""
    rows = list(every)
    if not rows:
        return None
    return Measures(
        recall=math.fsum(row.recall for row in rows) / len(rows),
        reciprocal_rank=math.fsum(row.reciprocal_rank for row in rows) / len(rows),
        ndcg=math.fsum(row.ndcg for row in rows) / len(rows),
    )


def compared(before: Measures, after: Measures) -> int:
    """Return -1 when `after` is worse, 1 when it is better, 0 when they are equal.

    Recall decides; where it is equal the reciprocal rank does, then nDCG.
    """
    change = after.change_from(before)
    for value in (change.recall, change.reciprocal_rank, change.ndcg):
        if abs(value) > TOLERANCE:
            return 1 if value > 0 else -1
    return 0


def _discounted(gains: Iterable[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _check(grades: Mapping[Id, int], k: int) -> None:
    if k < 1 or not grades or min(grades.values()) < 1:
        message = "A measure needs k of at least 1 and something relevant, graded from 1."
        raise ValueError(message)
