"""What a question finds that has no words to rank by: all that meets its conditions."""

from __future__ import annotations

import uuid

from knowledge.retrieval._found import Found, Unit
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._shelves import Statement

STEP = 1e-6
"""What each score is below the one before, so that the order is kept."""


def listed(found: Found, scope: Scope, depth: int) -> list[Unit]:
    """Return the first passage of each node of the scope, the latest changed nodes first.

    They all are what was asked for: their scores begin at 1.
    """
    statement = Statement()
    statement.add(f"WITH permitted ({scope.columns}) AS MATERIALIZED (")
    statement.add(scope.permitted, *scope.parameters)
    statement.add(") SELECT first.id, first.node_id, first.sequence FROM (")
    for place, shelf in enumerate(scope.shelves):
        statement.add(" UNION ALL " if place else "")
        statement.add(
            "(SELECT DISTINCT ON (node_id) id, node_id, sequence "
            f"FROM {shelf.passages} WHERE {shelf.within} ORDER BY node_id, position)",
            *shelf.parameters,
        )
    statement.add(
        ") AS first LEFT JOIN knowledge_node AS node ON node.id = first.node_id "
        "ORDER BY node.updated_at DESC NULLS LAST, first.node_id LIMIT %s",
        depth,
    )
    rows = [(chunk, node, bytes(sequence)) for chunk, node, sequence in statement.run()]
    seen = {node for _chunk, node, _sequence in rows}
    for gap in found.gaps.values():
        if gap.node not in seen:
            seen.add(gap.node)
            rows.append((gap.id, gap.node, gap.indexed.sequence))
    return [_unit(*row, 1.0 - place * STEP) for place, row in enumerate(rows)]


def _unit(chunk: uuid.UUID, node: uuid.UUID, sequence: bytes, score: float) -> Unit:
    best = Candidate(
        chunk=chunk,
        node=node,
        sequence=sequence,
        similarity=None,
        bm25=0.0,
        vector_rank=None,
        keyword_rank=None,
        model=None,
    )
    return Unit(
        best=best,
        score=score,
        similarity=0.0,
        match=0.0,
        phrase=0.0,
        weight=0.0,
        passages=[best],
        fused=score,
    )
