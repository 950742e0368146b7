"""One search from the question to ranked units: nodes, or single passages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import structlog
from django.db import connection
from django.utils.translation import gettext as _

from knowledge import ranking
from knowledge.choices import SearchMode
from knowledge.knobs import Profile
from knowledge.models import Node, RetrievalProfile
from knowledge.moments import moment_of
from knowledge.profiles import active_profile, stored_profile
from knowledge.retrieval import (
    _conditions,
    _fusing,
    _gaps,
    _graph,
    _legs,
    _listing,
    _snapshot,
    _states,
    _vectors,
)
from knowledge.retrieval._found import Found
from knowledge.retrieval._question import Question, question_of, reads
from knowledge.retrieval._route import route_of
from knowledge.retrieval._scope import Reader, Scope, ServingGeneration, scope_of
from knowledge.retrieval._vectors import QueryVector
from knowledge.retrieval._view import one_view
from knowledge.statistics import Totals, mean_length
from knowledge.types import SearchRequest
from project.http.errors import Invalid
from project.inference.choices import Backend
from project.inference.embeddings import embed_texts, model_for_key
from project.inference.types import EmbeddingModel, EmbeddingUnavailable

log = structlog.get_logger(__name__)


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
        found.scope = scope
        if not scope.space_ids:
            return found
        found.profile = _profile(request, scope, user)
    if request.mode != SearchMode.KEYWORD and request.query:
        with found.stage("embed"):
            _embed(found, scope, request)
    view.enter_context(one_view())
    if request.conditions is not None:
        with found.stage("conditions"):
            scope, is_whole = _conditions.narrowed(scope, found.moment, request.conditions)
            if not is_whole:
                found.lack("phrase")
    with found.stage("scope"):
        if found.moment is None:
            counted = _states.count_present(found, scope, request)
        else:
            scope, counted = _states.count_other(found, scope, found.moment, request)
        found.scope, found.scope_passages = scope, counted.passages
        if not counted.passages:
            return found
        found.question = _question(found, request, counted)
        _weigh(found, request.mode)
    if request.mode == SearchMode.VECTOR and found.vectors:
        found.question = replace(found.question, candidates=())
    depth = found.depth = max(found.profile.depth, 2 * request.limit)
    with found.stage("legs"):
        route = route_of(scope, counted.passages)
        found.is_exact = route.is_exact
        candidates = _legs.candidates(
            scope, found.question, found.vectors, counted, depth=depth, route=route
        )
        if found.question.candidates:
            in_gaps = [*found.gaps.values()]
            candidates += _gaps.gap_candidates(in_gaps, found.question, counted)
        found.candidates = len(candidates)
    if request.conditions is not None and not found.readings and not candidates:
        with found.stage("rank"):
            found.units = _listing.listed(found, scope, depth)
            found.candidates = len(found.units)
        return found
    with found.stage("rank"):
        signals = _fusing.signals_of(found.question, candidates, mean_length(counted))
        found.units = _fusing.units_of(found, signals, request.mode, by_node=by_node)
        if request.mode in {SearchMode.HYBRID, SearchMode.GRAPH} and found.is_read:
            _fusing.refine(found, partial(_vectors.vectors_of, scope, found.vectors[0]))
    if request.mode in {SearchMode.HYBRID, SearchMode.GRAPH} and found.units:
        with found.stage("graph"):
            _lead(found, scope, counted, request.mode, user, by_node=by_node)
    found.units.sort(key=lambda unit: (-unit.score, unit.best.chunk))
    return found


def _profile(request: SearchRequest, scope: Scope, user: Reader) -> Profile:
    """Return the profile that was asked for, or the active one. Raises Invalid."""
    if request.profile is None:
        return active_profile(scope.space_ids)
    rows = RetrievalProfile.objects.visible_to(user).filter(pk=request.profile)
    found = stored_profile(request.profile) if rows.exists() else None
    if found is None:
        message = _("There is no such retrieval profile, or you may not name one: curators may.")
        raise Invalid(message, field="profile")
    return found


def _question(found: Found, request: SearchRequest, counted: Totals) -> Question:
    """Weigh the words of the question as they were read in the languages of the scope."""
    asked_in = request.asked_in or request.language
    spoken = (asked_in,) if asked_in else found.spoken
    return question_of(spoken, found.readings, counted, found.nears)


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
        found.models.append(model)
        found.vectors.append(QueryVector(model.key, tuple(generations), vector, weight=1.0))
    if not by_model:
        found.lack("vector")


def _weigh(found: Found, mode: SearchMode) -> None:
    """Give the vector legs their weights, now that the question's languages are known."""
    if mode == SearchMode.VECTOR:
        return
    weighed = []
    for query, model in zip(found.vectors, found.models, strict=True):
        readings = [reads(model.languages, each) for each in found.question.languages]
        is_hashing = model.backend == Backend.HASHING
        weight = ranking.vector_weight(found.profile, readings, hashing=is_hashing)
        weighed.append(replace(query, weight=weight))
        found.is_read = len(found.vectors) == 1 and all(readings) and not is_hashing
    found.vectors = weighed


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
    share = found.profile.graph_full_share if is_full else found.profile.graph_share
    seeds: dict[uuid.UUID, float] = {}
    for unit in found.units:
        if len(seeds) == found.profile.graph_seeds:
            break
        seeds.setdefault(unit.best.node, unit.score)

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
        signals = _fusing.signals_of(found.question, more, mean_length(counted))
        found.units += _fusing.units_of(found, signals, mode, by_node=by_node)
    for unit in found.units:
        if unit.best.node in led:
            unit.led, unit.led_from = led[unit.best.node]
            unit.score = ranking.led_on(unit.score, unit.led, share)
