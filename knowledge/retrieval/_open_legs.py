"""The legs where no filter leaves out anything: one statement, planned once a connection.

Nearly all that is near is permitted then, so both legs bring their passages best first, and whether
one is permitted is looked up until there are enough. The statement stays the same from question to
question, and so does its plan, which is made without knowing the question (a generic plan). It has
no choice, whatever PostgreSQL believes of its tables: what each leg reads is behind `OFFSET 0`, and
everything else is looked up a row at a time by `LATERAL ... OFFSET 0`. Joins of whole tables, which
wrong or lacking statistics make look cheap, cannot be expressed by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.ann import ann_vector
from knowledge.binary import sparse_text, vector_pack
from knowledge.retrieval._keywords import query_of
from knowledge.retrieval._pruning import Formula
from knowledge.retrieval._question import Question
from knowledge.retrieval._route import Route
from knowledge.retrieval._scope import Scope, ServingGeneration
from knowledge.retrieval._shelves import Statement
from knowledge.retrieval._vectors import OVERFETCH, QueryVector
from project.database.prepared import Packed

_GATED = "CROSS JOIN LATERAL (SELECT FROM permitted WHERE permitted.id = {}.node_id OFFSET 0) AS ok"


def open_legs(
    scope: Scope,
    question: Question,
    vectors: Sequence[QueryVector],
    formula: Formula | None,
    *,
    depth: int,
    route: Route,
) -> Statement:
    """Return the statement that brings the best `depth` passages of each leg with both signals.

    `formula` is that of the keyword leg; None weighs the whole scope. There is at least one leg.
    """
    statement = Statement()
    statement.add("WITH question AS MATERIALIZED (SELECT %s::sparsevec AS terms", _terms(question))
    for number, query in enumerate(vectors):
        statement.add(f", %s::vector AS vector_{number}", Packed(vector_pack(query.vector)))
    statement.add(f"), permitted (id) AS NOT MATERIALIZED ({scope.permitted})", *scope.parameters)
    names = []
    for number, query in enumerate(vectors):
        names.append(f"SELECT chunk_id, rank, NULL::bigint FROM vector_{number}")
        _add_vectors(statement, number, query, depth, is_exact=route.is_exact)
    if question.candidates:
        names.append("SELECT chunk_id, NULL::bigint, rank FROM keyword")
        _add_words(statement, scope, formula, depth)
    statement.add(
        ", pool AS MATERIALIZED (SELECT chunk_id, min(vector_rank) AS vector_rank, "
        f"min(keyword_rank) AS keyword_rank FROM ({' UNION ALL '.join(names)}) "
        "AS legs (chunk_id, vector_rank, keyword_rank) GROUP BY chunk_id)"
    )
    _add_signals(statement, vectors)
    return statement


def _terms(question: Question) -> str:
    return sparse_text(question.weights)


def _add_vectors(
    statement: Statement, number: int, query: QueryVector, depth: int, *, is_exact: bool
) -> None:
    indexed = () if is_exact else tuple(one for one in query.generations if one.has_ann_index)
    scanned = [one.pk for one in query.generations if one not in indexed]
    statement.add(
        f", vector_{number} AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank "
        "FROM ("
    )
    if scanned:
        # Without the cast of the index's expression, so that no plan can use an HNSW index here.
        statement.add(
            "(SELECT near.chunk_id, near.distance FROM (SELECT chunk_id, node_id, "
            f"vector <#> (SELECT vector_{number} FROM question) AS distance "
            "FROM knowledge_embedding WHERE generation_id = ANY(%s) ORDER BY distance OFFSET 0) "
            f"AS near {_GATED.format('near')} ORDER BY near.distance LIMIT %s)",
            scanned,
            depth,
        )
    for place, generation in enumerate(indexed):
        statement.add(" UNION ALL " if place or scanned else "")
        _add_index_scan(statement, number, generation, depth)
    statement.add(") AS nearest ORDER BY distance LIMIT %s)", depth)


def _add_index_scan(
    statement: Statement, number: int, generation: ServingGeneration, depth: int
) -> None:
    kind = "halfvec" if generation.ann_is_half else "vector"
    vector = ann_vector(generation.dimensions, is_half=generation.ann_is_half)
    # The index is of one generation: its id has to stand in the statement, not beside it.
    statement.add(
        "(SELECT near.chunk_id, near.distance FROM (SELECT chunk_id, node_id, "
        f"{vector} <#> (SELECT vector_{number}::{kind} FROM question) AS distance "
        f"FROM knowledge_embedding WHERE generation_id = '{generation.pk}'::uuid "
        f"ORDER BY distance OFFSET 0) AS near {_GATED.format('near')} "
        "ORDER BY near.distance LIMIT %s)",
        OVERFETCH * depth,
    )


def _add_words(statement: Statement, scope: Scope, formula: Formula | None, depth: int) -> None:
    statement.add(
        ", keyword AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM ("
        "SELECT weighed.id AS chunk_id, weighed.distance FROM ("
    )
    distance = "terms <#> (SELECT terms FROM question) AS distance"
    if formula is None:
        # The weights tell the same, without fetching the lexemes.
        statement.add(
            f"SELECT * FROM (SELECT id, node_id, {distance} FROM knowledge_chunk "
            "WHERE space_id = ANY(%s) OFFSET 0) AS every WHERE distance < 0 ",
            [*scope.space_ids],
        )
    else:
        statement.add(
            f"SELECT id, node_id, {distance} FROM knowledge_chunk "
            "WHERE space_id = ANY(%s) AND search @@ %s::tsquery ",
            [*scope.space_ids],
            query_of(formula),
        )
    statement.add(
        f"ORDER BY distance OFFSET 0) AS weighed {_GATED.format('weighed')} "
        "ORDER BY weighed.distance LIMIT %s) AS best)",
        depth,
    )


def _add_signals(statement: Statement, vectors: Sequence[QueryVector]) -> None:
    similarity, model = "NULL::float8", "NULL::int"
    if vectors:
        held = [f" WHEN e{number}.distance IS NOT NULL THEN " for number in range(len(vectors))]
        similarity = f"CASE{''.join(f'{case}-e{n}.distance' for n, case in enumerate(held))} END"
        model = f"CASE{''.join(f'{case}{n}' for n, case in enumerate(held))} END"
    statement.add(
        f" SELECT c.id, c.node_id, c.sequence, {similarity}, "
        "-(c.terms <#> (SELECT terms FROM question)), "
        f"pool.vector_rank, pool.keyword_rank, {model} FROM pool CROSS JOIN LATERAL ("
        "SELECT id, node_id, sequence, terms FROM knowledge_chunk WHERE id = pool.chunk_id OFFSET 0"
        ") AS c"
    )
    for number, query in enumerate(vectors):
        statement.add(
            f" LEFT JOIN LATERAL (SELECT vector <#> (SELECT vector_{number} FROM question) "
            "AS distance FROM knowledge_embedding WHERE chunk_id = pool.chunk_id "
            f"AND generation_id = ANY(%s) OFFSET 0) AS e{number} ON true",
            [generation.pk for generation in query.generations],
        )
