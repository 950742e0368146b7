"""What chat knows of nodes that are cited together: counts over everybody's answers."""

import uuid

from django.db.models import Count
from django.dispatch import receiver

from chat.models import Citation
from knowledge.relating.citing import CitedTogether, CitedWith
from knowledge.signals import cocitations_asked

MOST_CITATIONS = 1000
"""The newest of the node that are looked at."""
MOST_NODES = 40


@receiver(cocitations_asked, dispatch_uid="chat-cocitations")
def cited_together(*, node_id: uuid.UUID, **_extra: object) -> CitedWith:
    """Count the answers and conversations that cite the node, and what they cite besides.

    Conversations are their owners' alone: nothing but numbers leaves them.
    """
    citing = Citation.objects.filter(cited_id=node_id).order_by("-pk")
    newest = list(citing.values_list("pk", "turn", "turn__conversation")[:MOST_CITATIONS])
    if not newest:
        return CitedWith(0)
    conversations = Count("turn__conversation", distinct=True)
    beside = (
        Citation.objects.filter(turn__in={turn for _pk, turn, _conversation in newest})
        .exclude(node=None)
        .exclude(cited_id=node_id)
        .order_by()
        .values_list("cited_id")
        .annotate(conversations=conversations, answers=Count("turn", distinct=True))
        .order_by("-conversations", "cited_id")[:MOST_NODES]
    )
    rows = list(beside)
    since = newest[-1][0] if len(newest) == MOST_CITATIONS else 0  # of both, the same time
    everywhere = dict(
        Citation.objects.filter(cited_id__in=[row[0] for row in rows], pk__gte=since)
        .order_by()
        .values_list("cited_id")
        .annotate(conversations=conversations)
    )
    return CitedWith(
        len({conversation for _pk, _turn, conversation in newest}),
        tuple(
            CitedTogether(node, answers, together, everywhere.get(node, together))
            for node, together, answers in rows
        ),
    )
