"""One search from the question to ranked units: nodes, or single passages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial

from knowledge import ranking
from knowledge.choices import SearchMode
from knowledge.models import Node
from knowledge.retrieval import _fusing, _graph, _legs, _listing, _snapshot, _vectors
from knowledge.retrieval._found import Found
from knowledge.retrieval._gathering import gather
from knowledge.retrieval._scope import Reader, Scope
from knowledge.statistics import Totals, mean_length
from knowledge.types import SearchRequest


def find(request: SearchRequest, user: Reader, *, by_node: bool, view: ExitStack) -> Found:
    """Return what a request finds, best first; `by_node` makes one unit of a node's passages.

    From the counts on, `view` holds the one state of the database that all statements see.
    Raises Invalid for a state that there is not, or that the user may not see.
    """
    found = Found()
    gathered = gather(found, request, user, view)
    if gathered is None:
        return found
    scope, counted, candidates = gathered.scope, gathered.counted, gathered.candidates
    if request.conditions is not None and not found.readings and not candidates:
        with found.stage("rank"):
            found.units = _listing.listed(found, scope, found.depth)
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
    found.units.sort(key=_fusing.order)
    return found


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
        damping=found.profile.graph_damping,
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
