"""The neighbourhood of a node in the graph of relations."""

import uuid
from dataclasses import dataclass

from django.db.models import Q

from knowledge.choices import RelationStatus
from knowledge.models import Node, Relation
from knowledge.querysets import Reader


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Nodes by distance from the middle, and the relations among them."""

    nodes: list[Node]
    relations: list[Relation]


def neighbourhood(node: Node, *, user: Reader, depth: int, limit: int) -> Neighbourhood:
    """Return what is within `depth` relations of `node`, at most `limit` nodes, nearest first.

    Relations are followed in both directions, the heaviest first; nodes that `user` may not open
    are neither shown nor passed through.
    """
    visible = Node.objects.visible_to(user)
    found: dict[uuid.UUID, int] = {node.pk: 0}
    edge = [node.pk]
    for distance in range(1, depth + 1):
        rows = (
            Relation.objects.filter(Q(source__in=edge) | Q(target__in=edge))
            .filter(source__in=visible, target__in=visible)
            .exclude(status=RelationStatus.SUGGESTED)
            .order_by("-weight", "created_at", "id")
            .values_list("source_id", "target_id")
        )
        edge = []
        for pair in rows[: limit * 4]:
            for each in pair:
                if each not in found and len(found) < limit:
                    found[each] = distance
                    edge.append(each)
        if not edge:
            break
    nodes = sorted(visible.filter(pk__in=found), key=lambda each: (found[each.pk], each.title))
    relations = Relation.objects.filter(source__in=found, target__in=found)
    return Neighbourhood(nodes, list(relations.visible_to(user)[: limit * 8]))
