"""One search from the question to ranked units: nodes, or single passages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from django.db import connection

from knowledge import ranking
from knowledge.binary import sequence_unpack, vector_unpack
from knowledge.choices import SearchMode
from knowledge.models import Node
from knowledge.moments import moment_of
from knowledge.retrieval import _gaps, _graph, _legs, _snapshot, _states, _vectors
from knowledge.retrieval._found import Found, Unit
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._question import LANGUAGES, Question, question_of, readings_of, reads
from knowledge.retrieval._scope import Reader, Scope, ServingGeneration, scope_of
from knowledge.retrieval._vectors import QueryVector
from knowledge.retrieval._view import one_view
from knowledge.statistics import Totals, mean_length
from knowledge.types import SearchRequest
from knowledge.weights import FIELD_WEIGHTS, K1, B
from project.inference.choices import Backend
from project.inference.embeddings import embed_texts, model_for_key
from project.inference.types import EmbeddingModel, EmbeddingUnavailable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = structlog.get_logger(__name__)

DEPTH = 100
"""Passages that each leg brings, at least."""

_END = b"\0\0\0\0"


def find(request: SearchRequest, user: Reader, *, by_node: bool, view: ExitStack) -> Found:
    """Return what a request finds, best first; `by_node` makes one unit of a node's passages.

    From the counts on, `view` holds the one state of the database that all statements see.
    Raises Invalid for a state that there is not, or that the user may not see.
    """
    found = Found()
    with found.stage("scope"):
        found.moment = moment_of(
            user, as_of=request.as_of, release=request.release, proposal=request.proposal
        )
        scope = (
            scope_of(request, user)
            if found.moment is None
            else _snapshot.scope_at(request, found.moment, user)
        )
        if not scope.space_ids:
            return found
    if request.mode != SearchMode.KEYWORD:
        with found.stage("embed"):
            _embed(found, scope, request)
    view.enter_context(one_view())
    with found.stage("scope"):
        if found.moment is None:
            counted = _states.count_present(scope, request)
        else:
            scope, counted = _states.count_other(found, scope, found.moment, request)
        found.scope_passages = counted.passages
        if not counted.passages:
            return found
        found.question = _question(request, counted)
    if request.mode == SearchMode.VECTOR and found.vectors:
        found.question = replace(found.question, candidates=())
    depth = max(DEPTH, 2 * request.limit)
    with found.stage("legs"):
        is_large = counted.passages > _legs.EXACT_UP_TO and (
            not scope.is_narrow
            or scope.is_past
            or _legs.permitted_count(scope, _legs.EXACT_UP_TO + 1) > _legs.EXACT_UP_TO
        )
        found.is_exact = not is_large
        candidates = _legs.candidates(
            scope, found.question, found.vectors, depth=depth, is_large=is_large
        )
        if found.question.candidates:
            in_gaps = [*found.gaps.values()]
            candidates += _gaps.gap_candidates(in_gaps, found.question, counted)
        found.candidates = len(candidates)
    with found.stage("rank"):
        found.units = _units(found, candidates, counted, request.mode, by_node=by_node)
        if request.mode in {SearchMode.HYBRID, SearchMode.GRAPH}:
            _refine(found, scope)
    if request.mode in {SearchMode.HYBRID, SearchMode.GRAPH} and found.units:
        with found.stage("graph"):
            _lead(found, scope, counted, request.mode, user, by_node=by_node)
    found.units.sort(key=lambda unit: (-unit.score, unit.best.chunk))
    return found


def _question(request: SearchRequest, counted: Totals) -> Question:
    """Analyse the question in the languages of the scope."""
    present = [language for language in LANGUAGES if language in counted.languages]
    spoken, readings = readings_of(request.query, present)
    if asked_in := request.asked_in or request.language:
        spoken = (asked_in,)
    return question_of(spoken, readings, counted)


def _embed(found: Found, scope: Scope, request: SearchRequest) -> None:
    """Embed the question in every model of the scope; a model that is away is left out."""
    by_model: dict[EmbeddingModel, list[ServingGeneration]] = {}
    for generation in scope.generations:
        try:
            model = model_for_key(generation.model_key, generation.endpoint_id)
            by_model.setdefault(model, []).append(generation)
        except EmbeddingUnavailable as error:
            log.warning("search_without_vectors", model=generation.model_key, reason=error.reason)
            found.lack("vector")
    if not connection.in_atomic_block:
        connection.close()  # back to the pool while the models work
    for model, generations in by_model.items():
        try:
            vector = embed_texts(model, [request.query], purpose="query")[0]
        except EmbeddingUnavailable as error:
            log.warning("search_without_vectors", model=model.key, reason=error.reason)
            found.lack("vector")
            continue
        weight = ranking.vector_weight(
            [reads(model.languages, language) for language in found.question.languages],
            hashing=model.backend == Backend.HASHING,
        )
        if request.mode == SearchMode.VECTOR:
            weight = 1.0
        found.vectors.append(QueryVector(model.key, tuple(generations), vector, weight))
    if not by_model:
        found.lack("vector")


def _units(
    found: Found,
    candidates: list[Candidate],
    counted: Totals,
    mode: SearchMode,
    *,
    by_node: bool,
) -> list[Unit]:
    """Group candidates, and fuse the best signals of each group."""
    import numpy as np

    if not candidates:
        return []
    similarity = np.array([max(candidate.similarity or 0.0, 0.0) for candidate in candidates])
    match, phrase = _matches(found.question, candidates, counted)
    if mode == SearchMode.VECTOR and found.vectors:
        match, phrase = np.zeros_like(match), np.zeros_like(phrase)
    found.best_match = max(found.best_match, float(match.max()))
    weights = np.array([_weight(found, candidate) for candidate in candidates])
    numbers: dict[uuid.UUID, int] = {}
    groups = np.array(
        [
            numbers.setdefault(candidate.node if by_node else candidate.chunk, len(numbers))
            for candidate in candidates
        ]
    )
    best_similarity = ranking.group_best(groups, similarity, len(numbers))
    best_match = ranking.group_best(groups, match, len(numbers))
    own = weights * similarity + (1 - weights) * match
    units: dict[int, Unit] = {}
    for place in np.argsort(-own, kind="stable").tolist():
        group = int(groups[place])
        if group in units:
            units[group].passages.append(candidates[place])
            continue
        weight = float(weights[place])
        score = float(weight * best_similarity[group] + (1 - weight) * best_match[group])
        units[group] = Unit(
            best=candidates[place],
            score=min(1.0, score),
            similarity=float(best_similarity[group]),
            match=float(best_match[group]),
            phrase=float(phrase[place]),
            weight=weight,
            passages=[candidates[place]],
            fused=min(1.0, score),
        )
    return sorted(units.values(), key=lambda unit: (-unit.score, unit.best.chunk))


def _weight(found: Found, candidate: Candidate) -> float:
    """Return the weight of the vector leg for a passage, 0 when there is none at all."""
    if not found.vectors:
        return 0.0
    weight = found.vectors[candidate.model or 0].weight
    return weight * ranking.literal_factor(found.best_match)


def _matches(
    question: Question, candidates: list[Candidate], counted: Totals
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each passage's match, 0 to 1, and the part of it that its phrases have."""
    import numpy as np

    if not question.highest:
        return np.zeros(len(candidates)), np.zeros(len(candidates))
    # Sequences have a 0 between fields; one more after each passage makes them one array.
    joined = sequence_unpack(b"".join(one.sequence + _END for one in candidates))
    starts, lengths = ranking.field_lengths(joined)
    norms = K1 * (1 - B + B * (lengths @ np.array(FIELD_WEIGHTS)) / mean_length(counted))
    phrases = ranking.phrase_scores(joined, starts, question.pairs, norms, K1)
    phrases = ranking.PHRASE_SHARE * phrases / question.highest
    bm25 = np.array([candidate.bm25 for candidate in candidates]) / question.highest
    return np.minimum(1.0, bm25 + phrases), phrases


def _refine(found: Found, scope: Scope) -> None:
    """Look around the best units, where one model that reads the question can tell near."""
    import numpy as np

    if len(found.vectors) != 1 or found.vectors[0].weight < ranking.READABLE_WEIGHT:
        return
    top = found.units[: ranking.NEIGHBOURHOOD]
    if not top:
        return
    query = found.vectors[0]
    packed = _vectors.vectors_of(scope, query, [unit.best.chunk for unit in top])
    rows = np.zeros((len(top), len(query.vector)), dtype=np.float32)
    for number, unit in enumerate(top):
        if unit.best.chunk in packed:
            rows[number] = vector_unpack(packed[unit.best.chunk])
    weights = np.array([unit.weight for unit in top])
    similarities = np.array([unit.similarity for unit in top])
    scores = np.array([unit.score for unit in top])
    refined = ranking.refined_similarities(query.vector, rows, similarities, scores)
    scores = ranking.smoothed(scores + weights * (refined - similarities), rows)
    for unit, score in zip(top, scores.tolist(), strict=True):
        unit.score = unit.refined = min(1.0, max(0.0, score))
    # The rest was below and stays below.
    floor = min(unit.score for unit in top)
    for unit in found.units[ranking.NEIGHBOURHOOD :]:
        unit.score = min(unit.score, floor)
    found.units.sort(key=lambda unit: (-unit.score, unit.best.chunk))


def _lead(
    found: Found,
    scope: Scope,
    counted: Totals,
    mode: SearchMode,
    user: Reader,
    *,
    by_node: bool,
) -> None:
    """Raise what relations lead to, and add what only they lead to."""
    is_full = mode == SearchMode.GRAPH
    share = _graph.FULL_SHARE if is_full else _graph.LIGHT_SHARE
    seeds: dict[uuid.UUID, float] = {}
    for unit in found.units:
        seeds.setdefault(unit.best.node, unit.score)
        if len(seeds) == _graph.SEEDS:
            break

    def passing(nodes: Iterable[uuid.UUID]) -> set[uuid.UUID]:
        if found.moment is not None:
            return _snapshot.passing(scope, nodes)
        allowed = Node.objects.searchable_by(user).filter(pk__in=list(nodes))
        return set(allowed.filter(space__in=scope.space_ids).values_list("pk", flat=True))

    led = _graph.led_scores(
        seeds,
        steps=2 if is_full else 1,
        passing=passing,
        relations=(
            _graph.relations_now if found.moment is None else _graph.relations_at(found.moment)
        ),
    )
    if not led:
        return
    known = {unit.best.node for unit in found.units}
    if new := [node for node in led if node not in known]:
        more = _legs.candidates_of_nodes(scope, found.question, found.vectors, new)
        found.units += _units(found, more, counted, mode, by_node=by_node)
    for unit in found.units:
        if unit.best.node in led:
            unit.led, unit.led_from = led[unit.best.node]
            unit.score = ranking.led_on(unit.score, unit.led, share)
