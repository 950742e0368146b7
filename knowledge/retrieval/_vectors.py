"""The vector leg: the passages nearest to a question's vector.

A small scope is scanned exactly: an HNSW scan that filters afterwards loses results without a
word. A large one goes through the generation's HNSW index with relaxed iterative scan, fetches more
than is asked for, and sorts again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.retrieval._scope import Scope, ServingGeneration
from knowledge.retrieval._shelves import Shelf, Statement

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EF_SEARCH = 400
"""Finds all of the ten nearest for questions like the texts, nine of ten for any other."""
OVERFETCH = 2


@dataclass(frozen=True, slots=True)
class QueryVector:
    """The question's vector in one model, and the generations that hold vectors of that model."""

    model_key: str
    generations: tuple[ServingGeneration, ...]
    vector: npt.NDArray[np.float32]
    weight: float


def asked(shelf: Shelf, number: int) -> str:
    """Return the question's vector, in the precision of a shelf."""
    return f"(SELECT {'half' if shelf.are_halves else 'vector'}_{number} FROM question)"


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
        question = asked(shelf, number)
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
