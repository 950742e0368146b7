"""Reading proposals: what each change changes, and what the nodes would be after the merge."""

import difflib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from knowledge.branches import Branch, State, branch_load, relation_values
from knowledge.choices import ChangeAction
from knowledge.merging.tree import is_same
from knowledge.models import Node, Proposal, ProposalChange, Relation
from knowledge.proposal_merging import NodePlan
from knowledge.proposal_plans import proposal_plan
from knowledge.versions import FieldChange


@dataclass(frozen=True, slots=True)
class ChangeDiff:
    """How a change changes a node, from the version that it began from, or a relation.

    `title` is the node's on the branch, or what the relation joins; `unified` is the text's.
    `base` and `ours` are whole states.
    """

    change: ProposalChange
    title: str
    fields: list[FieldChange]
    unified: str = ""
    base: State = field(default_factory=dict)
    ours: State = field(default_factory=dict)


def changes_compare(proposal: Proposal, changes: Sequence[ProposalChange]) -> list[ChangeDiff]:
    """Return how some changes of a proposal change what they are about, in order."""
    branch = branch_load(proposal, only=[change.pk for change in changes])
    titles = _titles(branch)
    loaded = {change.pk: change for change in branch.changes}
    found = []
    for each in changes:
        change = loaded.get(each.pk)
        if change is None:
            continue  # taken out of the proposal at this moment
        found.append(
            _of_relation(branch, change, titles)
            if change.is_of_relation
            else _of_node(branch, change)
        )
    return found


def _of_node(branch: Branch, change: ProposalChange) -> ChangeDiff:
    base, ours = branch.base_of(change), branch.ours_of(change)
    is_new = change.action == ChangeAction.CREATE
    names = ("nothing", "proposal") if is_new else (f"version {change.base_version}", "proposal")
    fields: list[FieldChange] = [
        {"field": name, "old": None if is_new else base[name], "new": ours[name]}
        for name in ours
        if name in change.fields and (is_new or not is_same(base[name], ours[name]))
    ]
    lines = difflib.unified_diff(
        base["content"].splitlines(), ours["content"].splitlines(), *names, lineterm=""
    )
    return ChangeDiff(change, ours["title"], fields, "\n".join(lines), base, ours)


def _of_relation(
    branch: Branch, change: ProposalChange, titles: dict[uuid.UUID | None, str]
) -> ChangeDiff:
    title = " → ".join(
        [
            titles.get(change.source_id, "?"),
            change.relation_kind,
            titles.get(change.target_id, "?"),
        ]
    )
    base: State = {}
    if change.relation_id is not None and change.base_version is not None:
        row = branch.relation_bases.get((change.relation_id, change.base_version))
        base = relation_values(row) if row is not None else {}
    if change.action == ChangeAction.UNRELATE:
        fields: list[FieldChange] = [
            {"field": name, "old": value, "new": None} for name, value in base.items()
        ]
        return ChangeDiff(change, title, fields, base=base)
    new = relation_values(Relation()) if change.action == ChangeAction.RELATE else base
    ours = {**new, **change.fields}
    fields = [
        {"field": name, "old": base.get(name), "new": value}
        for name, value in ours.items()
        if name not in base or not is_same(base[name], value)
    ]
    return ChangeDiff(change, title, fields, base=base, ours=ours)


def _titles(branch: Branch) -> dict[uuid.UUID | None, str]:
    """Return the titles of nodes at the ends of relations, those that are to be made among them."""
    titles: dict[uuid.UUID | None, str] = {pk: node.title for pk, node in branch.nodes.items()}
    ends = {pk for change in branch.changes for pk in (change.source_id, change.target_id)}
    missing = [pk for pk in ends if pk is not None and pk not in titles]
    if missing:
        made = ProposalChange.objects.filter(proposal=branch.proposal, node_id__in=missing)
        titles |= {
            pk: fields.get("title", "?") for pk, fields in made.values_list("node_id", "fields")
        }
    return titles


def changes_titles(proposal: Proposal, changes: Sequence[ProposalChange]) -> dict[uuid.UUID, str]:
    """Return what people call each of some changes: the node's title, or what is related."""
    ids = {pk for each in changes for pk in (each.node_id, each.source_id, each.target_id) if pk}
    titles = dict(Node.objects.filter(pk__in=ids).values_list("pk", "title"))
    made = ProposalChange.objects.filter(proposal=proposal, action=ChangeAction.CREATE)
    titles |= {
        pk: fields.get("title", "?") for pk, fields in made.values_list("node_id", "fields") if pk
    }
    found = {}
    for each in changes:
        if each.node_id is not None:
            found[each.pk] = str(each.fields.get("title") or titles.get(each.node_id, "?"))
        else:
            ends = (titles.get(pk, "?") for pk in (each.source_id, each.target_id) if pk)
            found[each.pk] = f" → {each.relation_kind} → ".join(ends)
    return found


def node_previewed(proposal: Proposal, node_id: uuid.UUID) -> NodePlan | None:
    """Return a node as the merge would leave it, None for one that the proposal does not change.

    What conflicts has the branch's side.
    """
    return proposal_plan(proposal).by_node.get(node_id)
