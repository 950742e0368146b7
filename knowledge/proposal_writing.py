"""Storing a merge: all of it, in one transaction, or nothing.

1. `proposal_plan` without locks; what conflicts is refused, and what search will need is prepared.
2. In a transaction: the proposal, the nodes and the relations are locked, the same plan is made
   from the locked rows, and, when nothing it needs is missing, stored with the new passages.
3. When something moved in between, its part is prepared, and 2 is done again.
"""

import copy
import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import psycopg.errors
import structlog
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.branches import RELATION_VALUES
from knowledge.choices import NodeStatus, ProposalStatus, VersionOrigin
from knowledge.indexing import (
    GenerationMoved,
    PreparedIndex,
    PreparedNode,
    swap,
    unindex_nodes,
)
from knowledge.models import (
    Node,
    PreviewChunk,
    PreviewNode,
    Proposal,
    ProposalChange,
    Relation,
    Space,
)
from knowledge.previews import Prepared, digest_of, nodes_prepare, passages_take
from knowledge.proposal_conflicts import Resolutions
from knowledge.proposal_merging import Memo, MergePlan, NodePlan, RelationPlan
from knowledge.proposal_plans import plan_require, proposal_plan
from knowledge.relabelling import passages_relabel
from knowledge.relation_writing import relation_write, relations_insert, relations_remove
from knowledge.types import Origin
from knowledge.writing import nodes_insert, nodes_write, statuses_write
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict
from project.inference.types import UsageContext
from project.locks import transaction_lock

log = structlog.get_logger(__name__)

TRIES = 6
Identity = tuple[uuid.UUID, uuid.UUID, str]


class _Moved(Exception):
    """Something that the merge needs was not prepared: a node changed in between."""


def proposal_write(
    proposal: Proposal,
    resolutions: Resolutions,
    *,
    merged_by: User,
    require: Callable[[Proposal], None],
) -> Proposal:
    """Merge a proposal and return its stored row.

    `require` is given the locked row and raises where the proposal may not be merged. Raises
    MergeRefused while conflicts are left, and Conflict (`nodes_keep_changing`) when others write
    faster than passages can be prepared.
    """
    memo: Memo = {}
    prepared: Prepared = {}
    for _try in range(TRIES):
        plan = proposal_plan(proposal, resolutions, memo=memo)
        plan_require(plan)
        _prepare(plan, prepared)
        try:
            return _write(proposal, resolutions, memo, prepared, merged_by, require)
        except _Moved:
            log.info("merge_tried_again", proposal=str(proposal.pk), reason="nodes_moved")
        except GenerationMoved:
            prepared.clear()
            log.info("merge_tried_again", proposal=str(proposal.pk), reason="generation_moved")
        except (IntegrityError, OperationalError) as error:
            if not _is_passing(error):
                raise
            log.info("merge_tried_again", proposal=str(proposal.pk), reason=type(error).__name__)
        proposal.refresh_from_db()
    message = _("The nodes keep changing while they are merged. Try again.")
    raise Conflict(message, code="nodes_keep_changing", retry_after=5)


def _is_passing(error: Exception) -> bool:
    """Return whether another try can do it: the same relation was made at this very moment, or
    two transactions waited for each other and this one was chosen to give way."""
    is_deadlock = isinstance(error.__cause__, psycopg.errors.DeadlockDetected)
    return is_deadlock or "one_relation_a_kind_and_pair" in str(error)


@transaction.atomic
def _write(
    proposal: Proposal,
    resolutions: Resolutions,
    memo: Memo,
    prepared: Prepared,
    merged_by: User,
    require: Callable[[Proposal], None],
) -> Proposal:
    transaction_lock(f"merge:{proposal.space_id}")  # two merges may give nodes one title
    row = Proposal.objects.select_for_update(no_key=True).get(pk=proposal.pk)
    require(row)
    plan = proposal_plan(row, resolutions, memo=memo, lock=True)
    plan_require(plan)
    ready = []
    for each in plan.nodes:
        if each.is_indexed:
            found = prepared.get((each.node.pk, digest_of(each.node)))
            if found is None:
                raise _Moved
            ready.append(dataclasses.replace(found, version=each.version))
    plan_write(plan, ready, author=row.author or merged_by, merged_by=merged_by)
    return row


def _prepare(plan: MergePlan, prepared: Prepared) -> None:
    """Have the passages that search will need ready: from the preview, else from the models."""
    passages_take(plan, prepared)
    missing = {
        each.node.pk: (each.node, digest_of(each.node))
        for each in plan.nodes
        if each.is_indexed and (each.node.pk, digest_of(each.node)) not in prepared
    }
    usage = UsageContext("index", space_id=plan.branch.space.pk)
    for done in nodes_prepare([node for node, _digest in missing.values()], usage=usage):
        prepared[done.node_id, missing[done.node_id][1]] = done


def plan_write(
    plan: MergePlan, prepared: Sequence[PreparedNode], *, author: User | None, merged_by: User
) -> None:
    """Store a plan that was made from locked rows, with the passages of what is published.

    Raises Conflict for an external id that was taken at this very moment.
    """
    proposal = plan.branch.proposal
    reason = proposal.title
    origin = Origin(VersionOrigin.PROPOSAL, proposal.pk)
    new = [each.node for each in plan.nodes if each.before is None]
    nodes_insert(new, author=author, reason=reason, origin=origin)
    _nodes_store(plan, author, reason, origin)
    _relations_store(plan.relations, author, reason, origin)
    swap(PreparedIndex(list(prepared)), whole=True)
    # what has the same text gets the new number only; what cannot, the sweep indexes
    passages_relabel([each.node.pk for each in plan.nodes if each.keeps_passages])
    if plan.relations and not prepared:
        Space.objects.filter(pk=proposal.space_id).update(index_revision=F("index_revision") + 1)
    _proposal_close(plan, merged_by)


def _nodes_store(plan: MergePlan, author: User | None, reason: str, origin: Origin) -> None:
    """Store the nodes that were there before: a status makes no version and is moved on apart.

    What stops being published does so first: the version that it gets besides never was public.
    """
    kept = [(each, each.before) for each in plan.nodes if each.before is not None]
    wanted = {each.node.pk: NodeStatus(each.node.status) for each, _before in kept}
    leaving: list[Node] = []
    moving: list[Node] = []
    for each, before in kept:
        each.node.status = before.status
        if wanted[each.node.pk] != before.status:
            is_public = before.status == NodeStatus.PUBLISHED
            (leaving if is_public else moving).append(each.node)
    _statuses_store(leaving, wanted, author)
    unindex_nodes(leaving)
    nodes_write(
        [(each.node, before) for each, before in kept],
        author=author,
        reason=reason,
        origin=origin,
        anchors={each.node.pk: each.node.anchors for each, _before in kept},
        merged_from={each.node.pk: _began(each) for each, _before in kept},
    )
    _statuses_store(moving, wanted, author)


def _statuses_store(
    nodes: list[Node], wanted: Mapping[uuid.UUID, NodeStatus], author: User | None
) -> None:
    nodes.sort(key=lambda node: wanted[node.pk])
    for status, same in groupby(nodes, key=lambda node: wanted[node.pk]):
        statuses_write(list(same), status, author=author)


def _began(plan: NodePlan) -> int:
    change = plan.change
    return change.began_from or change.base_version or 0


def _relations_store(
    plans: Sequence[RelationPlan], author: User | None, reason: str, origin: Origin
) -> None:
    gone = [each.before for each in plans if each.relation is None and each.before is not None]
    relations_remove(gone, author=author, reason=reason, origin=origin)
    new = [each.relation for each in plans if each.before is None and each.relation is not None]
    made = _made_by_texts(new)
    missing = [each for each in new if _identity(each) not in made]
    relations_insert(missing, author=author, reason=reason, origin=origin)
    for each in plans:
        if each.relation is None or (each.before is None and _identity(each.relation) not in made):
            continue
        before = each.before or made[_identity(each.relation)]
        after = copy.copy(before)
        for name in RELATION_VALUES:
            setattr(after, name, getattr(each.relation, name))
        relation_write(after, before, author=author, reason=reason, origin=origin)


def _made_by_texts(relations: Sequence[Relation]) -> dict[Identity, Relation]:
    """Return those that links in the merged texts have made a moment ago, in this transaction."""
    wanted = {_identity(each) for each in relations}
    rows = Relation.objects.filter(source__in=[each.source_id for each in relations])
    return {_identity(row): row for row in rows if _identity(row) in wanted}


def _identity(relation: Relation) -> Identity:
    return relation.source_id, relation.target_id, relation.kind


def _proposal_close(plan: MergePlan, merged_by: User) -> None:
    proposal = plan.branch.proposal
    for change in plan.branch.changes:
        used = plan.resolutions.used.get(change.pk)
        if used:
            ProposalChange.objects.filter(pk=change.pk).update(resolutions=used)
    now = timezone.now()
    proposal.status = ProposalStatus.MERGED
    proposal.merged_at = proposal.decided_at = now
    proposal.merged_by = merged_by
    proposal.save(update_fields=["status", "merged_at", "decided_at", "merged_by", "updated_at"])
    PreviewChunk.objects.filter(proposal=proposal).delete()
    PreviewNode.objects.filter(proposal=proposal).delete()
    emit(
        "knowledge.proposal.merged",
        {
            "proposal": str(proposal.pk),
            "nodes": [str(each.node.pk) for each in plan.nodes],
            "by": merged_by.pk,
        },
        space_id=proposal.space_id,
        subject_id=proposal.pk,
    )
