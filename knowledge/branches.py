"""What a proposal's changes begin from, what they make of it, and what is stored by now.

States are those of `knowledge.merging.nodes`: the content fields of a node, and the facts that no
version keeps, all ready for JSON.
"""

import copy
import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils.translation import gettext as _

from knowledge.choices import ChangeAction, NodeStatus
from knowledge.models import (
    Node,
    NodeVersion,
    Proposal,
    ProposalChange,
    Relation,
    RelationVersion,
    Space,
)
from knowledge.node_fields import NodeFields, fields_set
from knowledge.versions import CONTENT_FIELDS, state_of
from project.http.errors import Invalid

FACTS = ("status", "owner", "review_due", "external_id")
CHANGEABLE = (*CONTENT_FIELDS, *FACTS)
RELATION_VALUES = ("weight", "metadata", "status")

State = dict[str, Any]


@dataclass(slots=True)
class Branch:
    """A proposal with its changes, in order, and the rows that they are about.

    `bases` holds versions by node and number, `relation_bases` the same of relations. `nodes` are
    the stored nodes that are changed or that stand at an end of a changed relation.
    """

    proposal: Proposal
    space: Space
    changes: list[ProposalChange]
    bases: dict[tuple[uuid.UUID, int], Any] = field(default_factory=dict)
    nodes: dict[uuid.UUID, Node] = field(default_factory=dict)
    relations: dict[uuid.UUID, Relation] = field(default_factory=dict)
    by_identity: dict[tuple[uuid.UUID, uuid.UUID, str], Relation] = field(default_factory=dict)
    relation_bases: dict[tuple[uuid.UUID, int], Any] = field(default_factory=dict)

    def base_of(self, change: ProposalChange) -> State:
        """Return the state of the node that the branch changes."""
        if change.action == ChangeAction.CREATE or change.base_version is None:
            blank = Node(space=self.space, language=self.space.language)
            return {**state_of(blank), **facts_of(blank)}
        row = self.bases[cast("uuid.UUID", change.node_id), change.base_version]
        return {**state_of(row), **facts_of(row), **change.base_facts}

    def ours_of(self, change: ProposalChange) -> State:
        """Return the state of the node on the branch."""
        return {**self.base_of(change), **change.fields}


def branch_load(
    proposal: Proposal, *, only: Iterable[uuid.UUID] | None = None, lock: bool = False
) -> Branch:
    """Read what a proposal's changes (or `only` some of them) are about.

    With `lock`, nodes and then relations are locked, each in the order of their ids.
    """
    rows = ProposalChange.objects.filter(proposal=proposal).order_by("created_at", "pk")
    changes = list(rows if only is None else rows.filter(pk__in=only))
    branch = Branch(proposal, proposal.space, changes)
    named = (pk for each in changes for pk in (each.node_id, each.source_id, each.target_id))
    nodes = Node.objects.filter(pk__in={pk for pk in named if pk is not None}).order_by("pk")
    branch.nodes = {node.pk: node for node in (_locked(nodes) if lock else nodes)}
    _bases_load(branch)
    _relations_load(branch, lock=lock)
    return branch


def facts_of(holder: Any) -> State:
    """Return what no version records, of a node or of a version of one."""
    return {
        "status": str(holder.status),
        "owner": str(holder.owner_id) if holder.owner_id is not None else None,
        "review_due": holder.review_due.isoformat() if holder.review_due else None,
        "external_id": holder.external_id,
    }


def node_state(node: Node) -> State:
    """Return all that a proposal may change of a node."""
    return state_of(node) | facts_of(node)


def relation_values(holder: Any) -> State:
    """Return what a proposal may change of a relation, or of a version of one."""
    return {name: copy.deepcopy(getattr(holder, name)) for name in RELATION_VALUES}


def state_apply(node: Node, state: Mapping[str, Any]) -> None:
    """Put a state on a node. Raises Invalid naming a field at fault."""
    for name, value in state.items():
        if not _is_shaped(name, value):
            raise Invalid(_("This is no value for “%(name)s”.") % {"name": name}, field=name)
    values = {name: copy.deepcopy(value) for name, value in state.items()}
    owner = values.pop("owner", None)
    status = values.pop("status", node.status)
    fields_set(node, cast("NodeFields", values))
    node.status = NodeStatus(status)
    if "owner" in state:
        node.owner_id = int(owner) if owner else None


def _is_shaped(name: str, value: Any) -> bool:
    """Return whether a value is of the type that the field has in JSON."""
    if name in {"kind", "title", "content", "language"}:
        return isinstance(value, str)
    if name == "tags":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if name == "metadata":
        return isinstance(value, dict)
    if name == "status":
        return value in NodeStatus.values
    if name == "owner":
        return not value or str(value).isdecimal()
    return value is None or isinstance(value, (str, datetime.date))


def _locked(rows: Any) -> Any:
    return rows.select_for_update(no_key=True)


def _bases_load(branch: Branch) -> None:
    wanted = {
        (change.node_id, change.base_version)
        for change in branch.changes
        if change.node_id and change.base_version
    }
    rows = NodeVersion.objects.filter(
        id__in=[pk for pk, _number in wanted], version__in={number for _pk, number in wanted}
    ).exclude(history_type="-")
    branch.bases = {(row.id, row.version): row for row in rows if (row.id, row.version) in wanted}


def _relations_load(branch: Branch, *, lock: bool) -> None:
    changes = [change for change in branch.changes if change.is_of_relation]
    if not changes:
        return
    rows = Relation.objects.filter(source__in=[change.source_id for change in changes])
    wanted = {identity_of(change) for change in changes}
    for relation in _locked(rows.order_by("pk")) if lock else rows:
        identity = relation.source_id, relation.target_id, relation.kind
        if identity in wanted:
            branch.by_identity[identity] = relation
        branch.relations[relation.pk] = relation
    versions = RelationVersion.objects.filter(id__in=[change.relation_id for change in changes])
    branch.relation_bases = {(row.id, row.version): row for row in versions}


def identity_of(change: ProposalChange) -> tuple[uuid.UUID, uuid.UUID, str]:
    """Return source, target and kind of the relation of a change."""
    return (
        cast("uuid.UUID", change.source_id),
        cast("uuid.UUID", change.target_id),
        change.relation_kind,
    )


def nodes_changed(changes: Sequence[ProposalChange]) -> set[uuid.UUID]:
    """Return the ids of the nodes that changes are about."""
    return {change.node_id for change in changes if change.node_id is not None}
