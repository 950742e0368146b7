"""Taking out what one author, proposal or import wrote, and keeping what others wrote since.

As `git revert` does it: for a run of unwanted versions a…b of a node, the change from b back to
a-1 is merged three-way into the current text. Where nobody wrote since, that is simply a-1 again.
"""

import copy
import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from django.db.models import Q, QuerySet

from knowledge.choices import NodeStatus, ProposalStatus, RelationOrigin, VersionOrigin
from knowledge.merging import merge_nodes
from knowledge.models import (
    Node,
    NodeVersion,
    Proposal,
    ProposalChange,
    Publication,
    Relation,
    RelationVersion,
    Space,
)
from knowledge.node_fields import NodeFields, fields_set
from knowledge.relation_reverting import relation_plan, runs_of
from knowledge.types import Origin
from knowledge.versions import state_of
from project.accounts.models import User
from project.http.errors import Invalid

Outcome = Literal["revert", "archive", "restore", "conflict", "unchanged"]
BATCH = 200


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Which versions to take out: those of an author, or of a proposal or job, in a time."""

    space: Space
    author: User | None = None
    origin: Origin | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    def of(self, model: Any) -> QuerySet:
        """Return the version rows of nodes or relations that are meant."""
        rows: QuerySet = model.objects.all()
        if self.author is not None:
            rows = rows.filter(history_user=self.author)
        if self.origin is not None:
            rows = rows.filter(change_origin=self.origin.kind, change_origin_id=self.origin.id)
        if self.since is not None:
            rows = rows.filter(history_date__gte=self.since)
        if self.until is not None:
            rows = rows.filter(history_date__lt=self.until)
        if model is NodeVersion:
            return rows.filter(space=self.space)
        inside = NodeVersion.objects.filter(space=self.space).values("id")
        return rows.filter(source_id__in=inside)


@dataclass(frozen=True, slots=True)
class NodeRevert:
    """What becomes of one node: `becomes` has the new values, None unless it is reverted.

    `conflicts` names the fields in which a later change by others stands in the way.
    """

    node: Node
    outcome: Outcome
    unwanted: tuple[int, ...]
    becomes: Node | None = None
    anchors: list[Any] | None = None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RevertPlan:
    """What a bulk revert does, or would do."""

    nodes: list[NodeRevert] = field(default_factory=list)
    published_again: list[Node] = field(default_factory=list)
    relations_removed: list[Relation] = field(default_factory=list)
    relations_restored: list[Relation] = field(default_factory=list)
    relations_changed: list[tuple[Relation, Relation]] = field(default_factory=list)

    def of(self, outcome: Outcome) -> list[NodeRevert]:
        """Return the nodes with one outcome."""
        return [each for each in self.nodes if each.outcome == outcome]


def revert_plan(unwanted: Unwanted, *, lock: bool = False) -> RevertPlan:
    """Return what taking out the unwanted versions comes to; `lock` holds the nodes' rows."""
    numbers: dict[uuid.UUID, list[int]] = {}
    rows = unwanted.of(NodeVersion).exclude(history_type="-").order_by("id", "version")
    for pk, number in rows.values_list("id", "version"):
        numbers.setdefault(pk, []).append(number)
    archived = _archived_by(unwanted)
    nodes = Node.objects.filter(pk__in={*numbers, *archived}).order_by("pk")
    if lock:
        nodes = nodes.select_for_update(no_key=True)
    found = list(nodes)
    stored = [node for node in found if node.pk in numbers]
    plans = []
    for at in range(0, len(stored), BATCH):
        batch = stored[at : at + BATCH]
        versions = _versions(batch, numbers)
        plans += [_node_plan(node, numbers[node.pk], versions[node.pk]) for node in batch]
    archived -= {each.node.pk for each in plans if each.outcome == "conflict"}
    public = [node for node in found if node.pk in archived and node.status == NodeStatus.ARCHIVED]
    plans += [NodeRevert(node, "restore", ()) for node in public if node.pk not in numbers]
    rows = unwanted.of(RelationVersion).filter(origin=RelationOrigin.MANUAL)
    return RevertPlan(plans, public, *relation_plan(rows))


def _archived_by(unwanted: Unwanted) -> set[uuid.UUID]:
    """Return the published nodes that a proposal archived and that nobody published since.

    Archiving makes no version: the changes of the proposal tell.
    """
    origin = unwanted.origin
    if origin is None or origin.id is None or origin.kind != VersionOrigin.PROPOSAL:
        return set()
    merged = Proposal.objects.filter(pk=origin.id, space=unwanted.space).first()
    if merged is None or merged.status != ProposalStatus.MERGED or merged.merged_at is None:
        return set()
    if (unwanted.since and merged.merged_at < unwanted.since) or (
        unwanted.until and merged.merged_at >= unwanted.until
    ):
        return set()
    changes = ProposalChange.objects.filter(
        proposal=merged,
        fields__status=NodeStatus.ARCHIVED,
        base_facts__status=NodeStatus.PUBLISHED,
    )
    archived = {pk for pk in changes.values_list("node_id", flat=True) if pk is not None}
    since = Publication.objects.filter(node_id__in=archived, started_at__gte=merged.merged_at)
    return archived - set(since.values_list("node_id", flat=True))


def _versions(
    nodes: Sequence[Node], numbers: dict[uuid.UUID, list[int]]
) -> dict[uuid.UUID, dict[int, Any]]:
    """Return the versions at the ends of the unwanted runs, and before them."""
    wanted = Q()
    for node in nodes:
        ends = {end for first, last in runs_of(numbers[node.pk]) for end in (first - 1, last)}
        wanted |= Q(id=node.pk, version__in=ends)
    found: dict[uuid.UUID, dict[int, Any]] = {node.pk: {} for node in nodes}
    for row in NodeVersion.objects.filter(wanted).exclude(history_type="-"):
        found[row.id][row.version] = row
    return found


def _node_plan(node: Node, numbers: list[int], versions: dict[int, Any]) -> NodeRevert:
    unwanted = tuple(numbers)
    state = state_of(node)
    anchors: list[Any] | None = None
    for first, last in runs_of(numbers):
        before, after = versions.get(first - 1), versions.get(last)
        if first == 1:
            # The node itself is unwanted. Others' later work on it is not thrown away.
            if last == node.version:
                outcome: Outcome = "unchanged" if node.status == NodeStatus.ARCHIVED else "archive"
                return NodeRevert(node, outcome, unwanted)
            return NodeRevert(node, "conflict", unwanted, conflicts=("content",))
        if before is None or after is None or before.erased_at or after.erased_at:
            return NodeRevert(node, "conflict", unwanted, conflicts=("version",))
        merge = merge_nodes(state_of(after), state_of(before), state)
        if not merge.is_clean:
            fields = tuple(dict.fromkeys(each.field for each in merge.conflicts))
            return NodeRevert(node, "conflict", unwanted, conflicts=fields)
        state = dict(merge.state)
        anchors = before.anchors if state == state_of(before) else None
    if state == state_of(node):
        return NodeRevert(node, "unchanged", unwanted)
    becomes = copy.copy(node)
    try:
        fields_set(becomes, cast("NodeFields", copy.deepcopy(state)))
    except Invalid as error:
        return NodeRevert(node, "conflict", unwanted, conflicts=(error.field or "content",))
    return NodeRevert(node, "revert", unwanted, becomes, anchors)
