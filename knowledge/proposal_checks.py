"""What stands in the way of merging a proposal, and what its readers should know before."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.choices import ProposalStatus
from knowledge.evaluation import gate_problems
from knowledge.models import Proposal, ProposalReview
from knowledge.proposal_access import NEXT, approvals, approvals_missing
from knowledge.proposal_conflicts import MergeConflict
from knowledge.proposal_plans import proposal_plan

MERGEABLE = frozenset({ProposalStatus.IN_REVIEW, ProposalStatus.APPROVED})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `state` is passed, warning or failed.

    What failed keeps the proposal from being merged.
    """

    code: str
    state: str
    message: str
    node: uuid.UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProposalChecks:
    """All checks, with the reviews and conflicts that they speak of."""

    checks: list[Check]
    conflicts: list[MergeConflict]
    approvals: list[ProposalReview]
    missing: int

    @property
    def is_mergeable(self) -> bool:
        """Whether a curator could merge it now as it is."""
        return all(check.state != "failed" for check in self.checks)


def proposal_check(proposal: Proposal) -> ProposalChecks:
    """Look at a proposal as it would be merged now."""
    checks = []
    if proposal.status not in MERGEABLE:
        details = {"status": proposal.status}
        checks.append(Check("status", "failed", str(NEXT[proposal.status]), details=details))
    missing = 0 if proposal.is_decided else approvals_missing(proposal)
    checks.append(_approvals(proposal, missing))
    plan = None if proposal.is_decided else proposal_plan(proposal)
    conflicts = plan.conflicts if plan else []
    if conflicts:
        message = _("%(count)s conflicts with what is stored by now.") % {"count": len(conflicts)}
        checks.append(Check("conflicts", "failed", message, details={"count": len(conflicts)}))
    else:
        checks.append(Check("conflicts", "passed", _("Nothing conflicts with what is stored.")))
    if not proposal.is_decided:
        problems = gate_problems(proposal)
        checks += [Check("regression", "failed", problem) for problem in problems]
        if proposal.space.requires_no_regression and not problems:
            checks.append(Check("regression", "passed", _("No golden question is lost.")))
    return ProposalChecks(checks, conflicts, approvals(proposal), missing)


def _approvals(proposal: Proposal, missing: int) -> Check:
    required = proposal.space.required_approvals
    details = {"required": required, "missing": missing}
    if missing:
        message = _("%(missing)s of %(required)s approvals are missing.") % details
        return Check("approvals", "failed", message, details=details)
    return Check("approvals", "passed", _("All approvals are given."), details=details)
