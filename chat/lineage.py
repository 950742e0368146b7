"""What chat knows of the lineage of versions: the answers that cite them."""

import uuid
from collections import Counter

from django.db.models import Count
from django.dispatch import receiver
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.models import Citation, Turn
from knowledge.lineage.graph import Follower, Thing, ThingType
from knowledge.querysets import Reader
from knowledge.signals import lineage_asked

MOST_NAMED = 5


@receiver(lineage_asked, dispatch_uid="chat-lineage")
def answers_citing_versions(
    *, node_id: uuid.UUID, versions: frozenset[int], user: Reader, **_extra: object
) -> list[Follower]:
    """Name the newest of the user's own answers that cite the versions, and count all others.

    A conversation is its owner's alone: of those of others nothing is said but their number.
    """
    citations = Citation.objects.filter(node=node_id, version__in=versions)
    counts = Counter(
        dict(
            citations.values_list("version")
            .annotate(turns=Count("turn", distinct=True))
            .order_by("version")
        )
    )
    if not counts:
        return []
    own = Turn.objects.visible_to(user).filter(pk__in=citations.values("turn"))
    newest = own.select_related("question", "conversation").order_by("-created_at")[:MOST_NAMED]
    named = {turn.pk: turn for turn in newest}
    cited = citations.filter(turn__in=named).values_list("turn", "version").distinct()
    pairs = sorted(cited, key=lambda pair: named[pair[0]].created_at, reverse=True)
    counts.subtract(version for _turn, version in pairs)
    followers = [Follower(version, _thing(named[turn]), _("citation")) for turn, version in pairs]
    return followers + [
        Follower(version, _rest(version, count), _("citation"))
        for version, count in sorted(counts.items())
        if count
    ]


def _thing(turn: Turn) -> Thing:
    return Thing(
        f"answer:{turn.pk}",
        ThingType.ANSWER,
        _("Your answer"),
        # A conversation in cold storage has its title left.
        title=turn.question.content[:200] or str(turn.conversation),
        url=reverse("conversation-page", args=[turn.conversation_id]),
        at=turn.created_at,
    )


def _rest(version: int, count: int) -> Thing:
    text = ngettext("%(count)s other answer", "%(count)s other answers", count)
    return Thing(
        f"answers:{version}",
        ThingType.ANSWERS,
        text % {"count": count},
        title=_("not shown one by one"),
        count=count,
    )
