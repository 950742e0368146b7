"""Merging the relations of a proposal, by their identity: source, target, kind."""

import copy
import uuid
from typing import Any

from knowledge.branches import RELATION_VALUES, identity_of, relation_values
from knowledge.choices import ChangeAction, NodeStatus, RelationStatus
from knowledge.merging.tree import merge_trees, placed
from knowledge.models import ProposalChange, Relation
from knowledge.proposal_conflicts import MergeConflict
from knowledge.proposal_merging import MergePlan, RelationPlan

DEFAULTS: dict[str, Any] = {
    "weight": 1.0,
    "metadata": {},
    "status": str(RelationStatus.CONFIRMED),
}


def relations_plan(plan: MergePlan) -> None:
    """Merge every changed relation of a branch with its stored row, and check its ends."""
    for change in plan.branch.changes:
        if change.action == ChangeAction.UNRELATE:
            _remove(plan, change)
        elif change.is_of_relation:
            _write(plan, change)


def _remove(plan: MergePlan, change: ProposalChange) -> None:
    stored = plan.branch.by_identity.get(identity_of(change))
    if stored is None:
        return
    if change.base_version not in (None, stored.version) or stored.pk != change.relation_id:
        conflict = _conflict(
            plan,
            change,
            kind="relation_changed",
            theirs=_plain(stored),
            choices=("ours", "theirs"),
            takes_value=False,
        )
        decided = plan.ask(conflict)
        if decided is not None and decided.choice == "theirs":
            return
    plan.relations.append(RelationPlan(change, None, stored))


def _write(plan: MergePlan, change: ProposalChange) -> None:
    stored = plan.branch.by_identity.get(identity_of(change))
    base = _base(plan, change)
    if stored is None and change.action == ChangeAction.RELATION_EDIT:
        conflict = _conflict(
            plan,
            change,
            kind="relation_deleted",
            base=base,
            ours=change.fields,
            choices=("ours", "theirs"),
            takes_value=False,
        )
        decided = plan.ask(conflict)
        if decided is not None and decided.choice == "theirs":
            return
    if not _ends_stand(plan, change):
        return
    ours = DEFAULTS | base | change.fields
    values = ours if stored is None else _merged(plan, change, base, ours, stored)
    relation = copy.copy(stored) if stored else _new(plan, change)
    for name in RELATION_VALUES:
        setattr(relation, name, copy.deepcopy(values[name]))
    plan.relations.append(RelationPlan(change, relation, stored))


def _base(plan: MergePlan, change: ProposalChange) -> dict[str, Any]:
    if change.relation_id is None or change.base_version is None:
        return {}
    row = plan.branch.relation_bases.get((change.relation_id, change.base_version))
    return _plain(row) if row is not None else {}


def _plain(holder: Any) -> dict[str, Any]:
    return relation_values(holder) | {"status": str(holder.status)}


def _merged(
    plan: MergePlan,
    change: ProposalChange,
    base: dict[str, Any],
    ours: dict[str, Any],
    stored: Relation,
) -> dict[str, Any]:
    merge = merge_trees(base, ours, _plain(stored))
    values: dict[str, Any] = merge.value
    for each in merge.conflicts:
        conflict = _conflict(
            plan,
            change,
            kind="relation_value",
            field=each.path[0],
            path=each.path[1:],
            base=each.base,
            ours=each.ours,
            theirs=each.theirs,
            choices=("ours", "theirs"),
        )
        decided = plan.ask(conflict)
        if decided is not None:
            side = getattr(each, decided.choice) if decided.choice else decided.value
            values = placed(values, each.path, side)
    return values


def _new(plan: MergePlan, change: ProposalChange) -> Relation:
    source, target, kind = identity_of(change)
    return Relation(
        source_id=plan.moved.get(source, source),
        target_id=plan.moved.get(target, target),
        kind=kind,
        created_by_id=plan.branch.proposal.author_id,
    )


def _ends_stand(plan: MergePlan, change: ProposalChange) -> bool:
    """Return whether both ends are there and in use, or wanted all the same."""
    for side, pk in (("source", change.source_id), ("target", change.target_id)):
        assert pk is not None
        node = plan.node(plan.moved.get(pk, pk))
        if node is None:
            conflict = _conflict(
                plan,
                change,
                kind="end_deleted",
                field=side,
                choices=("theirs",),
                takes_value=False,
                others=(str(pk),),
            )
            plan.ask(conflict)
            return False
        was_archived = change.base_facts.get(side) == NodeStatus.ARCHIVED
        if node.status == NodeStatus.ARCHIVED and not was_archived:
            conflict = _conflict(
                plan,
                change,
                kind="end_archived",
                field=side,
                theirs=node.title,
                choices=("ours", "theirs"),
                takes_value=False,
                others=(str(pk),),
            )
            decided = plan.ask(conflict)
            if decided is not None and decided.choice == "theirs":
                return False
    return True


def _conflict(plan: MergePlan, change: ProposalChange, **values: Any) -> MergeConflict:
    source, target = (plan.node(pk) for pk in (change.source_id, change.target_id))
    title = " → ".join(
        [source.title if source else "?", change.relation_kind, target.title if target else "?"]
    )
    values.setdefault("others", _others(change.source_id, change.target_id))
    return MergeConflict(change=change.pk, node=change.source_id, title=title, **values)


def _others(*ids: uuid.UUID | None) -> tuple[str, ...]:
    return tuple(str(pk) for pk in ids if pk is not None)
