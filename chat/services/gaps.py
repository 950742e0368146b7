"""Closing knowledge gaps."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.choices import GapStatus
from chat.models import KnowledgeGap
from chat.services._common import absent
from knowledge import services as knowledge
from knowledge.models import Node, Space
from project.accounts.models import User
from project.http.errors import Conflict, Invalid

MOST_TITLE = 200


@transaction.atomic
def gap_draft(*, acting_user: User, gap: KnowledgeGap, space: Space | None = None) -> Node:
    """Begin a node that closes a gap: a draft in its space with the questions to answer.

    `space` is needed where the gap has none. Raises NotFound, Forbidden, Invalid, Conflict.
    """
    row = _locked(acting_user, gap)
    if row.node_id is not None:
        raise Conflict(_("A node is being written for this gap already."), code="gap_drafted")
    home = row.space or space
    if home is None:
        raise Invalid(_("Choose the space of the new node."), field="space")
    asked = dict.fromkeys(row.questions.order_by("created_at").values_list("text", flat=True))
    lines = "\n".join(f"- {' '.join(text.split())}" for text in asked)
    heading = _("Questions that this text should answer; take the list out when it does:")
    node = knowledge.node_create(
        acting_user=acting_user,
        space=home,
        title=" ".join(row.title.split())[:MOST_TITLE],
        content=f"{heading}\n\n{lines}\n",
        reason=_("Begun from a knowledge gap."),
    )
    row.node, row.status = node, GapStatus.DRAFTED
    _decided(row, acting_user)
    return node


@transaction.atomic
def gap_decide(*, acting_user: User, gap: KnowledgeGap, status: str) -> KnowledgeGap:
    """Close or dismiss a gap, or open it again. Raises NotFound, Invalid."""
    row = _locked(acting_user, gap)
    if status not in {GapStatus.OPEN, GapStatus.CLOSED, GapStatus.DISMISSED}:
        raise Invalid(_("A gap can be closed, dismissed or opened again."), field="status")
    row.status = GapStatus(status)
    if status == GapStatus.OPEN:
        row.node = None
    _decided(row, acting_user)
    return row


def _locked(user: User, gap: KnowledgeGap) -> KnowledgeGap:
    rows = KnowledgeGap.objects.filter(pk__in=KnowledgeGap.objects.visible_to(user).values("pk"))
    row = rows.select_for_update(of=("self",)).filter(pk=gap.pk).first()
    if row is None:
        raise absent()
    return row


def _decided(row: KnowledgeGap, user: User) -> None:
    row.decided_by, row.decided_at = user, timezone.now()
    row.save(update_fields=["node", "status", "decided_by", "decided_at"])
