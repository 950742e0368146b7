"""What confirmed relations lead to from the best hits: today's, or those of another state."""

from __future__ import annotations

import datetime
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, cast

from django.db import connection

from knowledge.choices import ChangeAction, RelationStatus
from knowledge.moments import Moment
from project.database.prepared import prepared_rows

NEIGHBOURS: Final = 40
"""Nodes that relations may add to a search, or raise in it."""
MOST_NODES: Final = 200
"""Nodes that a walk may meet."""
MOST_RELATIONS: Final = 1000
ITERATIONS: Final = 12
SHARPNESS: Final = 2
"""To which power a seed's score counts: the best hit begins most walks."""

_RELATIONS: Final = """
SELECT source_id, target_id, weight FROM knowledge_relation
WHERE status = %s AND source_id = ANY(%s)
UNION
SELECT source_id, target_id, weight FROM knowledge_relation
WHERE status = %s AND target_id = ANY(%s)
ORDER BY weight DESC LIMIT %s
"""

Edge = tuple[uuid.UUID, uuid.UUID, float]
"""Source, target and weight of a confirmed relation."""
Relations = Callable[[list[uuid.UUID]], list[Edge]]
"""What gives the relations at some nodes, heaviest first."""
Passing = Callable[[Iterable[uuid.UUID]], set[uuid.UUID]]
"""What keeps the nodes that are permitted: nothing leads through another."""


def led_scores(
    seeds: Mapping[uuid.UUID, float],
    *,
    steps: int,
    damping: float,
    passing: Passing,
    relations: Relations,
) -> dict[uuid.UUID, tuple[float, uuid.UUID]]:
    """Return what relations lead from the seeds to each node, 0 to 1, and its nearest way there.

    A walk starts from the seeds by their scores, follows relations in both directions, and begins
    anew with the probability 1 - `damping` (personalised PageRank: Haveliwala, 2002). A relation
    weighs `weight / sqrt(degree · degree)` (Zhou et al., "Learning with Local and Global
    Consistency", 2004): a node that everything is related to leads hardly anywhere, and a node with
    some relations still leads to each. Where most arrives, it counts as the best seed's score times
    the heaviest weight. The walk meets nodes at most `steps` relations away, and MOST_NODES in all.
    """
    weights, heaviest = _around(seeds, steps, passing, relations)
    if not weights:
        return {}
    arrived, ways = _walked(seeds, weights, damping, heaviest)
    known = {node: (led, ways[node]) for node, led in arrived.items() if node in ways and led > 0.0}
    ordered = sorted(known.items(), key=lambda item: (-item[1][0], item[0]))
    return dict(ordered[:NEIGHBOURS])


def _around(
    seeds: Mapping[uuid.UUID, float], steps: int, passing: Passing, relations: Relations
) -> tuple[dict[uuid.UUID, dict[uuid.UUID, float]], float]:
    """Return the weights of relations among the nodes around the seeds, both ways.

    Also the weight that the heaviest of them was given.
    """
    known, permitted = set(seeds), set(seeds)
    seen: dict[tuple[uuid.UUID, uuid.UUID], float] = {}
    front = list(seeds)
    for step in range(steps + 1):
        if not front:
            break
        ends: dict[uuid.UUID, None] = {}
        for source, target, weight in relations(front):
            if source != target and weight > 0.0:
                pair = (min(source, target), max(source, target))
                seen[pair] = max(weight, seen.get(pair, 0.0))
                ends |= dict.fromkeys((source, target))
        new = [node for node in ends if node not in permitted]
        allowed = passing(new) if new else set()
        permitted |= allowed
        if step == steps:
            break  # these were asked for to know how many relations the outermost have
        front = [node for node in new if node in allowed][: MOST_NODES - len(known)]
        known.update(front)
    degrees: dict[uuid.UUID, float] = {}
    for pair, weight in seen.items():
        if permitted.issuperset(pair):  # what is hidden must not show in a score either
            for node in pair:
                degrees[node] = degrees.get(node, 0.0) + weight
    weights: dict[uuid.UUID, dict[uuid.UUID, float]] = {}
    heaviest = 0.0
    for (one, other), weight in seen.items():
        if one in known and other in known:
            # One weak relation stays weak: a degree below 1 strengthens nothing.
            share = weight / math.sqrt(max(degrees[one], 1.0) * max(degrees[other], 1.0))
            weights.setdefault(one, {})[other] = share
            weights.setdefault(other, {})[one] = share
            heaviest = max(heaviest, weight)
    return weights, heaviest


def _walked(
    seeds: Mapping[uuid.UUID, float],
    weights: Mapping[uuid.UUID, Mapping[uuid.UUID, float]],
    damping: float,
    heaviest: float,
) -> tuple[dict[uuid.UUID, float], dict[uuid.UUID, uuid.UUID]]:
    """Return what arrives at each node, and the neighbour that most of it comes from.

    A seed is told what comes from others, without what it started with.
    """
    start = {node: score**SHARPNESS for node, score in seeds.items() if score > 0.0}
    mass = dict(start)
    came: dict[uuid.UUID, float] = {}
    ways: dict[uuid.UUID, tuple[float, uuid.UUID]] = {}
    for _round in range(ITERATIONS):
        came, ways = {}, {}
        for node, held in mass.items():
            for other, share in weights.get(node, {}).items():
                moved = damping * held * share
                came[other] = came.get(other, 0.0) + moved
                if moved > ways.get(other, (0.0, node))[0]:
                    ways[other] = (moved, node)
        mass = {
            node: (1.0 - damping) * start.get(node, 0.0) + came.get(node, 0.0)
            for node in came.keys() | start.keys()
        }
    most = max((led for node, led in came.items() if node not in seeds), default=0.0)
    most = most or max(came.values(), default=0.0)
    if not most:
        return {}, {}
    scale = max(seeds.values()) * heaviest / most
    return (
        {node: min(1.0, scale * led) for node, led in came.items()},
        {node: way for node, (_moved, way) in ways.items()},
    )


def relations_now(nodes: list[uuid.UUID]) -> list[Edge]:
    """Return the confirmed relations at some nodes, heaviest first."""
    status = str(RelationStatus.CONFIRMED)
    return cast(
        "list[Edge]", prepared_rows(_RELATIONS, [status, nodes, status, nodes, MOST_RELATIONS])
    )


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
