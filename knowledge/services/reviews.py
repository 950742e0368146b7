"""Writes of care: what was reviewed, what shall rest for a while, and how often to look again."""

import copy
import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import node_lock, role_require
from knowledge.choices import NodeStatus
from knowledge.models import FindingSnooze, Node, NodeQuality, ReviewInterval, Space
from knowledge.models.quality import MOST_DAYS
from knowledge.quality import CATALOGUE
from knowledge.reviews import next_review
from knowledge.writing import node_write
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Invalid


@transaction.atomic
def node_mark_reviewed(
    *, acting_user: User, node: Node, review_due: datetime.date | None = None
) -> Node:
    """Note that a node was read again, and when the next review is due; makes no version.

    Without `review_due` the interval of the kind or space counts from today. Editors who own a
    published node may do it, too. Raises NotFound, Forbidden, Invalid.
    """
    row = node_lock(acting_user, node, role=Role.EDITOR)
    is_open = row.status in {NodeStatus.DRAFT, NodeStatus.IN_REVIEW}
    if not is_open and row.owner_id != acting_user.pk:
        role_require(acting_user, row.space, Role.CURATOR)
    today = timezone.localdate()
    if review_due is not None and not today < review_due <= today + _days(MOST_DAYS):
        message = _("The next review is a day in the future, within ten years.")
        raise Invalid(message, field="review_due")
    before = copy.copy(row)
    row.review_due = review_due or next_review(row)
    node_write(row, before, author=acting_user)
    FindingSnooze.objects.filter(node=row, code__in=("review_overdue", "review_soon")).delete()
    NodeQuality.objects.update_or_create(
        node=row,
        defaults={
            "space_id": row.space_id,
            "reviewed_at": timezone.now(),
            "reviewed_by": acting_user,
            "stale_at": timezone.now(),
        },
    )
    emit(
        "knowledge.node.reviewed",
        {
            "node": str(row.pk),
            "version": row.version,
            "review_due": row.review_due.isoformat(),
            "by": acting_user.pk,
        },
        space_id=row.space_id,
        subject_id=row.pk,
    )
    return row


@transaction.atomic
def finding_snooze(*, acting_user: User, node: Node, code: str, until: datetime.date) -> None:
    """Leave a finding of a node out of the lists until a day, for everyone; the score stays.

    Raises NotFound, Forbidden, Invalid.
    """
    row = node_lock(acting_user, node, role=Role.EDITOR)
    if code not in CATALOGUE:
        raise Invalid(_("There is no such finding."), field="code")
    today = timezone.localdate()
    if not today < until <= today + _days(MOST_DAYS):
        raise Invalid(_("Choose a day in the future, within ten years."), field="until")
    FindingSnooze.objects.update_or_create(
        node=row, code=code, defaults={"until": until, "created_by": acting_user}
    )


@transaction.atomic
def finding_wake(*, acting_user: User, node: Node, code: str) -> None:
    """Show a snoozed finding again. Raises NotFound, Forbidden."""
    row = node_lock(acting_user, node, role=Role.EDITOR)
    FindingSnooze.objects.filter(node=row, code=code).delete()


@transaction.atomic
def review_interval_set(*, acting_user: User, space: Space, kind: str, days: int | None) -> None:
    """Say how often the nodes of a kind (empty: any other) are to be read again; None: not said.

    Raises NotFound, Forbidden, Invalid.
    """
    role_require(acting_user, space, Role.MANAGER)
    if days is None:
        ReviewInterval.objects.filter(space=space, kind=kind).delete()
        return
    if not 1 <= days <= MOST_DAYS:
        message = _("An interval has between 1 and %(most)s days.") % {"most": MOST_DAYS}
        raise Invalid(message, field="days")
    ReviewInterval.objects.update_or_create(space=space, kind=kind, defaults={"days": days})


def _days(count: int) -> datetime.timedelta:
    return datetime.timedelta(days=count)
