"""The scope of another state: which version of which node, by one statement.

A version is on the shelf of served passages, on that of past ones, or on none yet: it is in a gap,
and `_gaps` cuts it while the search waits. The gate is the space that the user may read today; what
it held is what was public then.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Q, QuerySet
from django.utils import timezone

from knowledge.analysis import term_key
from knowledge.choices import NodeStatus
from knowledge.models import Node, NodeVersion, PreviewNode
from knowledge.moments import Moment
from knowledge.retrieval._question import Reading, keys_of
from knowledge.retrieval._scope import (
    Reader,
    Scope,
    content_filtered,
    filtered,
    is_narrowed,
    spaces_of,
)
from knowledge.retrieval._shelves import STILL_SERVED, Shelf, Statement, quoted
from knowledge.statistics import Totals, spoken_in, totals
from knowledge.types import SearchRequest

COLUMNS = "id, version, is_served, passages, words, language, model_key, is_gap"

_OF_MOMENT = """
SELECT public.node_id, public.version, public.is_served, coalesce(public.passages, 0),
    public.words, public.language, public.model_key, public.passages IS NULL
FROM knowledge_publication AS public
WHERE public.space_id = ANY(%s) AND public.started_at <= %s::timestamptz
    AND (public.ended_at IS NULL OR public.ended_at > %s::timestamptz)
    AND NOT EXISTS (
        SELECT 1 FROM knowledge_nodeversion AS facts
        WHERE facts.id = public.node_id AND facts.version = public.version
            AND (facts.erased_at IS NOT NULL OR facts.valid_from > %s::timestamptz
                OR facts.valid_until <= %s::timestamptz)
    )
"""
_OF_RELEASE = """
SELECT public.node_id, public.version, coalesce(held.is_served, false),
    coalesce(held.passages, 0), coalesce(held.words, 0), held.language, held.model_key,
    held.node_id IS NULL
FROM knowledge_releaseentry AS public
JOIN knowledge_release AS release ON release.id = public.release_id
LEFT JOIN knowledge_indexedversion AS held
    ON held.node_id = public.node_id AND held.version = public.version
WHERE public.release_id = %s AND release.space_id = ANY(%s)
    AND NOT EXISTS (
        SELECT 1 FROM knowledge_nodeversion AS facts
        WHERE facts.id = public.node_id AND facts.version = public.version
            AND facts.erased_at IS NOT NULL
    )
"""
_AS_IF_MERGED = """
SELECT node.id, node.version, true, 0, 0, NULL, NULL, false FROM ({current}) AS node (id, version)
WHERE node.id NOT IN (SELECT node_id FROM knowledge_previewnode WHERE proposal_id = %s)
UNION ALL
SELECT node.id, node.version, false, 0, 0, NULL, NULL, false
FROM ({previewed}) AS node (id, version)
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A scope of another state, and what is counted in it.

    The scope has no shelf on which nothing of it lies. `lacks_vectors` says that some of its
    passages have none of the models that serve.
    `gaps` counts versions that have no passages yet.
    """

    scope: Scope
    totals: Totals
    lacks_vectors: bool
    gaps: int


def scope_at(request: SearchRequest, moment: Moment, user: Reader) -> Scope:
    """Return where a request of the user looks in another state."""
    space_ids, generations, profile = spaces_of(request, user)
    try:
        sql, parameters = _permitted(request, moment, user, space_ids) if space_ids else ("", [])
    except EmptyResultSet:  # an empty list among the filters: nothing can match
        space_ids, sql, parameters = (), "", []
    return Scope(
        space_ids=space_ids,
        permitted=sql,
        parameters=tuple(parameters),
        is_narrow=is_narrowed(request),
        generations=generations,
        shelves=(STILL_SERVED, _shelf(moment)),
        columns=COLUMNS,
        is_past=True,
        profile=profile,
    )


def _shelf(moment: Moment) -> Shelf:
    """Return the shelf of what is not served."""
    if moment.proposal is not None:
        return Shelf(
            "knowledge_previewchunk",
            "node_id IN (SELECT id FROM permitted WHERE NOT is_served)",
            bounds="proposal_id = %s",
            parameters=(moment.proposal.pk,),
            vectors="knowledge_previewchunk",
            vector_id="id",
        )
    is_bounded = moment.as_of is not None
    return Shelf(
        "knowledge_pastchunk",
        "(node_id, version) IN (SELECT id, version FROM permitted WHERE NOT is_served)",
        bounds="period @> %s::timestamptz" if is_bounded else "",
        parameters=(moment.as_of,) if is_bounded else (),
        vectors="knowledge_pastvector",
        are_halves=True,
    )


def _permitted(
    request: SearchRequest, moment: Moment, user: Reader, space_ids: tuple[Any, ...]
) -> tuple[str, list[Any]]:
    spaces = list(space_ids)
    if moment.proposal is not None:
        return _as_if_merged(request, moment.proposal, user, spaces)
    if moment.release is not None:
        sql, parameters = _OF_RELEASE, [moment.release.pk, spaces]
    else:
        at = moment.as_of
        sql, parameters = _OF_MOMENT, [spaces, at, at, at, at]
    for condition, values in _filters(request):
        sql += f" AND {condition}"
        parameters += values
    return sql, parameters


def _filters(request: SearchRequest) -> list[tuple[str, list[Any]]]:
    """Return conditions on versions: their own fields, and when their nodes were made."""
    found = []
    everything = NodeVersion.objects.order_by()
    rows = content_filtered(everything, request)
    if rows is not everything:
        sql, parameters = rows.values("id", "version").query.sql_with_params()
        found.append((f"(public.node_id, public.version) IN ({sql})", list(parameters)))
    made = everything.filter(version=1)
    if request.created_after is not None:
        made = made.filter(history_date__gte=request.created_after)
    if request.created_before is not None:
        made = made.filter(history_date__lt=request.created_before)
    if request.created_after is not None or request.created_before is not None:
        sql, parameters = made.values("id").query.sql_with_params()
        found.append((f"public.node_id IN ({sql})", list(parameters)))
    return found


def _as_if_merged(
    request: SearchRequest, proposal: Any, user: Reader, spaces: list[Any]
) -> tuple[str, list[Any]]:
    now = timezone.now()
    current = filtered(Node.objects.searchable_by(user).filter(space__in=spaces), request)
    previewed: QuerySet[PreviewNode] = filtered(
        PreviewNode.objects.filter(
            Q(valid_from=None) | Q(valid_from__lte=now),
            Q(valid_until=None) | Q(valid_until__gt=now),
            proposal=proposal,
            space__in=spaces,
            status=NodeStatus.PUBLISHED,
        ),
        request,
    )
    first, values = current.order_by().values("pk", "version").query.sql_with_params()
    second, more = previewed.order_by().values("node_id", "version").query.sql_with_params()
    sql = _AS_IF_MERGED.format(current=first, previewed=second)
    return sql, [*values, proposal.pk, *more]


def counted(scope: Scope, moment: Moment, readings: list[Reading]) -> Snapshot:
    """Count the passages of a state, and those with each word of the readings."""
    terms = sorted({term for reading in readings for term in reading.terms})
    if moment.proposal is not None:
        return _counted_as_if_merged(scope, moment.proposal.pk, readings, terms)
    statement = Statement()
    _add_permitted(statement, scope)
    statement.add(
        "SELECT 0, coalesce(sum(passages) FILTER (WHERE NOT is_gap), 0), "
        "coalesce(sum(words) FILTER (WHERE NOT is_gap), 0), count(*) FILTER (WHERE is_gap), "
        "coalesce(bool_or(NOT is_served AND passages > 0 AND NOT model_key = ANY(%s)), false), "
        "array_agg(DISTINCT language), "
        "bool_or(is_served AND passages > 0), bool_or(NOT is_served AND passages > 0) "
        "FROM permitted",
        _keys(scope),
    )
    for shelf in scope.shelves:
        statement.add(" UNION ALL ")
        _add_counts(statement, shelf, terms, "0, 0, false, NULL::text[], false, false")
    rows = statement.run()
    first = next(row for row in rows if not row[0])
    _zero, passages, words, gaps, lacks_vectors, languages, *flags = first
    spoken = frozenset(filter(None, languages or []))
    found = Totals(int(passages), int(words), spoken, _by_key(terms, rows))
    used = [shelf for shelf, is_used in zip(scope.shelves, flags, strict=True) if is_used]
    scope = replace(scope, shelves=tuple(used) or scope.shelves)
    return Snapshot(scope, found, lacks_vectors, gaps)


def _counted_as_if_merged(
    scope: Scope, proposal_id: uuid.UUID, readings: list[Reading], terms: Sequence[str]
) -> Snapshot:
    """Add a proposal's passages to today's statistics; those that they replace still count."""
    now = totals(scope.space_ids, keys_of(readings))
    shelf = scope.shelves[-1]
    statement = Statement()
    _add_permitted(statement, scope)
    statement.add(
        "SELECT 0, count(*), NOT coalesce(bool_and(model_key = ANY(%s)), true), "
        "array_agg(DISTINCT analysis || ' ' || language) "
        f"FROM {shelf.passages} WHERE {shelf.within} UNION ALL ",
        _keys(scope),
        *shelf.parameters,
    )
    _add_counts(statement, shelf, terms, "false, NULL")
    rows = statement.run()
    _zero, passages, lacks_vectors, languages = next(row for row in rows if not row[0])
    spoken = {
        spoken_in(language, int(analysis))
        for analysis, language in (each.split(" ", 1) for each in languages or [])
    }
    mean = now.words / now.passages if now.passages else 0.0
    with_word = _by_key(terms, rows)
    for key, count in now.passages_with.items():
        with_word[key] = with_word.get(key, 0) + count
    found = Totals(
        now.passages + passages,
        now.words + round(mean * passages),
        now.languages | spoken,
        with_word,
    )
    return Snapshot(scope, found, lacks_vectors, 0)


def _add_permitted(statement: Statement, scope: Scope) -> None:
    statement.add(f"WITH permitted ({scope.columns}) AS MATERIALIZED (")
    statement.add(scope.permitted, *scope.parameters)
    statement.add(") ")


def _add_counts(statement: Statement, shelf: Shelf, terms: Sequence[str], rest: str) -> None:
    """Add how many permitted passages of a shelf have each of the terms, numbered from 1.

    What has a word is found first, by the index of words: the planner, which does not know how
    common a word of a parameter is, would rather look at each permitted passage for each word.
    """
    statement.add(
        f"SELECT number, count(*), {rest} FROM ("
        "WITH matching AS MATERIALIZED (SELECT word.number, node_id, version "
        "FROM unnest(%s::tsquery[]) WITH ORDINALITY AS word (query, number) "
        f"JOIN {shelf.passages} ON search @@ word.query",
        quoted(terms),
    )
    if shelf.bounds:
        statement.add(f" WHERE {shelf.bounds}", *shelf.parameters)
    statement.add(f") SELECT number FROM matching WHERE {shelf.among}) AS counted GROUP BY number")


def _by_key(terms: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, count, *_rest in rows:
        if number:
            key = term_key(terms[number - 1])
            found[key] = found.get(key, 0) + int(count)
    return found


def _keys(scope: Scope) -> list[str]:
    return [generation.model_key for generation in scope.generations]


def passing(scope: Scope, nodes: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of the nodes the state has, and its filters keep."""
    statement = Statement()
    statement.add("SELECT id FROM (")
    statement.add(scope.permitted, *scope.parameters)
    statement.add(f") AS permitted ({scope.columns}) WHERE id = ANY(%s)", list(nodes))
    return {row[0] for row in statement.run()}


def gaps(scope: Scope, limit: int) -> list[tuple[uuid.UUID, int]]:
    """Return versions of the state that have no passages yet, no more than `limit`."""
    statement = Statement()
    statement.add("SELECT id, version FROM (")
    statement.add(scope.permitted, *scope.parameters)
    statement.add(f") AS permitted ({scope.columns}) WHERE is_gap ORDER BY id LIMIT %s", limit)
    return [(node, version) for node, version in statement.run()]
