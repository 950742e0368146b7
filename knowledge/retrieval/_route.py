"""How a search reaches its passages: by looking at all that are permitted, or through an index.

An HNSW scan that filters afterwards loses results without a word, and the rarer the permitted
passages are, the longer it looks for them: about `depth / share` steps. Looking at each permitted
passage finds everything and takes as long as there are passages. The two take the same time where
the passages permitted are as many as the root of `depth · steps per look · all`; a step of the scan
costs three looks (measured: 10 and 3 microseconds), and what finds everything is preferred as long
as it takes no more than three times as long.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass

from knowledge.choices import NodeStatus
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._shelves import Statement

LEAST_EXACT = 5000
"""Permitted passages that are always looked at one by one."""
EXACT_PER_PASSAGE = 1000
"""Depth of a leg (100) · looks a step (3.3) · preference for what finds everything (3)."""
SAMPLE = 2000
"""Nodes looked at to tell how many of all the filters keep."""
_IDS = 1 << 128


@dataclass(frozen=True, slots=True)
class Route:
    """`passages` of the spaces, of which about `permitted` pass the filters.

    `is_exact` says that the vector leg looks at each of them.
    """

    passages: int
    permitted: int
    is_exact: bool

    @property
    def share(self) -> float:
        """The share of the passages that is permitted."""
        return min(1.0, max(self.permitted, 1) / max(self.passages, 1))


def exact_up_to(passages: int) -> int:
    """Return up to how many permitted passages among all are looked at one by one."""
    return max(LEAST_EXACT, math.isqrt(EXACT_PER_PASSAGE * passages))


def route_of(scope: Scope, passages: int) -> Route:
    """Return how to search the `passages` of the spaces of a scope.

    Without filters a generation that has an index is searched through it; of another state than the
    present one the served passages are, from some number on.
    """
    if scope.is_past or not scope.is_narrow:
        is_exact = passages <= LEAST_EXACT or not any(
            generation.has_ann_index for generation in scope.generations
        )
        return Route(passages, passages, is_exact)
    most = exact_up_to(passages)
    if passages <= most:
        return Route(passages, passages, is_exact=True)
    permitted = round(passages * _share_kept(scope))
    return Route(passages, permitted, is_exact=permitted <= most)


def _share_kept(scope: Scope) -> float:
    """Return about which share of the nodes of the spaces the filters keep.

    The ids of nodes are random: those below a bound are a sample of all.
    """
    size = Statement()
    size.add("SELECT reltuples FROM pg_class WHERE oid = 'knowledge_node'::regclass")
    nodes = max(1.0, float(size.run()[0][0]))
    bound = uuid.UUID(int=min(_IDS - 1, int(_IDS * min(1.0, SAMPLE / nodes))))
    counts = Statement()
    counts.add("SELECT (SELECT count(*) FROM (")
    counts.add(scope.permitted, *scope.parameters)
    counts.add(") AS kept (id) WHERE id <= %s), (SELECT count(*) FROM knowledge_node ", bound)
    counts.add(
        "WHERE id <= %s AND space_id = ANY(%s) AND status = %s)",
        bound,
        [*scope.space_ids],
        NodeStatus.PUBLISHED,
    )
    kept, everything = counts.run()[0]
    return kept / everything if everything else 0.0
