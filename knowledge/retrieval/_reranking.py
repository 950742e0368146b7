"""The best units once more, by a model that reads the question and each passage together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from knowledge.choices import SearchMode
from knowledge.retrieval._found import Found
from knowledge.retrieval._showing import Shown
from knowledge.types import SearchRequest
from project.inference.reranking import RerankUnavailable, rerank_scores


def looked_at(found: Found, request: SearchRequest) -> int:
    """Return how many of the best units a search has to show for the model to read; 0 without."""
    is_wanted = request.mode in {SearchMode.HYBRID, SearchMode.GRAPH} and request.query
    return found.profile.rerank_nodes if found.profile.rerank_endpoint and is_wanted else 0


def rerank(found: Found, request: SearchRequest, rows: Mapping[uuid.UUID, Shown]) -> None:
    """Mix the model's scores into those of the best units, and sort them again.

    Where the model is away or late, the order stays and `degraded` says so. No view of the database
    may be held: a model works here.
    """
    profile = found.profile
    count = looked_at(found, request)
    top = [unit for unit in found.units[:count] if unit.best.chunk in rows]
    if len(top) < 2:
        return
    shown = [rows[unit.best.chunk] for unit in top]
    texts = ["\n".join([row.title, *row.heading_path, row.text]) for row in shown]
    with found.stage("rerank"):
        try:
            scores = rerank_scores(
                uuid.UUID(profile.rerank_endpoint),
                request.query,
                texts,
                seconds=profile.rerank_seconds,
            )
        except RerankUnavailable:
            found.lack("rerank")
            return
    for unit, score in zip(top, scores, strict=True):
        unit.reranked, unit.before_rerank = score, unit.score
        unit.score += profile.rerank_weight * (score - unit.score)
    # The rest was below and stays below.
    floor = min(unit.score for unit in top)
    for unit in found.units[count:]:
        unit.score = min(unit.score, floor)
    found.units.sort(key=lambda unit: (-unit.score, unit.reranked is None, unit.best.chunk))
