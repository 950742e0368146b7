"""What merging a proposal would do: every node and relation three ways, and what conflicts.

Nothing is written. The same plan, made from rows that are locked, is what a merge stores.

1. Nodes: base version, branch, stored row, by `knowledge.merging.merge_nodes`.
2. Names and ends: what two nodes, or a relation and its nodes, cannot have together
   (`knowledge.proposal_crossing`).
3. Relations by their identity: source, target, kind.
"""

import copy
import uuid
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.branches import FACTS, Branch, State, node_state, state_apply
from knowledge.choices import ChangeAction, NodeStatus
from knowledge.merging import NodeConflict, NodeMerge, merge_nodes
from knowledge.merging.nodes import chosen
from knowledge.merging.tree import is_same, placed
from knowledge.models import Node, ProposalChange, Relation
from knowledge.proposal_conflicts import MergeConflict, Resolution, Resolutions
from knowledge.versions import shift_anchors, state_of
from project.http.errors import ApiError, Invalid

Memo = MutableMapping[tuple[Any, ...], NodeMerge]
AGAIN = uuid.UUID("7f1d0a5e-6a53-4f5b-9a55-0f0d3a0c4f11")
"""The name space of the ids that deleted nodes get when they are stored again."""


@dataclass(slots=True)
class NodePlan:
    """A node with its values after the merge; `before` is its stored row, None for a new one."""

    change: ProposalChange
    node: Node
    before: Node | None = None
    merge: NodeMerge | None = None

    @property
    def is_new_version(self) -> bool:
        """Whether the text or its facts change."""
        return self.before is None or state_of(self.node) != state_of(self.before)

    @property
    def version(self) -> int:
        """The number of the version that there will be."""
        if self.before is None:
            return 1
        return self.before.version + self.is_new_version

    @property
    def is_indexed(self) -> bool:
        """Whether search will have to hold other passages of the node than it does."""
        if self.node.status != NodeStatus.PUBLISHED or self.keeps_passages:
            return False
        before = self.before
        return self.is_new_version or before is None or before.indexed_version != before.version

    @property
    def keeps_passages(self) -> bool:
        """Whether the passages that search has of the node are those that it will have."""
        node, before = self.node, self.before
        return (
            before is not None
            and before.indexed_version == before.version
            and {node.status, before.status} == {NodeStatus.PUBLISHED}
            and (node.title, node.language, node.content, node.anchors)
            == (before.title, before.language, before.content, before.anchors)
        )


@dataclass(slots=True)
class RelationPlan:
    """What becomes of a relation: `relation` is stored, or removed when it is None."""

    change: ProposalChange
    relation: Relation | None
    before: Relation | None


@dataclass(slots=True)
class MergePlan:
    """All that a merge would do, and the conflicts that are left."""

    branch: Branch
    resolutions: Resolutions
    by_node: dict[uuid.UUID, NodePlan] = field(default_factory=dict)
    relations: list[RelationPlan] = field(default_factory=list)
    conflicts: list[MergeConflict] = field(default_factory=list)
    moved: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    """New ids of nodes that were deleted and are stored again."""

    def ask(self, conflict: MergeConflict) -> Resolution | None:
        """Return what was decided for a conflict; one without a decision is left."""
        decided = self.resolutions.of(conflict)
        if decided is None:
            self.conflicts.append(conflict)
        return decided

    @property
    def nodes(self) -> list[NodePlan]:
        """The nodes, in the order of their changes."""
        return list(self.by_node.values())

    def add(self, change: ProposalChange, node: Node, **values: Any) -> None:
        """Plan a node."""
        self.by_node[node.pk] = NodePlan(change, node, **values)

    def node(self, pk: uuid.UUID | None) -> Node | None:
        """Return a node as it will be, None for one that will not be there."""
        if pk is None:
            return None
        planned = self.by_node.get(pk)
        return planned.node if planned else self.branch.nodes.get(pk)


def nodes_plan(plan: MergePlan, memo: Memo) -> None:
    """Merge every changed node of a branch with its stored row."""
    for change in plan.branch.changes:
        if change.is_of_relation:
            continue
        if change.action == ChangeAction.CREATE:
            _create(plan, change)
        else:
            _edit(plan, change, memo)


def _create(plan: MergePlan, change: ProposalChange) -> None:
    space = plan.branch.space
    node = Node(pk=change.node_id, space=space, language=space.language)
    node.owner_id = plan.branch.proposal.author_id
    state_apply(node, change.fields)
    plan.add(change, node)


def _edit(plan: MergePlan, change: ProposalChange, memo: Memo) -> None:
    assert change.node_id is not None
    stored = plan.branch.nodes.get(change.node_id)
    base, ours = plan.branch.base_of(change), plan.branch.ours_of(change)
    if stored is None or stored.space_id != plan.branch.space.pk:
        _gone(plan, change, base, ours)
        return
    theirs = node_state(stored)
    key = (change.pk, change.version, stored.version, *(theirs[name] for name in FACTS))
    merge = memo.get(key)
    if merge is None:
        memo[key] = merge = merge_nodes(base, ours, theirs)
    state = _settled(plan, change, merge)
    node = copy.copy(stored)
    changed = {name: value for name, value in state.items() if not is_same(value, theirs[name])}
    try:
        state_apply(node, changed)
    except ApiError as error:
        raise Invalid(error.message, field=error.field, details={"node": str(node.pk)}) from error
    node.anchors = shift_anchors(stored.content, node.content, stored.anchors)
    plan.add(change, node, before=stored, merge=merge)


def _gone(plan: MergePlan, change: ProposalChange, base: State, ours: State) -> None:
    """Plan for a node that was deleted: a new one with the branch's state, or nothing."""
    if change.fields.get("status") == NodeStatus.ARCHIVED:
        return
    conflict = MergeConflict(
        kind="deleted",
        change=change.pk,
        node=change.node_id,
        title=ours["title"],
        base=base["title"],
        ours={name: ours[name] for name in change.fields},
        theirs=None,
        choices=("ours", "theirs"),
        takes_value=False,
    )
    decided = plan.ask(conflict)
    if decided is not None and decided.choice == "theirs":
        return
    node = Node(pk=uuid.uuid5(AGAIN, str(change.pk)), space=plan.branch.space)
    assert change.node_id is not None
    plan.moved[change.node_id] = node.pk
    state_apply(node, ours)
    plan.add(change, node)


def _settled(plan: MergePlan, change: ProposalChange, merge: NodeMerge) -> State:
    """Return the merged state with what was decided in its conflicts, our side elsewhere."""
    state = merge.state
    texts = [piece.with_ours for piece in merge.content.conflicts]
    for each in merge.conflicts:
        shown = _shown(change, each, state)
        decided = plan.ask(shown)
        if decided is None:
            continue
        if each.part is not None:
            texts[each.part] = _text(each, decided)
        elif not decided.choice:
            if each.path:
                tree = placed(state[each.field], each.path, decided.value)
                state = {**state, each.field: tree}
            else:
                state = {**state, each.field: decided.value}
        else:
            state = _chosen(state, each, decided.choice)
    return {**state, "content": merge.content.rendered(texts)[0]} if texts else state


def _chosen(state: State, conflict: NodeConflict, choice: str) -> State:
    if choice != "base":
        return chosen(state, conflict, "theirs" if choice == "theirs" else "ours")
    if conflict.path:
        tree = placed(state[conflict.field], conflict.path, conflict.base)
        return {**state, conflict.field: tree}
    return {**state, conflict.field: conflict.base}


def _text(conflict: NodeConflict, decided: Resolution) -> str:
    if not decided.choice:
        if not isinstance(decided.value, str):
            raise Invalid(_("A part of a text takes a text."), field="resolutions")
        return decided.value
    if decided.choice == "both":
        ours = str(conflict.ours)
        gap = "" if not ours or ours.endswith("\n") else "\n"
        return f"{ours}{gap}{conflict.theirs}"
    return str(getattr(conflict, decided.choice))


def _shown(change: ProposalChange, each: NodeConflict, state: State) -> MergeConflict:
    kind, takes_value = "field", True
    choices: tuple[str, ...] = ("ours", "theirs", "base")
    if each.part is not None:
        kind, choices = "text", ("ours", "theirs", "base", "both")
    elif each.field == "metadata":
        kind = "metadata"
    elif each.field == "title":
        kind = "renamed"
    elif each.field == "status" and NodeStatus.ARCHIVED in {each.ours, each.theirs}:
        kind, choices, takes_value = "archived_edited", ("ours", "theirs"), False
    return MergeConflict(
        kind=kind,
        change=change.pk,
        node=change.node_id,
        title=state["title"],
        field=each.field,
        path=each.path,
        part=each.part,
        base=each.base,
        ours=each.ours,
        theirs=each.theirs,
        choices=choices,
        takes_value=takes_value,
    )
