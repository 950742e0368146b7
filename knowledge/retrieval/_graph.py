"""What confirmed relations lead to from the best hits: today's, or those of another state."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from django.db import connection

from knowledge.choices import ChangeAction, RelationStatus
from knowledge.moments import Moment

NEIGHBOURS: Final = 40
MOST_RELATIONS: Final = 1000


Edge = tuple[uuid.UUID, uuid.UUID, float]
"""Source, target and weight of a confirmed relation."""


def led_scores(
    seeds: Mapping[uuid.UUID, float],
    *,
    steps: int,
    passing: Callable[[Iterable[uuid.UUID]], set[uuid.UUID]],
    relations: Callable[[list[uuid.UUID]], list[Edge]],
) -> dict[uuid.UUID, tuple[float, uuid.UUID]]:
    """Return what relations lead to each neighbour, and the node it comes from.

    A relation leads its weight's share of its seed's score, in both directions; of several ways the
    best counts. `passing` keeps the nodes that are permitted: nothing leads through another.
    `relations` gives those at some nodes.
    """
    best: dict[uuid.UUID, tuple[float, uuid.UUID]] = {}
    front = dict(seeds)
    for _step in range(steps):
        reached: dict[uuid.UUID, float] = {}
        for source, target, weight in relations(list(front)):
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


def relations_now(nodes: list[uuid.UUID]) -> list[Edge]:
    """Return the confirmed relations at some nodes, heaviest first."""
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


def relations_at(moment: Moment) -> Callable[[list[uuid.UUID]], list[Edge]]:
    """Return what gives the confirmed relations of another state."""
    if moment.proposal is not None:
        return partial(_as_if_merged, moment.proposal.pk)
    if moment.release is not None:
        return partial(_of_release, moment.release.pk)
    assert moment.as_of is not None
    return partial(_as_of, moment.as_of)


def _as_of(at: datetime.datetime, nodes: list[uuid.UUID]) -> list[Edge]:
    """Return the relations as their last versions before that moment have them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source_id, target_id, weight FROM (
                SELECT DISTINCT ON (id) source_id, target_id, weight, status, history_type
                FROM knowledge_relationversion
                WHERE (source_id = ANY(%s) OR target_id = ANY(%s)) AND history_date <= %s
                ORDER BY id, version DESC
            ) AS last
            WHERE status = %s AND history_type <> '-' ORDER BY weight DESC LIMIT %s
            """,
            [nodes, nodes, at, RelationStatus.CONFIRMED, MOST_RELATIONS],
        )
        return list(cursor.fetchall())


def _of_release(release_id: uuid.UUID, nodes: list[uuid.UUID]) -> list[Edge]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT was.source_id, was.target_id, was.weight FROM knowledge_relationversion AS was
            JOIN knowledge_releaserelation AS held
                ON held.relation_id = was.id AND held.version = was.version
            WHERE held.release_id = %s AND (was.source_id = ANY(%s) OR was.target_id = ANY(%s))
                AND was.status = %s
            ORDER BY was.weight DESC LIMIT %s
            """,
            [release_id, nodes, nodes, RelationStatus.CONFIRMED, MOST_RELATIONS],
        )
        return list(cursor.fetchall())


def _as_if_merged(proposal_id: uuid.UUID, nodes: list[uuid.UUID]) -> list[Edge]:
    """Return today's relations with a proposal's changes of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source_id, target_id, weight FROM (
                SELECT coalesce(now.source_id, change.source_id) AS source_id,
                    coalesce(now.target_id, change.target_id) AS target_id,
                    coalesce((change.fields->>'weight')::float8, now.weight, 1.0) AS weight,
                    coalesce(change.fields->>'status', now.status, %s) AS status, change.action
                FROM knowledge_relation AS now FULL JOIN (
                    SELECT * FROM knowledge_proposalchange
                    WHERE proposal_id = %s AND source_id IS NOT NULL
                ) AS change ON change.source_id = now.source_id
                    AND change.target_id = now.target_id AND change.relation_kind = now.kind
                WHERE coalesce(now.source_id, change.source_id) = ANY(%s)
                    OR coalesce(now.target_id, change.target_id) = ANY(%s)
            ) AS merged
            WHERE status = %s AND action IS DISTINCT FROM %s
            ORDER BY weight DESC LIMIT %s
            """,
            [
                RelationStatus.CONFIRMED,
                proposal_id,
                nodes,
                nodes,
                RelationStatus.CONFIRMED,
                ChangeAction.UNRELATE,
                MOST_RELATIONS,
            ],
        )
        return list(cursor.fetchall())
