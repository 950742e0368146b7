"""What the legs of a search bring, before anything is ranked: scope, question, candidates."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

import structlog
from django.db import connection
from django.utils.translation import gettext as _

from knowledge import ranking
from knowledge.choices import SearchMode
from knowledge.knobs import Profile
from knowledge.models import RetrievalProfile
from knowledge.moments import moment_of
from knowledge.profiles import stored_profile
from knowledge.retrieval import _conditions, _gaps, _legs, _snapshot, _states
from knowledge.retrieval._found import Found
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._question import Question, question_of, reads
from knowledge.retrieval._route import route_of
from knowledge.retrieval._scope import Reader, Scope, ServingGeneration, scope_of
from knowledge.retrieval._vectors import QueryVector
from knowledge.retrieval._view import one_view
from knowledge.statistics import Totals
from knowledge.types import SearchRequest
from project.http.errors import Invalid
from project.inference.choices import Backend
from project.inference.embeddings import embed_texts, model_for_key
from project.inference.types import EmbeddingModel, EmbeddingUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The candidates of a search, the scope that they are from, and what is counted in it."""

    scope: Scope
    counted: Totals
    candidates: list[Candidate]


def gather(found: Found, request: SearchRequest, user: Reader, view: ExitStack) -> Gathered | None:
    """Return what the legs bring, noting on `found` how; None where there is nothing to search.

    From the counts on, `view` holds the one state of the database that all statements see.
    Raises Invalid for a state that there is not, or that the user may not see.
    """
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
            return None
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
            return None
        found.question = _question(found, request, counted)
        weigh(found, request.mode)
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
    return Gathered(scope, counted, candidates)


def _profile(request: SearchRequest, scope: Scope, user: Reader) -> Profile:
    """Return the profile that was asked for, or the active one. Raises Invalid."""
    if request.profile is None:
        return scope.profile
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


def weigh(found: Found, mode: SearchMode) -> None:
    """Give the vector legs their weights, now that the question's languages are known."""
    if mode == SearchMode.VECTOR:
        return
    weighed = []
    for query, model in zip(found.vectors, found.models, strict=True):
        readings = [reads(model.languages, each) for each in found.question.languages]
        is_hashing = model.backend == Backend.HASHING
        weight = ranking.vector_weight(found.profile, readings, hashing=is_hashing)
        weighed.append(replace(query, weight=weight))
        is_known = bool(readings) and all(readings)
        found.is_read = len(found.vectors) == 1 and is_known and not is_hashing
    found.vectors = weighed
