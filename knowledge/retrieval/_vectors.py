"""The vector leg: the passages nearest to a question's vector.

A small scope is scanned exactly: an HNSW scan that filters afterwards loses results without a
word. A large one goes through the generation's HNSW index with relaxed iterative scan, fetches more
than is asked for, and sorts again.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.ann import ann_vector
from knowledge.retrieval._route import Route
from knowledge.retrieval._scope import Scope, ServingGeneration
from knowledge.retrieval._shelves import Shelf, Statement

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EF_SEARCH = 500
"""Candidates that a scan keeps.

Of the ten nearest of 100,000 synthetic vectors, 400 found 0.964, and 500 found 0.985 in a tenth
more time.
"""
MOST_EF_SEARCH = 800
EF_FROM = 100_000
"""Vectors from which on more candidates are kept, by the root."""
FILTERED_EF = 2
"""Times as many are kept where filters leave out what is near."""
OVERFETCH = 2
PATIENCE = 4
"""Times as many vectors are looked at as a filter that keeps them by chance would need."""
LEAST_SCANNED = 2000


@dataclass(frozen=True, slots=True)
class QueryVector:
    """The question's vector in one model, and the generations that hold vectors of that model."""

    model_key: str
    generations: tuple[ServingGeneration, ...]
    vector: npt.NDArray[np.float32]
    weight: float


def scan_settings(route: Route, depth: int) -> str:
    """Return the SQL that sets HNSW scans up for this transaction.

    A scan that meets filters goes on (iterative scan), sorted only roughly, until it has what it
    needs or has looked for longer than filters by chance would make it.
    """
    ef_search = EF_SEARCH * math.sqrt(max(1.0, route.passages / EF_FROM))
    if route.share < 1.0:
        ef_search *= FILTERED_EF
    scanned = max(LEAST_SCANNED, round(PATIENCE * OVERFETCH * depth / route.share))
    return (
        "SET LOCAL hnsw.iterative_scan = relaxed_order; "
        f"SET LOCAL hnsw.ef_search = {round(min(MOST_EF_SEARCH, max(ef_search, depth)))}; "
        f"SET LOCAL hnsw.max_scan_tuples = {scanned}; "
        "SET LOCAL enable_sort = off"  # no plan may sort all vectors instead
    )


def asked(shelf: Shelf, number: int) -> str:
    """Return the question's vector, in the precision of a shelf."""
    return _asked(number, is_half=shelf.are_halves)


def _asked(number: int, *, is_half: bool) -> str:
    return f"(SELECT {'half' if is_half else 'vector'}_{number} FROM question)"


def add_vector_leg(
    legs: Statement, number: int, query: QueryVector, scope: Scope, depth: int, *, is_large: bool
) -> None:
    if legs.parts:
        legs.add(", ")
    legs.add(
        f"vector_{number} AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM ("
    )
    scans: list[Statement] = []
    for shelf in scope.shelves:
        if shelf.vectors is None:
            scans += _generation_scans(shelf, query, number, depth, is_large=is_large)
        else:
            scan = Statement()
            scan.add(
                f"(SELECT {shelf.vector_id} AS chunk_id, "
                f"vector <#> {asked(shelf, number)} AS distance "
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


def _generation_scans(
    shelf: Shelf, query: QueryVector, number: int, depth: int, *, is_large: bool
) -> list[Statement]:
    """Return the scans of a question over the embeddings of its generations."""
    indexed = [one for one in query.generations if is_large and one.has_ann_index]
    scanned = [one.pk for one in query.generations if one not in indexed]
    scans = []
    if scanned:
        # Without the cast of the index's expression, so that no plan can use an HNSW index here.
        exact = Statement()
        exact.add(
            f"(SELECT chunk_id, vector <#> {asked(shelf, number)} AS distance "
            f"FROM knowledge_embedding WHERE generation_id = ANY(%s) AND {shelf.within} "
            "ORDER BY distance LIMIT %s)",
            scanned,
            *shelf.parameters,
            depth,
        )
        scans.append(exact)
    for generation in indexed:
        scan = Statement()
        vector = ann_vector(generation.dimensions, is_half=generation.ann_is_half)
        question = _asked(number, is_half=generation.ann_is_half)
        scan.add(
            f"(SELECT chunk_id, {vector} <#> {question} AS distance FROM knowledge_embedding "
            f"WHERE generation_id = %s AND {shelf.within} "
            "ORDER BY distance LIMIT %s)",
            generation.pk,
            *shelf.parameters,
            OVERFETCH * depth,
        )
        scans.append(scan)
    return scans


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
            f"WHERE {shelf.vector_id} = ANY(%s::uuid[]) AND ",
            f"{{{','.join(map(str, chunks))}}}",  # quicker than a list
        )
        if shelf.vectors is None:
            ids = [generation.pk for generation in query.generations]
            statement.add("generation_id = ANY(%s)", ids)
        else:
            statement.add("model_key = %s", query.model_key)
    return {chunk: bytes(packed) for chunk, packed in statement.run_prepared()}
