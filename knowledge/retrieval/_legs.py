"""Candidates of the vector and keyword legs, each with both signals, in one statement.

A small scope is scanned exactly: an HNSW scan that filters afterwards loses results without a
word. A large one goes through the generation's HNSW index with relaxed iterative scan, fetches more
than is asked for, and sorts again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection, transaction

from knowledge.binary import sparse_text, vector_text
from knowledge.retrieval._question import Question
from knowledge.retrieval._scope import Scope, ServingGeneration
from knowledge.retrieval._shelves import Shelf, Statement, quoted

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
        text = vector_text(query.vector)
        statement.add(f", %s::vector AS vector_{number}", text)
        if any(shelf.are_halves for shelf in scope.shelves):
            statement.add(f", %s::halfvec AS half_{number}", text)
    statement.add(
        f"), permitted ({scope.columns}) AS {'NOT ' if is_large and not scope.is_past else ''}"
        "MATERIALIZED ("
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


def _add_signals(statement: Statement, shelf: Shelf, vectors: Sequence[QueryVector]) -> None:
    """Add the SELECT of a shelf's part of the pool, with signals in whichever model has them."""
    distance, model = "NULL::float8", "NULL::int"
    if vectors:
        held = [f" WHEN e{n}.{shelf.vector_id} IS NOT NULL THEN " for n in range(len(vectors))]
        products = "".join(
            f"{case}-(e{number}.vector <#> {_asked(shelf, number)})"
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


def _add_vector_leg(
    legs: Statement, number: int, query: QueryVector, scope: Scope, depth: int, *, is_large: bool
) -> None:
    if legs.parts:
        legs.add(", ")
    legs.add(
        f"vector_{number} AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM ("
    )
    scans: list[Statement] = []
    for shelf in scope.shelves:
        question = _asked(shelf, number)
        if shelf.vectors is None:
            scans += _generation_scans(shelf, query, question, depth, is_large=is_large)
        else:
            scan = Statement()
            scan.add(
                f"(SELECT {shelf.vector_id} AS chunk_id, vector <#> {question} AS distance "
                f"FROM {shelf.vectors} WHERE model_key = %s AND {shelf.within} "
                "ORDER BY distance LIMIT %s)",
                query.model_key,
                *shelf.parameters,
                depth,
            )
            scans.append(scan)
    for place, scan in enumerate(scans):
        if place:
            legs.add(" UNION ALL ")
        legs.extend(scan)
    legs.add(") AS nearest ORDER BY distance LIMIT %s)", depth)


def _asked(shelf: Shelf, number: int) -> str:
    """Return the question's vector, in the precision of a shelf."""
    return f"(SELECT {'half' if shelf.are_halves else 'vector'}_{number} FROM question)"


def _generation_scans(
    shelf: Shelf, query: QueryVector, question: str, depth: int, *, is_large: bool
) -> list[Statement]:
    """Return the scans of a question over the embeddings of its generations."""
    indexed = [one for one in query.generations if is_large and one.has_ann_index]
    scanned = [one.pk for one in query.generations if one not in indexed]
    scans = []
    if scanned:
        # Without the cast of the index's expression, so that no plan can use an HNSW index here.
        exact = Statement()
        exact.add(
            f"(SELECT chunk_id, vector <#> {question} AS distance FROM knowledge_embedding "
            f"WHERE generation_id = ANY(%s) AND {shelf.within} "
            "ORDER BY distance LIMIT %s)",
            scanned,
            *shelf.parameters,
            depth,
        )
        scans.append(exact)
    for generation in indexed:
        scan = Statement()
        scan.add(
            "(SELECT chunk_id, (vector::vector("
            f"{int(generation.dimensions)})) <#> {question} AS distance FROM knowledge_embedding "
            f"WHERE generation_id = %s AND {shelf.within} "
            "ORDER BY distance LIMIT %s)",
            generation.pk,
            *shelf.parameters,
            OVERFETCH * depth,
        )
        scans.append(scan)
    return scans


def _add_keyword_leg(
    legs: Statement, question: Question, scope: Scope, depth: int, *, is_large: bool
) -> None:
    if legs.parts:
        legs.add(", ")
    by_word = is_large or question.share < SCAN_FROM_SHARE
    legs.add("keyword AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM (")
    for place, shelf in enumerate(scope.shelves):
        legs.add(
            f"{' UNION ALL ' if place else ''}"
            "(SELECT id AS chunk_id, terms <#> (SELECT terms FROM question) AS distance "
            f"FROM {shelf.passages} WHERE {shelf.within} ",
            *shelf.parameters,
        )
        if by_word:
            legs.add("AND search @@ %s::tsquery ", " | ".join(quoted(question.candidates)))
        else:
            # Most of the scope: the weights tell the same, without fetching the lexemes.
            legs.add("AND terms <#> (SELECT terms FROM question) < 0 ")
        legs.add("ORDER BY distance LIMIT %s)", depth)
    # Of several shelves each brings its best: never fewer than the best of all.
    legs.add(") AS best)")


def vectors_of(
    scope: Scope, query: QueryVector, chunks: Sequence[uuid.UUID]
) -> dict[uuid.UUID, bytes]:
    """Return the packed vectors of some passages."""
    statement = Statement()
    for place, shelf in enumerate(scope.shelves):
        statement.add(" UNION ALL " if place else "")
        table = shelf.vectors or "knowledge_embedding"
        vector = "vector::vector" if shelf.are_halves else "vector"
        statement.add(
            f"SELECT {shelf.vector_id}, vector_send({vector}) FROM {table} "
            f"WHERE {shelf.vector_id} = ANY(%s) AND ",
            list(chunks),
        )
        if shelf.vectors is None:
            ids = [generation.pk for generation in query.generations]
            statement.add("generation_id = ANY(%s)", ids)
        else:
            statement.add("model_key = %s", query.model_key)
    return {chunk: bytes(packed) for chunk, packed in statement.run()}
