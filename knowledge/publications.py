"""Keeping the times of publication in step with nodes, in the transaction that writes them."""

import datetime
import uuid
from collections.abc import Iterable, Sequence

from django.db.models import Value
from django.db.models.functions import Greatest

from knowledge.choices import NodeStatus
from knowledge.models import Node, Publication
from project.database.rows import rows_add


def publications_follow(nodes: Sequence[Node], at: datetime.datetime) -> None:
    """Make the open publications of some locked nodes those of their status and version.

    What another version was open ends `at`; a version that is open already goes on.
    """
    wanted = {node.pk: node for node in nodes if node.status == NodeStatus.PUBLISHED}
    open_rows = dict(
        Publication.objects.filter(
            node_id__in=[node.pk for node in nodes], ended_at=None
        ).values_list("node_id", "version")
    )
    publications_end(
        (
            pk
            for pk, number in open_rows.items()
            if pk not in wanted or wanted[pk].version != number
        ),
        at,
    )
    rows_add(
        [
            Publication(node_id=pk, space_id=node.space_id, version=node.version, started_at=at)
            for pk, node in wanted.items()
            if open_rows.get(pk) != node.version
        ]
    )


def publications_end(node_ids: Iterable[uuid.UUID], at: datetime.datetime) -> None:
    """End the open publications of some nodes."""
    ids = list(node_ids)
    if ids:
        Publication.objects.filter(node_id__in=ids, ended_at=None).update(
            ended_at=Greatest("started_at", Value(at))
        )
