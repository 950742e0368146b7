"""Plans of merges, whole: what a proposal would do to what is stored now."""

from django.utils.translation import gettext as _

from knowledge.branches import branch_load
from knowledge.models import Proposal
from knowledge.proposal_conflicts import MergeRefused, Resolutions, conflicts_refuse
from knowledge.proposal_crossing import names_check, uses_check
from knowledge.proposal_merging import Memo, MergePlan, nodes_plan
from knowledge.proposal_relations import relations_plan


def proposal_plan(
    proposal: Proposal,
    resolutions: Resolutions | None = None,
    *,
    memo: Memo | None = None,
    lock: bool = False,
) -> MergePlan:
    """Return what merging a proposal would do now. Raises Invalid for a resolution out of place."""
    branch = branch_load(proposal, lock=lock)
    plan = MergePlan(branch, resolutions.again() if resolutions else Resolutions())
    nodes_plan(plan, {} if memo is None else memo)
    names_check(plan)
    uses_check(plan)
    relations_plan(plan)
    return plan


def plan_require(plan: MergePlan) -> None:
    """Raise MergeRefused while conflicts are left, or for resolutions of what changed since."""
    stale = plan.resolutions.stale
    if stale:
        message = _(
            "%(count)s resolutions are about conflicts that have changed since, or that there"
            " are not. Look at the conflicts again."
        )
        raise MergeRefused(
            message % {"count": len(stale)},
            plan.conflicts,
            code="stale_resolutions",
            field="resolutions",
            details={"stale": stale},
        )
    if plan.conflicts:
        raise conflicts_refuse(plan.conflicts)
