"""What callers use: nodes for a search, passages for an answer."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from knowledge import metrics
from knowledge.analysis import term_key
from knowledge.binary import sequence_unpack
from knowledge.choices import SearchMode
from knowledge.operators import understood
from knowledge.passages import without_markup
from knowledge.retrieval import _cache, _packing
from knowledge.retrieval._corrections import corrections
from knowledge.retrieval._found import Found, Unit
from knowledge.retrieval._pipeline import find
from knowledge.retrieval._reranking import looked_at, rerank
from knowledge.retrieval._scope import Reader
from knowledge.retrieval._showing import Shown, shown
from knowledge.snippets import snippet
from knowledge.types import (
    MAX_RESULTS,
    RetrievedPassage,
    SearchRequest,
    SearchResponse,
    SearchResult,
)
from project.http.errors import Invalid

MAX_QUERY = 4000


def search(request: SearchRequest, *, user: Reader, fresh: bool = False) -> SearchResponse:
    """Return the nodes that answer a question, one row a node, best first.

    Without an embedding model the words alone decide, and `degraded` says so. What was found before
    and still holds is given again, unless it is to be `fresh`. Raises Invalid.
    """
    started = time.perf_counter()
    check(request)
    if fresh:
        return _nodes_found(request, user)
    response = _cache.answered(
        "nodes",
        request,
        user,
        find=lambda narrowed: _nodes_found(narrowed, user),
        is_whole=lambda answer: not answer.degraded,
        dump=_packing.response_dump,
        load=_packing.response_load,
    )
    return replace(response, took_ms=round((time.perf_counter() - started) * 1000))


def _nodes_found(request: SearchRequest, user: Reader) -> SearchResponse:
    started = time.perf_counter()
    asked = understood(request.query)
    request = replace(request, query=asked.plain, conditions=asked.conditions)
    with ExitStack() as view:
        found = find(request, user, by_node=True, view=view)
        with found.stage("results"):
            rows = _shown(found, request, user)
    rerank(found, request, rows)
    with found.stage("results"):
        results = [
            _result(unit, rows[unit.best.chunk], found, explain=request.explain)
            for unit in _kept(found, request)
            if unit.best.chunk in rows
        ]
    seconds = time.perf_counter() - started
    _observe(request.mode, found, seconds)
    return SearchResponse(
        results=results,
        took_ms=round(seconds * 1000),
        mode=SearchMode(request.mode),
        degraded=found.degraded,
        explanation=_explanation(found) if request.explain else None,
        corrections=corrections(found, rows.values()),
    )


def retrieve_passages(
    query: str,
    *,
    user: Reader,
    spaces: Sequence[uuid.UUID] | None = None,
    limit: int = 8,
    language: str | None = None,
    as_of: datetime | None = None,
    release: str | None = None,
    proposal: uuid.UUID | None = None,
    degraded: list[str] | None = None,
) -> list[RetrievedPassage]:
    """Return the passages that answer a question, best first; several may come from one node.

    `language` is that of the question and restricts nothing. Same pipeline, scores and states as
    `search`. The legs that could not take part are added to `degraded`. Raises Invalid.
    """
    request = SearchRequest(
        query=query[:MAX_QUERY],
        limit=limit,
        spaces=None if spaces is None else tuple(spaces),
        asked_in=language,
        as_of=as_of,
        release=release,
        proposal=proposal,
    )
    passages, lacking = passages_search(request, user=user)
    if degraded is not None:
        degraded += lacking
    return passages


def passages_search(
    request: SearchRequest, *, user: Reader
) -> tuple[list[RetrievedPassage], list[str]]:
    """Return the passages, and the legs that could not take part. Raises Invalid."""
    check(request)
    return _cache.answered(
        "passages",
        request,
        user,
        find=lambda narrowed: _passages_found(narrowed, user),
        is_whole=lambda answer: not answer[1],
        dump=_packing.passages_dump,
        load=_packing.passages_load,
    )


def _passages_found(
    request: SearchRequest, user: Reader
) -> tuple[list[RetrievedPassage], list[str]]:
    started = time.perf_counter()
    with ExitStack() as view:
        found = find(request, user, by_node=False, view=view)
        with found.stage("results"):
            rows = _shown(found, request, user)
    rerank(found, request, rows)
    with found.stage("results"):
        passages = [
            _passage(unit, rows[unit.best.chunk], found)
            for unit in _kept(found, request)
            if unit.best.chunk in rows
        ]
    _observe(request.mode, found, time.perf_counter() - started)
    return passages, found.degraded


def check(request: SearchRequest) -> None:
    """Raise Invalid for a question or a limit that no search takes."""
    if not request.query.strip():
        raise Invalid(_("Say what to search for."), field="query")
    if len(request.query) > MAX_QUERY:
        message = _("A query has at most %(count)s characters.") % {"count": MAX_QUERY}
        raise Invalid(message, field="query")
    if not 1 <= request.limit <= MAX_RESULTS:
        message = _("The limit is between 1 and %(count)s.") % {"count": MAX_RESULTS}
        raise Invalid(message, field="limit")


def _shown(found: Found, request: SearchRequest, user: Reader) -> dict[uuid.UUID, Shown]:
    """Return the passages that may be among the results, also once they are reranked."""
    count = looked_at(found, request)
    units = found.units[: max(request.limit, count)] if count else _kept(found, request)
    return shown(found, [unit.best.chunk for unit in units], user)


def _kept(found: Found, request: SearchRequest) -> list[Unit]:
    least = request.min_score if request.min_score is not None else 0.0
    return [unit for unit in found.units if unit.score >= least][: request.limit]


def _result(unit: Unit, row: Shown, found: Found, *, explain: bool) -> SearchResult:
    return SearchResult(
        node=row.node,
        external_id=row.external_id,
        version=row.version,
        chunk=row.chunk,
        title=row.title,
        snippet=snippet(without_markup(row.text), found.question.terms, row.language),
        heading_path=row.heading_path,
        start=row.start,
        end=row.end,
        page=row.page,
        url=row.url,
        score=round(unit.score, 6),
        signals=_signals(unit, found) if explain else None,
        place=row.place,
    )


def _passage(unit: Unit, row: Shown, found: Found) -> RetrievedPassage:
    return RetrievedPassage(
        node=row.node,
        version=row.version,
        chunk=row.chunk,
        title=row.title,
        heading_path=row.heading_path,
        text=row.text,
        start=row.start,
        end=row.end,
        page=row.page,
        url=row.url,
        language=row.language,
        score=round(unit.score, 6),
        signals=_signals(unit, found),
        place=row.place,
    )


def _signals(unit: Unit, found: Found) -> dict[str, Any]:
    """Return what made the rank of a unit."""
    best = unit.best
    present = set(sequence_unpack(best.sequence).tolist())
    signals: dict[str, Any] = {
        "vector": None,
        "keyword": {
            "match": round(unit.match, 6),
            "bm25": round(best.bm25, 4),
            "rank": best.keyword_rank,
            "weight": round(1 - unit.weight, 4),
            "terms": [term for term in found.question.terms if term_key(term) in present],
            "phrases": round(unit.phrase, 6),
        },
        "fused": round(unit.fused, 6),
        "refined": None if unit.refined is None else round(unit.refined, 6),
        "graph": None,
        "rerank": None,
        "passages": [str(candidate.chunk) for candidate in unit.passages],
    }
    if found.vectors and best.similarity is not None:
        query = found.vectors[best.model or 0]
        signals["vector"] = {
            "similarity": round(unit.similarity, 6),
            "rank": best.vector_rank,
            "weight": round(unit.weight, 4),
            "model": query.model_key,
        }
    if unit.reranked is not None:
        before = round(unit.before_rerank, 6)
        signals["rerank"] = {"score": round(unit.reranked, 6), "before": before}
    if unit.led_from is not None:
        signals["graph"] = {"led": round(unit.led, 6), "from": str(unit.led_from)}
    return signals


def _explanation(found: Found) -> Mapping[str, Any]:
    return {
        "languages": list(found.question.languages),
        "terms": {term: round(weight, 4) for term, weight in found.question.terms.items()},
        "highest_bm25": round(found.question.highest, 4),
        "models": [
            {
                "model": query.model_key,
                "weight": round(query.weight, 4),
                "generations": [str(generation.pk) for generation in query.generations],
            }
            for query in found.vectors
        ],
        "passages_in_scope": found.scope_passages,
        "candidates": found.candidates,
        "exact": found.is_exact,
        "timings_ms": {stage: round(spent, 2) for stage, spent in found.timings.items()},
    }


def _observe(mode: str, found: Found, seconds: float) -> None:
    _counter(mode, "yes" if found.degraded else "no").inc()
    _seconds(mode, "total").observe(seconds)
    for stage, spent in found.timings.items():
        _seconds(mode, stage).observe(spent / 1000)


# The metric of some labels, which takes longer to look up than to count with.
_counter = functools.cache(metrics.searches.labels)
_seconds = functools.cache(metrics.search_seconds.labels)
