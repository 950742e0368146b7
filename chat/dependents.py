"""What chat knows of the blast radius of nodes: the answers that cite them."""

from __future__ import annotations

import datetime
import uuid

from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.models import Citation, Conversation, Turn
from knowledge.impact import EXAMPLES, Dependent
from knowledge.querysets import Reader
from knowledge.signals import dependents_asked

RECENT_DAYS = 30


@receiver(dependents_asked, dispatch_uid="chat.answers")
def answers_citing(
    node_ids: frozenset[uuid.UUID], user: Reader, **_extra: object
) -> list[Dependent]:
    """Count the answers that cite the nodes, in all and of late; name only the user's own.

    A conversation is its owner's alone: of others nothing is said but the number.
    """
    turns = Turn.objects.filter(pk__in=Citation.objects.filter(node__in=node_ids).values("turn"))
    count = turns.count()
    if not count:
        return []
    since = timezone.now() - datetime.timedelta(days=RECENT_DAYS)
    recent = turns.filter(created_at__gte=since).count()
    label = ngettext("%(count)s answer cites it", "%(count)s answers cite it", count)
    lately = _("%(recent)s of them in the last %(days)s days")
    words = f"{label}, {lately}"
    facts = {"count": count, "recent": recent, "days": RECENT_DAYS}
    own = Conversation.objects.visible_to(user).filter(turns__in=turns).distinct()
    examples = tuple(
        (str(each), each.get_absolute_url()) for each in own.order_by("-updated_at")[:EXAMPLES]
    )
    return [Dependent("answer", words % facts, count, examples)]
