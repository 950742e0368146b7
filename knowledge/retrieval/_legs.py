"""Candidates of the vector and keyword legs, each with both signals, in one statement.

A small scope is scanned exactly: an HNSW scan that filters afterwards loses results without a
word. A large one goes through the generation's HNSW index with relaxed iterative scan, fetches more
than is asked for, and sorts again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from knowledge.binary import sparse_text, vector_text
from knowledge.retrieval._question import Question
from knowledge.retrieval._scope import Scope, ServingGeneration

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EXACT_UP_TO = 20_000
"""Permitted passages up to which the vector leg scans them all."""
EF_SEARCH = 400
"""Finds all of the ten nearest for questions like the texts, nine of ten for any other."""
OVERFETCH = 2
SCAN_FROM_SHARE = 0.15
"""Share of the scope that the words bring, from which on reading every weight is quicker."""


@dataclass(frozen=True, slots=True)
class QueryVector:
    """The question's vector in one model, and the generations that hold vectors of that model."""

    model_key: str
    generations: tuple[ServingGeneration, ...]
    vector: npt.NDArray[np.float32]
    weight: float


@dataclass(frozen=True, slots=True)
class Candidate:
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


@dataclass(slots=True)
class Statement:
    """SQL that grows in parts with its parameters."""

    parts: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, sql: str, *parameters: Any) -> None:
        """Append a part."""
        self.parts.append(sql)
        self.parameters.extend(parameters)

    def run(self) -> list[tuple[Any, ...]]:
        """Execute and return all rows."""
        with connection.cursor() as cursor:
            cursor.execute("".join(self.parts), self.parameters)
            return list(cursor.fetchall())


def permitted_count(scope: Scope, limit: int) -> int:
    """Return how many passages the scope has, counted no further than `limit`."""
    statement = Statement()
    statement.add("SELECT count(*) FROM (SELECT 1 FROM knowledge_chunk WHERE node_id IN (", *())
    statement.add(scope.permitted, *scope.parameters)
    statement.add(") LIMIT %s) AS counted", limit)
    return int(statement.run()[0][0])


def candidates(
    scope: Scope,
    question: Question,
    vectors: Sequence[QueryVector],
    *,
    depth: int,
    is_large: bool,
) -> list[Candidate]:
    """Return the best `depth` passages of each leg, each with both signals."""
    legs = Statement()
    names = []
    for number, query in enumerate(vectors):
        names.append(f"SELECT chunk_id, rank, NULL::bigint FROM vector_{number}")
        _add_vector_leg(legs, number, query, scope, depth, is_large=is_large)
    if question.candidates:
        names.append("SELECT chunk_id, NULL::bigint, rank FROM keyword")
        _add_keyword_leg(legs, question, scope, depth, is_large=is_large)
    if not names:
        return []
    pool = Statement()
    pool.add(
        "pool AS (SELECT chunk_id, min(vector_rank) AS vector_rank, "
        f"min(keyword_rank) AS keyword_rank FROM ({' UNION ALL '.join(names)}) "
        "AS legs (chunk_id, vector_rank, keyword_rank) "
        "GROUP BY chunk_id)"
    )
    approximate = is_large and any(
        generation.has_ann_index for query in vectors for generation in query.generations
    )
    with transaction.atomic() if approximate else nullcontext():
        if approximate:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET LOCAL hnsw.iterative_scan = relaxed_order;"
                    f"SET LOCAL hnsw.ef_search = {EF_SEARCH}"
                )
        return _scored(scope, question, vectors, [legs, pool], is_large=is_large)


def candidates_of_nodes(
    scope: Scope, question: Question, vectors: Sequence[QueryVector], nodes: Sequence[uuid.UUID]
) -> list[Candidate]:
    """Return the passages of some nodes, as far as they are permitted, with both signals."""
    pool = Statement()
    pool.add(
        "pool AS (SELECT id AS chunk_id, NULL::bigint AS vector_rank, NULL::bigint AS keyword_rank "
        "FROM knowledge_chunk WHERE node_id = ANY(%s) AND node_id IN (SELECT id FROM permitted))",
        list(nodes),
    )
    return _scored(scope, question, vectors, [pool], is_large=False)


def _scored(
    scope: Scope,
    question: Question,
    vectors: Sequence[QueryVector],
    ctes: list[Statement],
    *,
    is_large: bool,
) -> list[Candidate]:
    """Run the CTEs, of which the last is `pool`, and return its passages with both signals."""
    statement = Statement()
    statement.add("WITH question AS (SELECT %s::sparsevec AS terms", sparse_text(question.weights))
    for number, query in enumerate(vectors):
        statement.add(f", %s::vector AS vector_{number}", vector_text(query.vector))
    statement.add(
        f"), permitted AS {'NOT ' if is_large else ''}MATERIALIZED (SELECT pk AS id FROM ("
    )
    statement.add(scope.permitted, *scope.parameters)
    statement.add(") AS nodes (pk))")
    for cte in ctes:
        if cte.parts:
            statement.add(", ")
            statement.add("".join(cte.parts), *cte.parameters)
    statement.add(_signals_sql(len(vectors)))
    for number, query in enumerate(vectors):
        statement.add(
            f" LEFT JOIN knowledge_embedding e{number} ON e{number}.chunk_id = c.id "
            f"AND e{number}.generation_id = ANY(%s)",
            [generation.pk for generation in query.generations],
        )
    return [
        Candidate(
            chunk=row[0],
            node=row[1],
            sequence=bytes(row[2]),
            similarity=None if row[3] is None else float(row[3]),
            bm25=float(row[4]),
            vector_rank=row[5],
            keyword_rank=row[6],
            model=row[7],
        )
        for row in statement.run()
    ]


def _signals_sql(models: int) -> str:
    """Return the SELECT of the pool's passages, with the signals in whichever model has them."""
    distance, model = "NULL::float8", "NULL::int"
    if models:
        held = [f" WHEN e{number}.chunk_id IS NOT NULL THEN " for number in range(models)]
        products = "".join(
            f"{case}-(e{number}.vector <#> (SELECT vector_{number} FROM question))"
            for number, case in enumerate(held)
        )
        distance = f"CASE{products} END"
        model = f"CASE{''.join(f'{case}{number}' for number, case in enumerate(held))} END"
    return (
        f"SELECT c.id, c.node_id, c.sequence, {distance}, "
        "-(c.terms <#> (SELECT terms FROM question)), "
        f"pool.vector_rank, pool.keyword_rank, {model} "
        "FROM pool JOIN knowledge_chunk c ON c.id = pool.chunk_id"
    )


def _add_vector_leg(
    legs: Statement, number: int, query: QueryVector, scope: Scope, depth: int, *, is_large: bool
) -> None:
    if legs.parts:
        legs.add(", ")
    question = f"(SELECT vector_{number} FROM question)"
    indexed = [one for one in query.generations if is_large and one.has_ann_index]
    scanned = [one.pk for one in query.generations if one not in indexed]
    legs.add(
        f"vector_{number} AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM ("
    )
    if scanned:
        # Without the cast of the index's expression, so that no plan can use an HNSW index here.
        legs.add(
            f"(SELECT chunk_id, vector <#> {question} AS distance FROM knowledge_embedding "
            "WHERE generation_id = ANY(%s) AND node_id IN (SELECT id FROM permitted) "
            "ORDER BY distance LIMIT %s)",
            scanned,
            depth,
        )
    for place, generation in enumerate(indexed):
        if scanned or place:
            legs.add(" UNION ALL ")
        legs.add(
            "(SELECT chunk_id, (vector::vector("
            f"{int(generation.dimensions)})) <#> {question} AS distance FROM knowledge_embedding "
            "WHERE generation_id = %s AND node_id IN (SELECT id FROM permitted) "
            "ORDER BY distance LIMIT %s)",
            generation.pk,
            OVERFETCH * depth,
        )
    legs.add(") AS nearest ORDER BY distance LIMIT %s)", depth)


def _add_keyword_leg(
    legs: Statement, question: Question, scope: Scope, depth: int, *, is_large: bool
) -> None:
    if legs.parts:
        legs.add(", ")
    legs.add(
        "keyword AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM ("
        "SELECT id AS chunk_id, terms <#> (SELECT terms FROM question) AS distance "
        "FROM knowledge_chunk WHERE node_id IN (SELECT id FROM permitted) "
    )
    if is_large or question.share < SCAN_FROM_SHARE:
        # Terms are letters, digits and joints only; as quoted lexemes none of them is an operator.
        quoted = ("'" + term.replace("'", "''") + "'" for term in question.candidates)
        legs.add("AND search @@ %s::tsquery ", " | ".join(quoted))
    else:
        # Most of the scope: the weights tell the same, without fetching the lexemes.
        legs.add("AND terms <#> (SELECT terms FROM question) < 0 ")
    legs.add("ORDER BY distance LIMIT %s) AS best)", depth)


def vectors_of(
    generations: Sequence[uuid.UUID], chunks: Sequence[uuid.UUID]
) -> dict[uuid.UUID, bytes]:
    """Return the packed vectors of some passages."""
    statement = Statement()
    statement.add(
        "SELECT chunk_id, vector_send(vector) FROM knowledge_embedding "
        "WHERE chunk_id = ANY(%s) AND generation_id = ANY(%s)",
        list(chunks),
        list(generations),
    )
    return {chunk: bytes(packed) for chunk, packed in statement.run()}
