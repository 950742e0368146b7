"""The score of a node and of a space, from 0 to 100.

A node begins with 100 points. Each finding costs the points of its kind, all of one kind at most
`most` (`knowledge.quality.catalogue`); below 0 it does not go. A space has the mean of its
published nodes, each with the weight 1 + ln(1 + nodes that link to it): what many texts lead to
counts more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F, FloatField, OuterRef, Subquery, Sum
from django.db.models.functions import Cast

from knowledge.choices import NodeStatus
from knowledge.models import NodeQuality
from knowledge.quality.catalogue import CATALOGUE

GOOD, FAIR = 80, 60


def score_of(codes: Iterable[str]) -> int:
    """Return the score that findings of these codes, with repetitions, leave."""
    lost = sum(
        min(CATALOGUE[code].most, count * CATALOGUE[code].points)
        for code, count in Counter(codes).items()
        if code in CATALOGUE
    )
    return max(0, 100 - lost)


def weight_of(links_in: int) -> float:
    """Return how much a node counts that so many nodes link to."""
    return 1.0 + math.log1p(links_in)


def tone_of_score(score: int | None) -> str:
    """Return the tone in which a score is shown."""
    if score is None:
        return "plain"
    return "success" if score >= GOOD else "warning" if score >= FAIR else "danger"


def space_score_of(space: str) -> Subquery:
    """Return the SQL of a space's score, for rows whose column `space` is its id."""
    rows = _live().filter(space=OuterRef(space)).order_by().values("space")
    return Subquery(rows.annotate(mean=_MEAN).values("mean"), output_field=FloatField())


def space_scores(spaces: Any) -> dict[Any, dict[str, Any]]:
    """Return `score` and the number of checked `nodes` of each space that has any, by its id."""
    rows = _live().filter(space__in=spaces).order_by().values("space")
    found = rows.annotate(mean=_MEAN, nodes=Count("pk"))
    return {row["space"]: {"score": round(row["mean"]), "nodes": row["nodes"]} for row in found}


_MEAN = Sum(Cast(F("score"), FloatField()) * F("weight")) / Sum("weight")


def _live() -> Any:
    return NodeQuality.objects.filter(node__status=NodeStatus.PUBLISHED).exclude(score=None)
