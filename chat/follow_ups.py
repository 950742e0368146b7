"""Questions that may come next: of headings near what was cited, and of what belongs to it.

No model is asked. Each question stands alone, because it names the text that it is about.
"""

from collections.abc import Sequence

from django.db.models import Q
from django.utils.translation import gettext as _

from chat.models import Citation
from knowledge.choices import RelationStatus
from knowledge.models import Node, Relation
from knowledge.outline import outline
from project.accounts.models import User

SHOWN = 3
NODES = 3
"""Cited nodes that are looked at."""
LONGEST = 80
LARGEST = 200_000
"""Characters of a text whose headings are looked for while somebody waits."""


def follow_ups(citations: Sequence[Citation], user: User, question: str) -> list[str]:
    """Return at most SHOWN questions about texts that `user` may read, nearest first."""
    cited = [each.node_id for each in citations if each.node_id is not None]
    order = list(dict.fromkeys(cited))[:NODES]
    if not order:
        return []
    nodes = (
        Node.objects.searchable_by(user).only("id", "title", "content", "version").in_bulk(order)
    )
    found: list[str] = []
    for node in (nodes[pk] for pk in order if pk in nodes):
        places = [each.start for each in citations if each.node_id == node.pk]
        found += _of_headings(node, places, question)[: SHOWN - 1]
    found += _of_neighbours(order, user)
    return list(dict.fromkeys(found))[:SHOWN]


def _of_headings(node: Node, places: Sequence[int], question: str) -> list[str]:
    """Return questions of the headings that follow the cited places, then of those before."""
    if len(node.content) > LARGEST:
        return []
    headings = [each for each in outline(node.content).headings if each.level > 1]
    above = {
        max((each for each in headings if each.start <= place), key=lambda h: h.start, default=None)
        for place in places
    }
    last = max(places)
    free = [
        each
        for each in headings
        if each not in above
        and 0 < len(each.text) <= LONGEST
        and each.text.casefold() not in question.casefold()
        and each.text.casefold() != node.title.casefold()
    ]
    free.sort(key=lambda each: (each.start < last, abs(each.start - last)))
    text = _("What does “%(title)s” say about “%(heading)s”?")
    return [text % {"title": node.title, "heading": each.text} for each in free]


def _of_neighbours(nodes: Sequence[object], user: User) -> list[str]:
    """Return questions about nodes that confirmed relations join to the cited ones."""
    rows = Relation.objects.visible_to(user).filter(Q(source__in=nodes) | Q(target__in=nodes))
    pairs = rows.filter(status=RelationStatus.CONFIRMED).order_by("-weight", "id")
    ids = [
        pk
        for pair in pairs.values_list("source_id", "target_id")[:20]
        for pk in pair
        if pk not in nodes
    ]
    titles = dict(Node.objects.searchable_by(user).filter(pk__in=ids).values_list("pk", "title"))
    text = _("What is important in “%(title)s”?")
    return [text % {"title": titles[pk]} for pk in dict.fromkeys(ids) if pk in titles]
