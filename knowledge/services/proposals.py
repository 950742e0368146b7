"""Writes of proposals: their words and their states.

Editors make proposals and submit them; their author and curators change them; curators decide.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import role_require
from knowledge.choices import ProposalOrigin, ProposalStatus
from knowledge.evaluation import proposal_evaluation
from knowledge.models import PreviewChunk, PreviewNode, Proposal, Space
from knowledge.preview_requests import preview_request
from knowledge.proposal_access import (
    EDITABLE,
    REVIEWABLE,
    branch_require,
    proposal_lock,
    status_of,
    status_require,
)
from knowledge.services.proposal_changes import changes_add
from knowledge.services.proposal_news import announce, branch_changed
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid


@transaction.atomic
def proposal_create(
    *,
    acting_user: User,
    space: Space,
    title: str,
    description: str = "",
    origin: str = ProposalOrigin.MANUAL,
    changes: Sequence[Mapping[str, Any]] = (),
) -> Proposal:
    """Begin a proposal as a draft, with changes as `changes_add` takes them.

    Raises NotFound, Forbidden, Invalid, Conflict.
    """
    role_require(acting_user, space, Role.EDITOR)
    proposal = Proposal(space=space, author=acting_user, origin=origin)
    _words_set(proposal, title=title, description=description)
    proposal.save(force_insert=True)
    if changes:
        changes_add(acting_user=acting_user, proposal=proposal, changes=changes)
        proposal.refresh_from_db()
    return proposal


@transaction.atomic
def proposal_update(
    *,
    acting_user: User,
    proposal: Proposal,
    expected_revision: int | None = None,
    title: str | None = None,
    description: str | None = None,
) -> Proposal:
    """Change the words of a proposal and return its stored row.

    Raises NotFound, Forbidden, Invalid, and Conflict when it was changed or decided meanwhile.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    status_require(row, EDITABLE)
    before = row.title, row.description
    _words_set(
        row,
        title=row.title if title is None else title,
        description=row.description if description is None else description,
    )
    if (row.title, row.description) != before:
        row.save(update_fields=["title", "description"])
        branch_changed(row)
    return row


@transaction.atomic
def proposal_delete(
    *, acting_user: User, proposal: Proposal, expected_revision: int | None = None
) -> None:
    """Delete a proposal that is a draft or was rejected; others are kept as a record.

    Raises NotFound, Forbidden, Conflict.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    if row.status not in {ProposalStatus.DRAFT, ProposalStatus.REJECTED}:
        message = _("Only drafts and rejected proposals can be deleted: reject it first.")
        if row.status == ProposalStatus.MERGED:
            message = _("A merged proposal stays: revert its versions to undo it.")
        raise Conflict(message, code="wrong_status", field="status")
    row.delete()


@transaction.atomic
def proposal_submit(
    *, acting_user: User, proposal: Proposal, expected_revision: int | None = None
) -> Proposal:
    """Hand a draft, or one with requested changes, in for review; return its stored row.

    The space's golden questions are asked as if it were merged, for the reviewers. Raises
    NotFound, Forbidden, Conflict; Invalid for a proposal without changes.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    status_require(row, {ProposalStatus.DRAFT, ProposalStatus.CHANGES_REQUESTED})
    if not row.changes.exists():
        message = _("The proposal changes nothing yet: add a change first.")
        raise Invalid(message, code="no_changes", field="changes")
    row.submitted_at = timezone.now()
    row.status = status_of(row)
    row.save(update_fields=["status", "submitted_at", "updated_at"])
    announce("submitted", row, acting_user)
    preview_request(row.pk)
    proposal_evaluation(row, acting_user=acting_user)
    return row


@transaction.atomic
def proposal_reject(
    *,
    acting_user: User,
    proposal: Proposal,
    expected_revision: int | None = None,
    comment: str = "",
) -> Proposal:
    """Close a proposal without merging it; its author may withdraw it so.

    Raises NotFound, Forbidden, Conflict.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    status_require(row, EDITABLE)
    row.status = ProposalStatus.REJECTED
    row.decided_at = timezone.now()
    row.save(update_fields=["status", "decided_at", "updated_at"])
    if comment:
        row.comments.create(author=acting_user, body=comment)
    PreviewChunk.objects.filter(proposal=row).delete()
    PreviewNode.objects.filter(proposal=row).delete()
    announce("rejected", row, acting_user)
    return row


@transaction.atomic
def proposal_reopen(
    *, acting_user: User, proposal: Proposal, expected_revision: int | None = None
) -> Proposal:
    """Make a rejected proposal, or one in review, a draft again.

    Raises NotFound, Forbidden, Conflict.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    status_require(row, {ProposalStatus.REJECTED, *REVIEWABLE})
    row.status = ProposalStatus.DRAFT
    row.decided_at = row.submitted_at = None
    row.save(update_fields=["status", "decided_at", "submitted_at", "updated_at"])
    preview_request(row.pk)
    return row


def _words_set(proposal: Proposal, *, title: str, description: str) -> None:
    proposal.title = " ".join(title.split())
    proposal.description = description
    for name in ("title", "description"):
        if "\0" in getattr(proposal, name):
            raise Invalid(_("The character U+0000 cannot be stored."), field=name)
    try:
        proposal.clean_fields(exclude=["author", "space"])
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None
