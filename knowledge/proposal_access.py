"""Who may do what with a proposal, and in which state: the checks that its writes begin with."""

from collections.abc import Iterable
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.access import not_found, role_of
from knowledge.choices import ProposalStatus, Verdict
from knowledge.models import Proposal, ProposalChange, ProposalReview, Space
from knowledge.querysets import Reader
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden

NEXT: dict[str, Promise] = {
    ProposalStatus.DRAFT: gettext_lazy("The proposal is a draft: submit it first."),
    ProposalStatus.IN_REVIEW: gettext_lazy("The proposal is in review."),
    ProposalStatus.CHANGES_REQUESTED: gettext_lazy(
        "Changes were requested: make them and submit the proposal again."
    ),
    ProposalStatus.APPROVED: gettext_lazy("The proposal is approved."),
    ProposalStatus.MERGED: gettext_lazy("The proposal is merged: make a new one."),
    ProposalStatus.REJECTED: gettext_lazy("The proposal was rejected: reopen it first."),
}
"""What to do with a proposal in a state that does not allow what was asked."""

EDITABLE = frozenset(
    {
        ProposalStatus.DRAFT,
        ProposalStatus.IN_REVIEW,
        ProposalStatus.CHANGES_REQUESTED,
        ProposalStatus.APPROVED,
    }
)
REVIEWABLE = EDITABLE - {ProposalStatus.DRAFT}


def proposal_lock(
    user: Reader, proposal: Proposal, *, expected_revision: int | None = None
) -> Proposal:
    """Return the stored row of a proposal that the user sees, locked against other writers.

    Raises NotFound, and Conflict (`version_conflict`) when it has another revision.
    """
    rows = Proposal.objects.visible_to(user).select_for_update(no_key=True, of=("self",))
    row = rows.select_related("space").filter(pk=proposal.pk).first()
    if row is None:
        raise not_found()
    revision_require(row, expected_revision)
    return row


def revision_require(row: Proposal, expected: int | None) -> None:
    """Raise Conflict when a proposal does not have the expected revision."""
    if expected is None or expected == row.revision:
        return
    message = _("The proposal was changed meanwhile: revision %(current)s is current.")
    raise Conflict(
        message % {"current": row.revision},
        code="version_conflict",
        field="revision",
        details={"current": row.revision},
    )


def status_require(row: Proposal, allowed: Iterable[str]) -> None:
    """Raise Conflict, saying what to do, when a proposal is in none of these states."""
    if row.status in set(allowed):
        return
    details = {"status": row.status}
    raise Conflict(str(NEXT[row.status]), code="wrong_status", field="status", details=details)


def curates(user: Reader, space: Space) -> bool:
    """Return whether the user may decide about proposals of a space."""
    role = role_of(user, space)
    return role is not None and role >= Role.CURATOR


def branch_require(user: User, row: Proposal) -> None:
    """Raise Forbidden for who is neither the author of a proposal nor a curator."""
    if row.author_id != user.pk and not curates(user, row.space):
        message = _("Only its author and curators may change a proposal.")
        raise Forbidden(message, code="not_author")


def has_written(user: User, row: Proposal) -> bool:
    """Return whether the user has written a part of a proposal."""
    if row.author_id == user.pk:
        return True
    return ProposalChange.objects.filter(proposal=row, author=user).exists()


def verdicts(row: Proposal) -> dict[int, ProposalReview]:
    """Return the last review of each user that still counts, by the ids of the users.

    An approval counts for the revision that it was given for; a request for changes until the
    proposal is submitted again. Only what curators say counts.
    """
    found: dict[int, ProposalReview] = {}
    reviews = ProposalReview.objects.filter(proposal=row, revision=row.revision)
    for review in reviews.select_related("user").order_by("created_at", "pk"):
        if review.user is not None:
            found[review.user.pk] = review
    return {pk: review for pk, review in found.items() if _counts(row, review)}


def _counts(row: Proposal, review: ProposalReview) -> bool:
    if review.verdict == Verdict.CHANGES_REQUESTED:
        return row.submitted_at is None or review.created_at > row.submitted_at
    user: Any = review.user
    if not curates(user, row.space):
        return False
    return row.space.allows_self_approval or not has_written(user, row)


def approvals(row: Proposal) -> list[ProposalReview]:
    """Return the approvals that count for a proposal as it is."""
    return [each for each in verdicts(row).values() if each.verdict == Verdict.APPROVED]


def approvals_missing(row: Proposal) -> int:
    """Return how many approvals a proposal still needs."""
    return max(0, row.space.required_approvals - len(approvals(row)))


def status_of(row: Proposal) -> ProposalStatus:
    """Return the state of a submitted proposal that its reviews make."""
    counted = verdicts(row)
    if any(each.verdict == Verdict.CHANGES_REQUESTED for each in counted.values()):
        return ProposalStatus.CHANGES_REQUESTED
    return ProposalStatus.IN_REVIEW if approvals_missing(row) else ProposalStatus.APPROVED
