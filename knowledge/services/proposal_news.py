"""What the writes of proposals share: a changed branch, and news of it."""

from typing import Any

from knowledge.choices import ProposalStatus
from knowledge.models import Proposal
from knowledge.preview_requests import preview_request
from knowledge.proposal_access import status_of
from project.accounts.models import User
from project.events.services import emit


def branch_changed(row: Proposal) -> None:
    """Raise the revision of a locked proposal: what was approved is not what it is now."""
    row.revision += 1
    if row.status == ProposalStatus.APPROVED:
        row.status = status_of(row)
    row.save(update_fields=["revision", "status", "updated_at"])
    preview_request(row.pk)


def announce(what: str, row: Proposal, user: User, **more: Any) -> None:
    """Write the event `knowledge.proposal.<what>`."""
    emit(
        f"knowledge.proposal.{what}",
        {"proposal": str(row.pk), "revision": row.revision, "by": user.pk, **more},
        space_id=row.space_id,
        subject_id=row.pk,
    )
