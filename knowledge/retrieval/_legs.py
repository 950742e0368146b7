"""Candidates of the vector and keyword legs, each with both signals, in one statement."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from django.db import connection, transaction

from knowledge.binary import sparse_text, vector_text
from knowledge.retrieval._keywords import add_keyword_leg, formula_for
from knowledge.retrieval._open_legs import open_legs
from knowledge.retrieval._question import Question
from knowledge.retrieval._route import Route
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._shelves import Shelf, Statement
from knowledge.retrieval._vectors import QueryVector, add_vector_leg, asked, scan_settings
from knowledge.statistics import Totals

EVERYTHING = 2_000_000_000
"""A depth that cuts nothing off."""


class Candidate(NamedTuple):
    """A passage and its signals. Ranks count from 1; None: not among the best of that leg.

    `similarity` is a cosine, None without a vector of a model that is up; `bm25` is raw.
    """

    chunk: uuid.UUID
    node: uuid.UUID
    sequence: bytes
    similarity: float | None
    bm25: float
    vector_rank: int | None
    keyword_rank: int | None
    model: int | None


def candidates(
    scope: Scope,
    question: Question,
    vectors: Sequence[QueryVector],
    counted: Totals,
    *,
    depth: int,
    route: Route,
) -> list[Candidate]:
    """Return the best `depth` passages of each leg, each with both signals."""
    found = _candidates(scope, question, vectors, counted, depth=depth, route=route)
    if route.is_exact or not vectors:
        return found
    near = sum(candidate.vector_rank is not None for candidate in found)
    if near >= min(depth, route.permitted // 2):
        return found
    # What the filters keep is far from the question: the scan gave up before it came there.
    exact = replace(route, is_exact=True)
    return _candidates(scope, question, vectors, counted, depth=depth, route=exact)


def _candidates(
    scope: Scope,
    question: Question,
    vectors: Sequence[QueryVector],
    counted: Totals,
    *,
    depth: int,
    route: Route,
) -> list[Candidate]:
    is_large = not route.is_exact
    formula = formula_for(question, counted, route) if question.candidates else None
    if scope.is_open and (vectors or question.candidates):
        with _scanning(route, depth) if vectors and is_large else nullcontext():
            statement = open_legs(scope, question, vectors, formula, depth=depth, route=route)
            return list(map(Candidate._make, statement.run_prepared()))
    is_gated_last = not scope.is_past and (is_large or route.share == 1.0)
    legs = Statement()
    names = []
    for number, query in enumerate(vectors):
        names.append(f"SELECT chunk_id, rank, NULL::bigint FROM vector_{number}")
        add_vector_leg(legs, number, query, scope, depth, is_large=is_large)
    if question.candidates:
        names.append("SELECT chunk_id, NULL::bigint, rank FROM keyword")
        add_keyword_leg(legs, scope, depth, formula=formula, is_gated_last=is_gated_last)
    if not names:
        return []
    pool = Statement()
    pool.add(
        "pool AS (SELECT chunk_id, min(vector_rank) AS vector_rank, "
        f"min(keyword_rank) AS keyword_rank FROM ({' UNION ALL '.join(names)}) "
        "AS legs (chunk_id, vector_rank, keyword_rank) "
        "GROUP BY chunk_id)"
    )
    with _scanning(route, depth) if is_large else nullcontext():
        return _scored(scope, question, vectors, [legs, pool], is_gated_last=is_gated_last)


@contextmanager
def _scanning(route: Route, depth: int) -> Iterator[None]:
    """Set HNSW scans up for what is inside."""
    # A search has its transaction already: another one would only be a savepoint, two round trips.
    with nullcontext() if connection.in_atomic_block else transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(scan_settings(route, depth))
        yield


def candidates_of_nodes(
    scope: Scope, question: Question, vectors: Sequence[QueryVector], nodes: Sequence[uuid.UUID]
) -> list[Candidate]:
    """Return the passages of some nodes, as far as they are permitted, with both signals."""
    pool = Statement()
    pool.add(
        "pool AS (SELECT chunk_id, NULL::bigint AS vector_rank, NULL::bigint AS keyword_rank FROM ("
    )
    for place, shelf in enumerate(scope.shelves):
        pool.add(
            f"{' UNION ALL ' if place else ''}SELECT id AS chunk_id FROM {shelf.passages} "
            f"WHERE node_id = ANY(%s) AND {shelf.within}",
            list(nodes),
            *shelf.parameters,
        )
    pool.add(") AS theirs)")
    return _scored(scope, question, vectors, [pool])


def ranks_of_nodes(
    scope: Scope, question: Question, vectors: Sequence[QueryVector], nodes: Sequence[uuid.UUID]
) -> list[Candidate]:
    """Return the passages of some nodes with their exact ranks in each leg, however far down.

    The legs are those of `candidates`, without a cut-off. Passages that no leg has are left out.
    """
    legs = Statement()
    names = []
    for number, query in enumerate(vectors):
        names.append(f"SELECT chunk_id, rank, NULL::bigint FROM vector_{number}")
        add_vector_leg(legs, number, query, scope, EVERYTHING, is_large=False)
    if question.candidates:
        names.append("SELECT chunk_id, NULL::bigint, rank FROM keyword")
        add_keyword_leg(legs, scope, EVERYTHING)
    if not names:
        return []
    pool = Statement()
    pool.add(
        "pool AS (SELECT chunk_id, min(vector_rank) AS vector_rank, "
        f"min(keyword_rank) AS keyword_rank FROM ({' UNION ALL '.join(names)}) "
        "AS legs (chunk_id, vector_rank, keyword_rank) WHERE chunk_id IN ("
    )
    for place, shelf in enumerate(scope.shelves):
        union = " UNION ALL " if place else ""
        pool.add(f"{union}SELECT id FROM {shelf.passages} WHERE node_id = ANY(%s)", list(nodes))
    pool.add(") GROUP BY chunk_id)")
    return _scored(scope, question, vectors, [legs, pool])


def _scored(
    scope: Scope,
    question: Question,
    vectors: Sequence[QueryVector],
    ctes: list[Statement],
    *,
    is_gated_last: bool = False,
) -> list[Candidate]:
    """Run the CTEs, of which the last is `pool`, and return its passages with both signals.

    `is_gated_last` says that nearly everything is permitted, so that it is quicker to look whether
    the best passages are than to list what is.
    """
    statement = Statement()
    statement.add("WITH question AS (SELECT %s::sparsevec AS terms", sparse_text(question.weights))
    for number, query in enumerate(vectors):
        text = vector_text(query.vector)
        statement.add(f", %s::vector AS vector_{number}", text)
        if _needs_halves(scope, query):
            statement.add(f", %s::halfvec AS half_{number}", text)
    statement.add(
        f"), permitted ({scope.columns}) AS {'NOT ' if is_gated_last else ''}MATERIALIZED ("
    )
    statement.add(scope.permitted, *scope.parameters)
    statement.add(")")
    for cte in ctes:
        if cte.parts:
            statement.add(", ")
            statement.extend(cte)
    for place, shelf in enumerate(scope.shelves):
        if place:
            statement.add(" UNION ALL")
        _add_signals(statement, shelf, vectors)
    return list(map(Candidate._make, statement.run()))


def _needs_halves(scope: Scope, query: QueryVector) -> bool:
    return any(shelf.are_halves for shelf in scope.shelves) or any(
        generation.ann_is_half for generation in query.generations
    )


def _add_signals(statement: Statement, shelf: Shelf, vectors: Sequence[QueryVector]) -> None:
    """Add the SELECT of a shelf's part of the pool, with signals in whichever model has them."""
    distance, model = "NULL::float8", "NULL::int"
    if vectors:
        held = [f" WHEN e{n}.{shelf.vector_id} IS NOT NULL THEN " for n in range(len(vectors))]
        products = "".join(
            f"{case}-(e{number}.vector <#> {asked(shelf, number)})"
            for number, case in enumerate(held)
        )
        distance = f"CASE{products} END"
        model = f"CASE{''.join(f'{case}{number}' for number, case in enumerate(held))} END"
    statement.add(
        f" SELECT c.id, c.node_id, c.sequence, {distance}, "
        "-(c.terms <#> (SELECT terms FROM question)), "
        f"pool.vector_rank, pool.keyword_rank, {model} "
        f"FROM pool JOIN {shelf.passages} c ON c.id = pool.chunk_id"
    )
    for number, query in enumerate(vectors):
        table = shelf.vectors or "knowledge_embedding"
        statement.add(f" LEFT JOIN {table} e{number} ON e{number}.{shelf.vector_id} = c.id AND ")
        if shelf.vectors is None:
            ids = [generation.pk for generation in query.generations]
            statement.add(f"e{number}.generation_id = ANY(%s)", ids)
        else:
            statement.add(f"e{number}.model_key = %s", query.model_key)
