"""What stands in the way of merging a proposal, and what its readers should know before."""

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.choices import EvaluationStatus, NodeStatus, ProposalStatus
from knowledge.evaluation import gate_problems, proposal_evaluation
from knowledge.kinds import metadata_faults
from knowledge.models import Proposal, ProposalReview
from knowledge.proposal_access import NEXT, approvals, approvals_missing
from knowledge.proposal_conflicts import MergeConflict
from knowledge.proposal_merging import MergePlan, NodePlan
from knowledge.proposal_plans import proposal_plan
from knowledge.quality import Finding, NodeState, Severity, checks_of

MERGEABLE = frozenset({ProposalStatus.IN_REVIEW, ProposalStatus.APPROVED})
READ_AT_ONCE = 10
"""Nodes whose texts one look at the checks reads: each is compared with its whole space."""


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
    nodes: list[uuid.UUID] = field(default_factory=list)

    @property
    def is_mergeable(self) -> bool:
        """Whether a curator could merge it now as it is."""
        return all(check.state != "failed" for check in self.checks)


def proposal_check(proposal: Proposal, plan: MergePlan | None = None) -> ProposalChecks:
    """Look at a proposal as it would be merged now; `plan` is that merge where it is made."""
    checks = []
    if proposal.status not in MERGEABLE:
        details = {"status": proposal.status}
        checks.append(Check("status", "failed", str(NEXT[proposal.status]), details=details))
    missing = 0 if proposal.is_decided else approvals_missing(proposal)
    checks.append(_approvals(proposal, missing))
    if plan is None and not proposal.is_decided:
        plan = proposal_plan(proposal)
    conflicts = plan.conflicts if plan else []
    if conflicts:
        message = _("%(count)s conflicts with what is stored by now.") % {"count": len(conflicts)}
        checks.append(Check("conflicts", "failed", message, details={"count": len(conflicts)}))
    else:
        checks.append(Check("conflicts", "passed", _("Nothing conflicts with what is stored.")))
    checks += _metadata(plan) if plan else []
    if not proposal.is_decided:
        problems = gate_problems(proposal)
        checks += [Check("regression", "failed", problem) for problem in problems]
        if proposal.space.requires_no_regression and not problems:
            checks.append(Check("regression", "passed", _("No golden question is lost.")))
    if proposal.status in MERGEABLE:
        checks += _evaluation(proposal)
    touched = [each.node.pk for each in plan.nodes if each.before] if plan else []
    return ProposalChecks(checks, conflicts, approvals(proposal), missing, touched)


def _evaluation(proposal: Proposal) -> list[Check]:
    """Return what golden questions say of the merge; without a run of it, one is begun."""
    run = proposal_evaluation(proposal)
    if run is None:
        return []
    facts = {"run": str(run.pk), "status": run.status, "metrics": run.metrics or None}
    lost = run.metrics.get("lost", 0)
    if run.status == EvaluationStatus.COMPLETED and not lost:
        message, state = _("Search finds as well for every golden question."), "passed"
    elif run.status == EvaluationStatus.COMPLETED:
        message, state = (
            ngettext(
                "Search finds worse for %(count)s golden question.",
                "Search finds worse for %(count)s golden questions.",
                lost,
            ),
            "warning",
        )
    elif run.has_ended:
        message, state = _("The golden questions could not all be asked."), "warning"
    else:
        message, state = _("The golden questions are being asked."), "warning"
    return [Check("evaluation", state, message % {"count": lost}, details=facts)]


def _metadata(plan: MergePlan) -> list[Check]:
    """Return what the kinds of the nodes refuse: the merge would be refused for it."""
    nodes = [each.node for each in plan.nodes]
    return [
        Check("metadata", "failed", fault.message, nodes[number].pk, fault.details)
        for number, fault in metadata_faults(nodes).items()
    ]


def quality_check(plan: MergePlan) -> list[Check]:
    """Look at the texts of the first nodes that a merge would change, as it would leave them.

    What is found keeps nothing from being merged. A last check says how many were not looked at.
    """
    live = [each for each in plan.nodes if each.node.status != NodeStatus.ARCHIVED]
    checks = []
    for each in live[:READ_AT_ONCE]:
        for found in findings_of(plan, each):
            state = "passed" if found.severity == Severity.INFO else "warning"
            details = {"severity": found.severity, "field": found.field, **found.details}
            checks.append(Check(found.code, state, found.message, each.node.pk, details))
    rest = len(live) - READ_AT_ONCE
    if rest > 0:
        message = _("%(count)s more nodes were not looked at: see their findings page by page.")
        checks.append(
            Check("quality", "warning", message % {"count": rest}, details={"count": rest})
        )
    elif not checks:
        checks.append(Check("quality", "passed", _("Nothing was found in the changed texts.")))
    return checks


def findings_of(plan: MergePlan, node: NodePlan) -> list[Finding]:
    """Return what the checks find in a node as the merge would leave it, worst first."""
    others = [_state(each) for each in plan.nodes if each is not node]
    return checks_of(_state(node), others=others)


def _state(planned: NodePlan) -> NodeState:
    """Return the state that a merge would make; the index has not waited for it."""
    state = NodeState.of(planned.node)
    is_new = planned.before is None
    return dataclasses.replace(state, behind_since=None, node_id=None if is_new else state.node_id)


def _approvals(proposal: Proposal, missing: int) -> Check:
    required = proposal.space.required_approvals
    details = {"required": required, "missing": missing}
    if missing:
        message = _("%(missing)s of %(required)s approvals are missing.") % details
        return Check("approvals", "failed", message, details=details)
    return Check("approvals", "passed", _("All approvals are given."), details=details)
