"""Merging proposals: what is in the way, and the merge itself."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import not_found
from knowledge.branches import facts_of, node_state
from knowledge.choices import ProposalStatus
from knowledge.evaluation import gate_problems
from knowledge.merge_suggestions import conflict_suggestion
from knowledge.merging.tree import is_same
from knowledge.models import Proposal
from knowledge.proposal_access import (
    EDITABLE,
    approvals_missing,
    branch_require,
    curates,
    proposal_lock,
    revision_require,
    status_require,
)
from knowledge.proposal_conflicts import MergeConflict, resolutions_read
from knowledge.proposal_plans import plan_require, proposal_plan
from knowledge.proposal_writing import proposal_write
from knowledge.services.proposal_news import branch_changed
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden

MERGEABLE = (ProposalStatus.IN_REVIEW, ProposalStatus.APPROVED)


def proposal_merge(
    *,
    acting_user: User,
    proposal: Proposal,
    resolutions: Mapping[str, Any] | None = None,
    expected_revision: int | None = None,
) -> Proposal:
    """Merge a proposal, all of it in one transaction, and return its stored row.

    `resolutions` maps ids of conflicts to `{"choice": "ours" | "theirs" | "base" | "both"}`,
    `{"text": …}` or `{"value": …}`; ours is the branch. Needs a curator. Raises NotFound,
    Forbidden, Invalid, Conflict (`wrong_status`, `approvals_missing`, `regression`), and
    MergeRefused with the conflicts that are left.
    """
    row = _seen(acting_user, proposal)

    def require(stored: Proposal) -> None:
        merge_require(acting_user, stored, expected_revision)

    require(row)
    return proposal_write(
        row, resolutions_read(resolutions or {}), merged_by=acting_user, require=require
    )


def merge_require(user: User, row: Proposal, expected_revision: int | None = None) -> None:
    """Raise what keeps a user from merging a proposal, its conflicts aside."""
    if not curates(user, row.space):
        raise Forbidden(_("Curators merge proposals."), code="role_needed")
    status_require(row, MERGEABLE)
    revision_require(row, expected_revision)
    missing = approvals_missing(row)
    if missing:
        message = _("%(count)s more approvals are needed.") % {"count": missing}
        raise Conflict(message, code="approvals_missing", details={"missing": missing})
    if problems := gate_problems(row):
        raise Conflict(" ".join(problems), code="regression", details={"problems": problems})


def proposal_conflicts(*, acting_user: User, proposal: Proposal) -> list[MergeConflict]:
    """Return what would be left to be chosen if the proposal were merged now. Raises NotFound."""
    row = _seen(acting_user, proposal)
    return [] if row.is_decided else proposal_plan(row).conflicts


def conflict_suggest(*, acting_user: User, proposal: Proposal, conflict_id: str) -> str:
    """Return what the language model would make of a conflict; nothing is changed by it.

    Raises NotFound, Invalid, TooLarge, Conflict (`no_language_model`, `stale_conflict`),
    Unavailable.
    """
    row = _seen(acting_user, proposal)
    found = proposal_conflicts(acting_user=acting_user, proposal=row)
    conflict = next((each for each in found if each.id == conflict_id), None)
    if conflict is None:
        message = _("There is no such conflict any more. Look at the conflicts again.")
        raise Conflict(message, code="stale_conflict", field="conflict")
    return conflict_suggestion(row, conflict, asked_by=acting_user)


@transaction.atomic
def proposal_rebase(
    *,
    acting_user: User,
    proposal: Proposal,
    resolutions: Mapping[str, Any] | None = None,
    expected_revision: int | None = None,
) -> Proposal:
    """Let the branch begin from the nodes as they are stored now; return its stored row.

    What conflicts is settled by `resolutions`: a branch that began anew with its own side would
    hide what others wrote. The merge will still name the version that the branch began from. Raises
    NotFound, Forbidden, Invalid, Conflict, and MergeRefused with the conflicts that are left.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    status_require(row, EDITABLE)
    plan = proposal_plan(row, resolutions_read(resolutions or {}), lock=True)
    plan_require(plan)
    moved = False
    for each in plan.nodes:
        if each.before is None:
            continue
        change, stored = each.change, node_state(each.before)
        state = node_state(each.node)
        fields = {name: value for name, value in state.items() if not is_same(value, stored[name])}
        if change.base_version == each.before.version and fields == change.fields:
            continue
        change.fields = fields
        change.base_version = each.before.version
        change.base_facts = facts_of(each.before)
        change.based_at = timezone.now()
        change.resolutions = {
            **change.resolutions,
            **plan.resolutions.used.get(change.pk, {}),
        }
        change.version += 1
        change.author = acting_user
        change.save()
        moved = True
    if moved:
        branch_changed(row)
    return row


def _seen(user: User, proposal: Proposal) -> Proposal:
    rows = Proposal.objects.visible_to(user).select_related("space")
    row = rows.filter(pk=proposal.pk).first()
    if row is None:
        raise not_found()
    return row
