"""Reviews of proposals: verdicts, reviewers, comments."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import not_found
from knowledge.branches import CHANGEABLE, RELATION_VALUES
from knowledge.choices import Verdict
from knowledge.models import (
    Proposal,
    ProposalChange,
    ProposalComment,
    ProposalReview,
    ProposalReviewer,
)
from knowledge.proposal_access import (
    REVIEWABLE,
    branch_require,
    curates,
    has_written,
    proposal_lock,
    status_of,
    status_require,
)
from knowledge.services.proposal_news import announce
from project.accounts.models import User
from project.http.errors import Forbidden, Invalid

MAX_COMMENT = 20_000
EVENTS = {Verdict.APPROVED: "approved", Verdict.CHANGES_REQUESTED: "changes_requested"}


@transaction.atomic
def proposal_review(
    *,
    acting_user: User,
    proposal: Proposal,
    verdict: str,
    comment: str = "",
    expected_revision: int | None = None,
) -> ProposalReview:
    """Approve a proposal or ask for changes, for the revision that it has now.

    Needs a curator. Raises NotFound, Forbidden (`self_approval` where the space does not allow it),
    Invalid, Conflict.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    if verdict not in Verdict.values:
        raise Invalid(_("There is no such verdict."), field="verdict")
    _text_check(comment, "comment", required=False)
    if not curates(acting_user, row.space):
        raise Forbidden(_("Curators review proposals."), code="role_needed")
    status_require(row, REVIEWABLE)
    may_approve = row.space.allows_self_approval or not has_written(acting_user, row)
    if verdict == Verdict.APPROVED and not may_approve:
        message = _("In this space others must approve what you have written.")
        raise Forbidden(message, code="self_approval")
    review = ProposalReview.objects.create(
        proposal=row,
        user=acting_user,
        verdict=verdict,
        comment=comment,
        revision=row.revision,
    )
    row.status = status_of(row)
    row.save(update_fields=["status", "updated_at"])
    announce(EVENTS[Verdict(verdict)], row, acting_user, status=row.status)
    return review


@transaction.atomic
def reviewers_set(
    *, acting_user: User, proposal: Proposal, users: Sequence[User]
) -> list[ProposalReviewer]:
    """Ask exactly these users to review a proposal; all must be curators of its space.

    Raises NotFound, Forbidden, Invalid.
    """
    row = proposal_lock(acting_user, proposal)
    branch_require(acting_user, row)
    for user in users:
        if not curates(user, row.space):
            message = _("“%(user)s” is no curator of the space.") % {"user": user}
            raise Invalid(message, field="reviewers")
    row.reviewers.exclude(user__in=users).delete()
    ProposalReviewer.objects.bulk_create(
        [ProposalReviewer(proposal=row, user=user, asked_by=acting_user) for user in users],
        ignore_conflicts=True,
    )
    return list(row.reviewers.select_related("user"))


@transaction.atomic
def comment_add(
    *,
    acting_user: User,
    proposal: Proposal,
    body: str,
    change: ProposalChange | None = None,
    field: str = "",
    line: int | None = None,
    parent: ProposalComment | None = None,
) -> ProposalComment:
    """Comment on a proposal, on a change of it, or on a line of its text; or reply.

    Every editor of the space may. Raises NotFound, Invalid.
    """
    row = Proposal.objects.visible_to(acting_user).filter(pk=proposal.pk).first()
    if row is None:
        raise not_found()
    _text_check(body, "body", required=True)
    if change is not None and change.proposal_id != row.pk:
        raise Invalid(_("The proposal has no such change."), field="change")
    if parent is not None:
        if parent.proposal_id != row.pk:
            raise Invalid(_("The proposal has no such comment."), field="parent")
        parent = parent.parent or parent
        change, field, line = parent.change, parent.field, parent.line
    elif line is not None and change is None:
        raise Invalid(_("A line belongs to a change."), field="line")
    elif field and (change is None or field not in {*CHANGEABLE, *RELATION_VALUES}):
        raise Invalid(_("There is no such field."), field="field")
    return ProposalComment.objects.create(
        proposal=row,
        change=change,
        change_version=change.version if change else None,
        field=field or ("content" if line is not None else ""),
        line=line,
        parent=parent,
        body=body,
        author=acting_user,
    )


@transaction.atomic
def comment_resolve(
    *, acting_user: User, comment: ProposalComment, resolved: bool = True
) -> ProposalComment:
    """Mark a comment, and with it its replies, as settled, or open it again.

    Its author, the author of the proposal and curators may. Raises NotFound, Forbidden.
    """
    proposal = proposal_lock(acting_user, comment.proposal)
    row = ProposalComment.objects.select_for_update(no_key=True).get(pk=comment.pk)
    if row.parent_id is not None:
        row = ProposalComment.objects.select_for_update(no_key=True).get(pk=row.parent_id)
    if row.author_id != acting_user.pk:
        branch_require(acting_user, proposal)
    if resolved != (row.resolved_at is not None):
        row.resolved_at = timezone.now() if resolved else None
        row.resolved_by = acting_user if resolved else None
        row.save(update_fields=["resolved_at", "resolved_by"])
    return row


def _text_check(text: str, field: str, *, required: bool) -> None:
    if required and not text.strip():
        raise Invalid(_("A comment needs a text."), code="required", field=field)
    if "\0" in text:
        raise Invalid(_("The character U+0000 cannot be stored."), field=field)
    if len(text) > MAX_COMMENT:
        message = _("A comment holds at most %(count)s characters.") % {"count": MAX_COMMENT}
        raise Invalid(message, code="too_long", field=field)
