"""What confirmed relations lead to from the best hits."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from django.db import connection

from knowledge.choices import RelationStatus

SEEDS: Final = 5
LIGHT_SHARE: Final = 0.1
"""Share of a seed's score that a relation leads on in a hybrid search."""
FULL_SHARE: Final = 0.5
"""The same in a graph search, which takes two steps."""
NEIGHBOURS: Final = 40
MOST_RELATIONS: Final = 1000


def led_scores(
    seeds: Mapping[uuid.UUID, float],
    *,
    steps: int,
    passing: Callable[[Iterable[uuid.UUID]], set[uuid.UUID]],
) -> dict[uuid.UUID, tuple[float, uuid.UUID]]:
    """Return what relations lead to each neighbour, and the node it comes from.

    A relation leads its weight's share of its seed's score, in both directions; of several ways the
    best counts. `passing` keeps the nodes that are permitted: nothing leads through another.
    """
    best: dict[uuid.UUID, tuple[float, uuid.UUID]] = {}
    front = dict(seeds)
    for _step in range(steps):
        reached: dict[uuid.UUID, float] = {}
        for source, target, weight in _relations(front):
            for here, there in ((source, target), (target, source)):
                if here not in front:
                    continue
                led = front[here] * weight
                if led > best.get(there, (0.0, there))[0]:
                    best[there] = (led, here)
                    reached[there] = led
        allowed = passing(reached) if reached else set()
        best = {node: way for node, way in best.items() if node not in reached or node in allowed}
        front = {node: reached[node] for node in allowed if node not in seeds}
        if not front:
            break
    ordered = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return dict(ordered[:NEIGHBOURS])


def _relations(front: Mapping[uuid.UUID, float]) -> list[tuple[uuid.UUID, uuid.UUID, float]]:
    """Return source, target and weight of the confirmed relations at some nodes, heaviest first."""
    nodes = list(front)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source_id, target_id, weight FROM knowledge_relation
            WHERE status = %s AND source_id = ANY(%s)
            UNION
            SELECT source_id, target_id, weight FROM knowledge_relation
            WHERE status = %s AND target_id = ANY(%s)
            ORDER BY weight DESC LIMIT %s
            """,
            [RelationStatus.CONFIRMED, nodes, RelationStatus.CONFIRMED, nodes, MOST_RELATIONS],
        )
        return list(cursor.fetchall())
