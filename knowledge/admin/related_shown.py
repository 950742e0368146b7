"""What the page of a node shows of the nodes related to it."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from knowledge.admin.access import staff
from knowledge.models import Node, RelationSuggestion
from knowledge.relating.related import related_of

MOST = 8


def related_context(request: HttpRequest, node: Node) -> dict[str, Any]:
    """Return the related nodes of a stored node, and how many relations of it are suggested."""
    user = staff(request)
    suggested = RelationSuggestion.objects.visible_to(user).undecided()
    return {
        "related": related_of(node, user, limit=MOST),
        "suggested": suggested.filter(Q(source=node) | Q(target=node)).count(),
    }
