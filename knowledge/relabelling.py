"""The short way to index a version whose text is that of the version before.

A change of metadata, tags, kind or validity leaves title and text as they are, and with them the
passages and their vectors: they only get the new version's number, and no model is asked. What
search keeps of the version before goes to the past as in any other swap.
"""

import uuid
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import F

from knowledge.choices import NodeStatus
from knowledge.models import Node, Space
from knowledge.past import passages_retire
from project.events.services import emit

_EQUAL = """
SELECT node.id, node.space_id, node.indexed_version, node.version
FROM knowledge_node AS node
JOIN knowledge_nodeversion AS indexed
    ON indexed.id = node.id AND indexed.version = node.indexed_version
JOIN knowledge_indexedversion AS held
    ON held.node_id = node.id AND held.version = node.indexed_version AND held.is_served
WHERE node.id = ANY(%s) AND node.status = %s AND node.indexed_version < node.version
    AND (indexed.title, indexed.language, indexed.content, indexed.anchors, indexed.space_id)
        = (node.title, node.language, node.content, node.anchors, node.space_id)
ORDER BY node.id
"""


@transaction.atomic
def passages_relabel(node_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Let the passages of nodes stand for their current versions where the text is the same.

    Returns the nodes for which that was all there is to do; the others are left as they are. Part
    of the caller's transaction if there is one.
    """
    rows = Node.objects.filter(pk__in=node_ids, status=NodeStatus.PUBLISHED).order_by("pk")
    locked = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_EQUAL, [locked, NodeStatus.PUBLISHED])
        found = cursor.fetchall()
    if not found:
        return []
    spaces = sorted({space_id for _pk, space_id, _old, _new in found})
    for space_id in spaces:  # the lock of a space comes after those of its nodes, as in a swap
        Space.objects.filter(pk=space_id).update(index_revision=F("index_revision") + 1)
    ids = [pk for pk, _space, _old, _new in found]
    passages_retire(ids, are_relabelled=True)
    _numbers_raise(found)
    Node.objects.filter(pk__in=ids).update(indexed_version=F("version"))
    for space_id in spaces:
        own = [(pk, version) for pk, space, _old, version in found if space == space_id]
        emit(
            "knowledge.node.indexed",
            {"nodes": [{"node": str(pk), "version": version} for pk, version in own]},
            space_id=space_id,
            subject_id=own[0][0] if len(own) == 1 else None,
        )
    return ids


def _numbers_raise(found: Sequence[tuple[uuid.UUID, uuid.UUID, int, int]]) -> None:
    pks, _spaces, old, new = (list(column) for column in zip(*found, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE knowledge_chunk AS served SET version = move.new
            FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS move (node_id, old, new)
            WHERE served.node_id = move.node_id AND served.version = move.old
            """,
            [pks, old, new],
        )
        cursor.execute(
            """
            INSERT INTO knowledge_indexedversion
                (node_id, space_id, version, passages, words, language, is_served, model_key,
                analysis)
            SELECT held.node_id, held.space_id, move.new, held.passages, held.words, held.language,
                true, '', held.analysis
            FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS move (node_id, old, new)
            JOIN knowledge_indexedversion AS held
                ON held.node_id = move.node_id AND held.version = move.old
            """,
            [pks, old, new],
        )
