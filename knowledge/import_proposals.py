"""Filing what an import may not write by itself as a proposal, for people to decide."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import ChangeAction, ProposalOrigin, ProposalStatus
from knowledge.models import Node, Proposal, ProposalChange, Space
from knowledge.proposal_building import ChangeBuilder
from project.accounts.models import User
from project.events.services import emit


class Waiting(NamedTuple):
    """New values of a node, and the version that they were made from."""

    node: Node
    base_version: int
    fields: Mapping[str, Any]


def import_propose(
    *, author: User, space: Space, name: str, changes: Sequence[Waiting]
) -> Proposal | None:
    """File changes of nodes for review, in the caller's transaction; None where nothing is new.

    An undecided proposal of the same author that an earlier import filed for the same file gets
    its changes replaced: of one file at most one proposal waits.
    """
    if not changes:
        return None
    title = _("Import of “%(name)s”") % {"name": name[:150]}
    rows = Proposal.objects.undecided().filter(
        space=space, author=author, origin=ProposalOrigin.PROGRAM, title=title
    )
    row = rows.select_for_update(no_key=True).first()
    if row is None:
        row = Proposal(
            space=space,
            author=author,
            origin=ProposalOrigin.PROGRAM,
            title=title,
            description=_(
                "The source changed where the text was edited here, or the import may not write"
                " to what is published. Until this is decided the text stays as it is."
            ),
            status=ProposalStatus.IN_REVIEW,
            submitted_at=timezone.now(),
        )
        row.save(force_insert=True)
    else:
        row.changes.filter(node_id__in=[each.node.pk for each in changes]).delete()
        row.revision += 1
        row.status = ProposalStatus.IN_REVIEW
        row.save(update_fields=["revision", "status", "updated_at"])
    builder = ChangeBuilder(author, row, about=[each.node.pk for each in changes])
    made = [builder.made(_values(each)) for each in changes]
    ProposalChange.objects.bulk_create(made)
    emit(
        "knowledge.proposal.submitted",
        {"proposal": str(row.pk), "revision": row.revision, "by": author.pk},
        space_id=space.pk,
        subject_id=row.pk,
    )
    return row


def _values(waiting: Waiting) -> dict[str, Any]:
    return {
        "action": ChangeAction.EDIT,
        "node": waiting.node.pk,
        "base_version": waiting.base_version,
        "fields": dict(waiting.fields),
    }
