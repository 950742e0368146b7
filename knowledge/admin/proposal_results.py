"""The page of conflicts: for each node its conflicts, and the result that the choices make."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from knowledge.admin.merge_marks import marked
from knowledge.admin.merge_parts import Changes, heading_before, readable, text_label
from knowledge.admin.proposal_choices import ShownConflict, decisions, shown_conflict
from knowledge.admin.proposal_shown import metadata_facts, name_of
from knowledge.branches import node_state
from knowledge.merging.rows import compare_texts
from knowledge.merging.tree import is_same
from knowledge.models import Proposal
from knowledge.proposal_conflicts import MergeConflict, Resolution, Resolutions
from knowledge.proposal_merging import MergePlan, NodePlan
from knowledge.proposal_plans import proposal_plan

ROUNDS = 3
"""Of conflicts that come up because others were decided, such as a new title that is taken."""
Sent = Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class ConflictNode:
    """A node, or a relation, with its conflicts; `result` is against what is stored now."""

    key: str
    title: str
    node_id: Any = None
    base_version: int | None = None
    stored_version: int | None = None
    conflicts: list[ShownConflict] = field(default_factory=list)
    result: Changes | None = None
    text: str = ""
    base: str = ""
    ours: str = ""
    theirs: str = ""

    @property
    def undecided(self) -> int:
        """How many of its conflicts wait for a choice."""
        return sum(not each.is_decided for each in self.conflicts)


@dataclass(slots=True)
class ConflictPage:
    """All conflicts of a proposal with what was chosen; `lost` are texts for none of them."""

    nodes: list[ConflictNode]
    resolutions: Resolutions
    lost: list[str]

    @property
    def total(self) -> int:
        """How many conflicts there are."""
        return sum(len(each.conflicts) for each in self.nodes)

    @property
    def decided(self) -> int:
        """How many have a choice."""
        return self.total - sum(each.undecided for each in self.nodes)

    def chosen(self) -> dict[str, dict[str, Any]]:
        """Return the decisions as the services take them."""
        return {key: each.as_json() for key, each in self.resolutions.given.items()}


def conflict_page(proposal: Proposal, sent: Sent, *, has_model: bool = False) -> ConflictPage:
    """Return the conflicts of a proposal as they are now, with the choices that were sent.

    Raises Invalid for a typed value that a field does not take.
    """
    plan = proposal_plan(proposal)
    conflicts = list(plan.conflicts)
    resolutions = decisions(conflicts, sent)
    for _round in range(ROUNDS):
        if not resolutions.given:
            break
        plan = proposal_plan(proposal, resolutions)
        known = {each.id for each in conflicts}
        new = [each for each in plan.conflicts if each.id not in known]
        if not new:
            break
        conflicts += new
        resolutions = decisions(conflicts, sent)
    named = {each.id for each in conflicts}
    lost = [own for key, (_choice, own) in sent.items() if own.strip() and key not in named]
    return ConflictPage(_nodes(plan, conflicts, sent, resolutions, has_model), resolutions, lost)


def _nodes(
    plan: MergePlan,
    conflicts: Sequence[MergeConflict],
    sent: Sent,
    resolutions: Resolutions,
    has_model: bool,  # noqa: FBT001 - handed through
) -> list[ConflictNode]:
    by_change: dict[Any, list[MergeConflict]] = defaultdict(list)
    for each in conflicts:
        by_change[each.change].append(each)
    plans = {each.change.pk: each for each in plan.nodes}
    found = []
    number = 0
    for change_id, own in by_change.items():
        planned = plans.get(change_id)
        node = ConflictNode(str(change_id), own[0].title, node_id=own[0].node)
        headings = _headings(planned)
        for conflict in own:
            number += 1
            shown = shown_conflict(number, conflict, sent, has_model=has_model)
            if conflict.kind == "text" and conflict.part in headings:
                shown = replace(shown, label=text_label(headings[conflict.part]))
            node.conflicts.append(shown)
        if planned is not None and planned.before is not None:
            _result(plan, node, planned, resolutions)
        found.append(node)
    return found


def _headings(planned: NodePlan | None) -> dict[int | None, str]:
    """Return the heading above each conflict of a text, by its part."""
    if planned is None or planned.merge is None:
        return {}
    content = planned.merge.content
    text, spans = content.rendered([piece.with_ours for piece in content.conflicts])
    return {part: heading_before(text, span[0]) for part, span in enumerate(spans)}


def _result(
    plan: MergePlan, node: ConflictNode, planned: NodePlan, resolutions: Resolutions
) -> None:
    """Put the result on a node: undecided places of the text stand between marks."""
    before, change = planned.before, planned.change
    assert before is not None
    stored, state = node_state(before), node_state(planned.node)
    text = _text(node, planned, resolutions)
    waiting = [each for each in node.conflicts if not each.is_decided and not each.is_text]
    facts = [_waiting_fact(each, stored) for each in waiting]
    named = {fact["name"] for fact in facts}
    for name, value in state.items():
        if name == "content" or is_same(value, stored[name]):
            continue
        if name == "metadata":
            facts += metadata_facts(stored[name], value)
            continue
        old, new = readable(name, stored[name]), readable(name, value)
        facts.append({"name": name_of(name), "old": old, "new": new})
    node.title = planned.node.title
    node.base_version, node.stored_version = change.base_version, before.version
    facts = facts[: len(waiting)] + [
        fact for fact in facts[len(waiting) :] if fact["name"] not in named
    ]
    node.result = Changes(facts, compare_texts(stored["content"], text))
    node.text = text
    node.base = plan.branch.base_of(change)["content"]
    node.ours = plan.branch.ours_of(change)["content"]
    node.theirs = stored["content"]


def _waiting_fact(shown: ShownConflict, stored: Mapping[str, Any]) -> dict[str, str]:
    """Return the fact of a field for which nothing was chosen yet."""
    conflict = shown.conflict
    old = conflict.theirs if conflict.path else stored.get(conflict.field)
    return {
        "name": shown.label,
        "old": readable(conflict.field, old),
        "new": _("undecided"),
    }


def _text(node: ConflictNode, planned: NodePlan, resolutions: Resolutions) -> str:
    merge = planned.merge
    if merge is None or not merge.content.conflicts:
        return planned.node.content
    by_part = {each.conflict.part: each for each in node.conflicts if each.is_text}
    texts = []
    for part, piece in enumerate(merge.content.conflicts):
        shown = by_part.get(part)
        decided = resolutions.given.get(shown.id) if shown is not None else None
        if shown is None or decided is None:
            number = shown.number if shown is not None else part + 1
            newline = merge.content.newline
            texts.append(marked(number, piece.with_ours, piece.with_theirs, newline))
        else:
            texts.append(_chosen_text(shown.conflict, decided))
    return merge.content.rendered(texts)[0]


def _chosen_text(conflict: MergeConflict, decided: Resolution) -> str:
    if not decided.choice:
        return str(decided.value)
    return str(getattr(conflict, decided.choice))
