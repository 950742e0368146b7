"""What the list of proposals says: its columns, its filters, and which wait for somebody."""

from collections import defaultdict
from typing import Any

from django.db.models import Count, F, OuterRef, Prefetch, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from knowledge.admin.access import staff
from knowledge.choices import ProposalStatus, Verdict
from knowledge.models import (
    Node,
    PreviewNode,
    Proposal,
    ProposalChange,
    ProposalReview,
    ProposalReviewer,
    Space,
)
from project.accounts.choices import Role
from project.accounts.models import User

MOST_ARCHIVED = 1000
"""Nodes that one action proposes to archive."""
STATUS_TONES = {
    ProposalStatus.DRAFT: "default",
    ProposalStatus.IN_REVIEW: "info",
    ProposalStatus.CHANGES_REQUESTED: "warning",
    ProposalStatus.APPROVED: "success",
    ProposalStatus.MERGED: "primary",
    ProposalStatus.REJECTED: "muted",
}
STATUS_ICONS = {
    ProposalStatus.DRAFT: "edit_note",
    ProposalStatus.IN_REVIEW: "rate_review",
    ProposalStatus.CHANGES_REQUESTED: "feedback",
    ProposalStatus.APPROVED: "verified",
    ProposalStatus.MERGED: "merge",
    ProposalStatus.REJECTED: "block",
}


def waiting_for(rows: Any, user: User) -> Any:
    """Keep the proposals in review that wait for this curator's word on their current revision.

    Where reviewers were asked, it waits for them; otherwise for every curator but its author.
    """
    asked = ProposalReviewer.objects.filter(proposal=OuterRef("pk"))
    said = ProposalReview.objects.filter(
        proposal=OuterRef("pk"), user=user, revision=OuterRef("revision")
    )
    curated = Space.objects.with_role(user, Role.CURATOR).values("pk")
    is_asked = Q(pk__in=asked.filter(user=user).values("proposal"))
    is_free = ~Q(pk__in=asked.values("proposal")) & ~Q(author=user)
    return rows.filter(
        is_asked | is_free, status=ProposalStatus.IN_REVIEW, space__in=curated
    ).exclude(pk__in=said.values("proposal"))


def listed(rows: Any) -> Any:
    """Add what the list shows of each proposal: counts, and the reviews of its revision."""
    changes = ProposalChange.objects.filter(proposal=OuterRef("pk")).order_by()
    previews = PreviewNode.objects.filter(proposal=OuterRef("pk")).order_by()
    current = ProposalReview.objects.filter(revision=F("proposal__revision"))
    return rows.annotate(
        change_count=Coalesce(
            Subquery(changes.values("proposal").annotate(n=Count("pk")).values("n")), 0
        ),
        conflict_count=Coalesce(
            Subquery(previews.values("proposal").annotate(n=Sum("conflicts")).values("n")), 0
        ),
    ).prefetch_related(
        Prefetch("reviews", queryset=current.order_by("created_at", "pk"), to_attr="counted")
    )


def approvals_of(proposal: Any) -> int:
    """Return how many people's last word on the current revision is an approval."""
    last: dict[Any, str] = {review.user_id: review.verdict for review in proposal.counted}
    return sum(verdict == Verdict.APPROVED for verdict in last.values())


def proposals_open_for(user: User, space: Space) -> list[Proposal]:
    """Return the undecided proposals of a space that the user may add to, their own first."""
    rows = Proposal.objects.visible_to(user).undecided().filter(space=space)
    is_curator = Space.objects.with_role(user, Role.CURATOR).filter(pk=space.pk).exists()
    if not is_curator:
        rows = rows.filter(author=user)
    found = list(rows.select_related("author").order_by("-updated_at", "pk")[:50])
    return sorted(found, key=lambda each: each.author_id != user.pk)


def proposals_about(user: User, node: Node) -> list[Proposal]:
    """Return the open proposals that change a node, as far as the person may see them."""
    changes = ProposalChange.objects.filter(node_id=node.pk).values("proposal")
    rows = Proposal.objects.visible_to(user).undecided().filter(pk__in=changes)
    return list(rows.order_by("-updated_at", "pk")[:10])


def changes_in_other_proposals(proposal: Proposal, user: User) -> dict[Any, list[Proposal]]:
    """Return the other open proposals that change the same nodes, by node."""
    nodes = ProposalChange.objects.filter(proposal=proposal).exclude(node_id=None)
    rows = (
        ProposalChange.objects.filter(
            node_id__in=nodes.values("node_id"),
            proposal__in=Proposal.objects.visible_to(user).undecided(),
        )
        .exclude(proposal=proposal)
        .select_related("proposal")
    )
    found: dict[Any, list[Proposal]] = defaultdict(list)
    for row in rows[:200]:
        found[row.node_id].append(row.proposal)
    return found


class WhoseFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """Mine, or those that wait for me."""

    title = gettext_lazy("whose")
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("mine", _("Mine")), ("waiting", _("Waiting for my review"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the rows."""
        user = staff(request)
        match self.value():
            case "mine":
                return queryset.filter(author=user)
            case "waiting":
                return waiting_for(queryset, user)
        return queryset


class OpenFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """Whether something is still to be decided."""

    title = gettext_lazy("decided")
    parameter_name = "decided"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("no", _("Open")), ("yes", _("Merged or rejected"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the rows."""
        decided = [ProposalStatus.MERGED, ProposalStatus.REJECTED]
        match self.value():
            case "no":
                return queryset.exclude(status__in=decided)
            case "yes":
                return queryset.filter(status__in=decided)
        return queryset
