"""What every page of a proposal says at its top: where it stands, what is missing, what is next."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.admin.access import staff
from knowledge.admin.proposal_lists import STATUS_ICONS, STATUS_TONES
from knowledge.choices import ProposalStatus, Verdict
from knowledge.evaluation import gate_problems
from knowledge.models import PreviewNode, Proposal, ProposalReview
from knowledge.previews import preview_is_fresh
from knowledge.proposal_access import EDITABLE, REVIEWABLE, approvals, curates, has_written
from knowledge.proposal_plans import proposal_plan
from project.accounts.models import User

PLANNED_AT_ONCE = 40
"""Changes up to which a page makes the plan of the merge itself; above, it reads the preview."""


@dataclass(frozen=True, slots=True)
class Said:
    """A reviewer's last word, and whether it still counts: `is_stale` for an older revision."""

    review: ProposalReview
    is_stale: bool

    @property
    def is_approval(self) -> bool:
        """Whether it approves."""
        return self.review.verdict == Verdict.APPROVED


@dataclass(frozen=True, slots=True)
class Missing:
    """What keeps a proposal from its merge, in words; `page` names the page that helps."""

    text: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The facts at the top of a proposal's pages, and what the reader may do."""

    proposal: Proposal
    changes: int
    approvals: int
    needed: int
    said: list[Said]
    conflicts: int | None
    missing: list[Missing]
    threads: int
    is_author: bool
    may_edit: bool
    may_review: bool
    may_approve: bool
    may_submit: bool
    may_reopen: bool
    may_reject: bool
    may_delete: bool
    may_merge: bool

    @property
    def tone(self) -> str:
        """The tone of the status."""
        return STATUS_TONES[ProposalStatus(self.proposal.status)]

    @property
    def icon(self) -> str:
        """The symbol of the status."""
        return STATUS_ICONS[ProposalStatus(self.proposal.status)]

    @property
    def is_ready(self) -> bool:
        """Whether a curator could merge it now."""
        return not self.missing


def head_of(request: HttpRequest, proposal: Proposal, *, conflicts: int | None = None) -> Head:
    """Return the head of a proposal's page for the person; `conflicts` where they are known."""
    user = staff(request)
    status = proposal.status
    is_author = proposal.author_id == user.pk
    is_curator = curates(user, proposal.space)
    may_branch = is_author or is_curator
    counted = len(approvals(proposal))
    changes = proposal.changes.count()
    if conflicts is None and not proposal.is_decided:
        conflicts = conflicts_known(proposal, changes)
    may_review = is_curator and status in REVIEWABLE
    missing = [] if proposal.is_decided else missing_of(proposal, changes, counted, conflicts)
    return Head(
        proposal=proposal,
        changes=changes,
        approvals=counted,
        needed=proposal.space.required_approvals,
        said=said_of(proposal),
        conflicts=conflicts,
        missing=missing,
        threads=proposal.comments.filter(parent=None, resolved_at=None).count(),
        is_author=is_author,
        may_edit=may_branch and status in EDITABLE,
        may_review=may_review,
        may_approve=may_review and _may_approve(user, proposal),
        may_submit=may_branch
        and changes > 0
        and status in {ProposalStatus.DRAFT, ProposalStatus.CHANGES_REQUESTED},
        may_reopen=may_branch and status in {ProposalStatus.REJECTED, *REVIEWABLE},
        may_reject=may_branch and status in REVIEWABLE,
        may_delete=may_branch and status in {ProposalStatus.DRAFT, ProposalStatus.REJECTED},
        may_merge=is_curator
        and status in {ProposalStatus.IN_REVIEW, ProposalStatus.APPROVED}
        and counted >= proposal.space.required_approvals,
    )


def _may_approve(user: User, proposal: Proposal) -> bool:
    return proposal.space.allows_self_approval or not has_written(user, proposal)


def said_of(proposal: Proposal) -> list[Said]:
    """Return the last word of each reviewer, newest first."""
    last: dict[Any, ProposalReview] = {}
    for review in proposal.reviews.select_related("user").order_by("created_at", "pk"):
        last[review.user_id] = review
    found = sorted(last.values(), key=lambda review: review.created_at, reverse=True)
    return [Said(review, review.revision != proposal.revision) for review in found]


def conflicts_known(proposal: Proposal, changes: int) -> int | None:
    """Return how many conflicts a merge would meet now; None where that is being worked out."""
    if changes <= PLANNED_AT_ONCE:
        return len(proposal_plan(proposal).conflicts)
    if not preview_is_fresh(proposal):
        return None
    rows = PreviewNode.objects.filter(proposal=proposal)
    return rows.aggregate(found=Sum("conflicts"))["found"] or 0


def missing_of(
    proposal: Proposal, changes: int, counted: int, conflicts: int | None
) -> list[Missing]:
    """Return what keeps a proposal from its merge, in the order in which people deal with it."""
    if not changes:
        return [Missing(_("It changes nothing yet: add a change."))]
    found = []
    if proposal.status == ProposalStatus.DRAFT:
        found.append(Missing(_("It is a draft: its author or a curator submits it for review.")))
    wanting = [
        each
        for each in said_of(proposal)
        if each.review.verdict == Verdict.CHANGES_REQUESTED and not each.is_stale
    ]
    if proposal.status == ProposalStatus.CHANGES_REQUESTED:
        text = _("Changes were requested: make them, then submit it again.")
        if wanting:
            names = ", ".join(str(each.review.user or "–") for each in wanting)
            text = _("%(who)s asked for changes: make them, then submit it again.")
            text %= {"who": names}
        found.append(Missing(text, "conversation"))
    lacking = proposal.space.required_approvals - counted
    if lacking > 0:
        text = ngettext(
            "%(count)s more approval by a curator of “%(space)s” is needed.",
            "%(count)s more approvals by curators of “%(space)s” are needed.",
            lacking,
        )
        found.append(Missing(text % {"count": lacking, "space": proposal.space.name}))
    if conflicts is None:
        found.append(Missing(_("Whether it conflicts with later edits is being worked out.")))
    elif conflicts:
        text = ngettext(
            "%(count)s conflict with later edits is to be settled.",
            "%(count)s conflicts with later edits are to be settled.",
            conflicts,
        )
        found.append(Missing(text % {"count": conflicts}, "conflicts"))
    found += [Missing(text, "checks") for text in gate_problems(proposal)]
    return found
