"""What a merge would touch, and the checklist before it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from knowledge.choices import ChangeAction, NodeStatus
from knowledge.impact import Dependent, blast_radius
from knowledge.models import Proposal, ProposalChange
from knowledge.proposal_checks import Check, proposal_check
from knowledge.proposal_merging import MergePlan
from knowledge.proposal_plans import proposal_plan
from knowledge.quality import Finding, NodeState, checks_of
from project.accounts.models import User

QUALITY_PAGE = 8
"""Nodes whose quality one page looks at: each asks for its neighbours in the space."""
MARKS = {
    "passed": ("check_circle", "success", _("Passed")),
    "warning": ("warning", "warning", _("Look at it")),
    "failed": ("cancel", "danger", _("In the way")),
}
SEVERITIES = {
    "error": ("error", "danger", _("Error")),
    "warning": ("warning", "warning", _("Warning")),
    "info": ("info", "info", _("Hint")),
}
PAGES = {"conflicts": "conflicts", "approvals": "change"}
"""The page that helps with a check, by its code."""


@dataclass(frozen=True, slots=True)
class Touches:
    """What a merge would store, in words, and how many conflicts are left."""

    lines: list[str]
    nodes: int
    conflicts: int
    on_archived: list[Dependent]
    on_edited: list[Dependent]


@dataclass(frozen=True, slots=True)
class Checked:
    """A check with its mark: symbol, tone and word."""

    check: Check

    @property
    def mark(self) -> tuple[str, str, Any]:
        """Symbol, tone and word."""
        return MARKS[self.check.state]

    @property
    def page(self) -> str:
        """The page that helps, or nothing."""
        return PAGES.get(self.check.code, "") if self.check.state != "passed" else ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """All checks, and how many conflicts they met."""

    checks: list[Checked]
    conflicts: int
    is_mergeable: bool


@dataclass(frozen=True, slots=True)
class NodeQuality:
    """A node as the merge would leave it, with what its checks found: (mark, finding)."""

    title: str
    change: ProposalChange
    findings: list[tuple[tuple[str, str, Any], Finding]]


def checklist_of(proposal: Proposal) -> Checklist:
    """Return the checklist of a proposal."""
    found = proposal_check(proposal)
    return Checklist(
        [Checked(check) for check in found.checks], len(found.conflicts), found.is_mergeable
    )


def touches_of(proposal: Proposal, user: User) -> Touches:
    """Return what merging a proposal would store now, and what stands on that for the user."""
    plan = proposal_plan(proposal)
    kept = [(each, each.before) for each in plan.nodes if each.before is not None]
    archived = [
        each.node.pk
        for each, before in kept
        if each.node.status == NodeStatus.ARCHIVED != before.status
    ]
    edited = [each.node.pk for each, _before in kept if each.is_new_version]
    on_archived = blast_radius(archived, user)
    on_edited = blast_radius(set(edited) - set(archived), user)
    return Touches(
        [*_node_lines(plan), *_relation_lines(plan)],
        len(plan.nodes),
        len(plan.conflicts),
        [each for each in on_archived if each.kind != "proposal"],
        [each for each in on_edited if each.kind not in {"proposal", "link"}],
    )


def _node_lines(plan: MergePlan) -> list[str]:
    new = sum(each.before is None for each in plan.nodes)
    kept = [(each, each.before) for each in plan.nodes if each.before is not None]
    archived = sum(
        each.node.status == NodeStatus.ARCHIVED != before.status for each, before in kept
    )
    published = sum(
        each.node.status == NodeStatus.PUBLISHED != before.status for each, before in kept
    )
    edited = sum(each.is_new_version for each, _before in kept)
    merged = sum(
        each.is_new_version and each.change.base_version != before.version for each, before in kept
    )
    counts = [
        (
            edited,
            ngettext("%(n)s node gets a new version", "%(n)s nodes get a new version", edited),
        ),
        (
            merged,
            ngettext(
                "%(n)s of them is merged with later edits",
                "%(n)s of them are merged with later edits",
                merged,
            ),
        ),
        (new, ngettext("%(n)s node is made", "%(n)s nodes are made", new)),
        (published, ngettext("%(n)s node is published", "%(n)s nodes are published", published)),
        (archived, ngettext("%(n)s node is archived", "%(n)s nodes are archived", archived)),
    ]
    return [text % {"n": count} for count, text in counts if count]


def _relation_lines(plan: MergePlan) -> list[str]:
    made = sum(each.before is None and each.relation is not None for each in plan.relations)
    gone = sum(each.relation is None for each in plan.relations)
    kept = len(plan.relations) - made - gone
    counts = [
        (made, ngettext("%(n)s relation is made", "%(n)s relations are made", made)),
        (gone, ngettext("%(n)s relation is removed", "%(n)s relations are removed", gone)),
        (kept, ngettext("%(n)s relation is changed", "%(n)s relations are changed", kept)),
    ]
    return [text % {"n": count} for count, text in counts if count]


def quality_of(proposal: Proposal, number: int | None) -> Any:
    """Return a page of changed nodes with what the checks find in them as if merged."""
    if proposal.is_decided:
        return None
    plan = proposal_plan(proposal)
    live = [each for each in plan.nodes if each.node.status != NodeStatus.ARCHIVED]
    page: Any = Paginator(live, QUALITY_PAGE).get_page(number)
    states = {each.node.pk: _state(each) for each in plan.nodes}
    rows = []
    for each in page.object_list:
        others = [state for pk, state in states.items() if pk != each.node.pk]
        found = checks_of(states[each.node.pk], others=others)
        marked = [(SEVERITIES[one.severity], one) for one in found]
        rows.append(NodeQuality(each.node.title, each.change, marked))
    page.object_list = rows
    return page


def _state(planned: Any) -> NodeState:
    """Return the state that a merge would make; the index has not waited for it."""
    state = NodeState.of(planned.node)
    is_new = planned.change.action == ChangeAction.CREATE
    return dataclasses.replace(state, behind_since=None, node_id=None if is_new else state.node_id)
