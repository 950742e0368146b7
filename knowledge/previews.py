"""What search finds of a proposal as if it were merged, kept ready in rows of its own.

A merge takes the passages from here when it stores exactly what was previewed: then no model has to
work while people wait. Conflicts are previewed with the branch's side.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from knowledge.choices import ChangeAction, NodeStatus
from knowledge.cuttings import Cuttings
from knowledge.generations import ensure_generation
from knowledge.indexing import PreparedNode, nodes_cut, prepare_nodes
from knowledge.models import Node, PreviewChunk, PreviewNode, Proposal, ProposalChange
from knowledge.preview_rows import passages_copy, passages_read
from knowledge.proposal_merging import MergePlan, NodePlan
from knowledge.proposal_plans import proposal_plan
from knowledge.versions import CONTENT_FIELDS
from project.inference.types import EmbeddingUnavailable, UsageContext

log = structlog.get_logger(__name__)

MINDED = datetime.timedelta(days=7)
LOOKED_AT = 50
"""Proposals that a sweep looks at: those of the last days, the last ones first."""
BATCH = 200  # nodes that are prepared between two writes
Prepared = dict[tuple[uuid.UUID, str], PreparedNode]


def digest_of(node: Node) -> str:
    """Return the SHA-256 of all that the passages of a node are made from, in hexadecimal."""
    made_from = [node.title, node.language, node.content, node.anchors]
    text = json.dumps(made_from, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def preview_is_fresh(proposal: Proposal) -> bool:
    """Return whether the preview shows the branch as it is, merged with the nodes as stored."""
    changes = ProposalChange.objects.filter(proposal=proposal).exclude(node_id=None)
    versions: dict[Any, int] = dict(changes.values_list("node_id", "version"))
    rows = PreviewNode.objects.filter(proposal=proposal)
    shown = {
        pk: (version, at)
        for pk, version, at in rows.values_list("node_id", "change_version", "merged_at")
        if pk in versions  # another id: of a node that was deleted and would be stored again
    }
    stored = dict(Node.objects.filter(pk__in=versions).values_list("pk", "updated_at"))
    known = {pk: number for pk, number in versions.items() if pk in stored or pk in shown}
    created = changes.filter(action=ChangeAction.CREATE).values_list("node_id", flat=True)
    return {pk: (number, stored.get(pk)) for pk, number in known.items()} == shown and all(
        pk in shown for pk in created
    )


def proposal_prepare(proposal_id: uuid.UUID) -> bool:
    """Bring the preview of a proposal up to date if it is not; return whether it is now."""
    proposal = Proposal.objects.select_related("space").filter(pk=proposal_id).first()
    if proposal is None or proposal.is_decided:
        return False
    return preview_is_fresh(proposal) or preview_refresh(proposal)


def proposals_to_prepare() -> list[uuid.UUID]:
    """Return some undecided proposals whose preview a lost message left behind."""
    since = timezone.now() - MINDED
    rows = Proposal.objects.undecided().filter(updated_at__gt=since).order_by("-updated_at")
    return [row.pk for row in rows[:LOOKED_AT] if not preview_is_fresh(row)]


def preview_refresh(proposal: Proposal, *, usage: UsageContext | None = None) -> bool:
    """Bring the preview of an undecided proposal up to date; return whether it is now.

    Nodes whose passages would be the same keep them. Without an embedding model the passages have
    no vectors and are found by their words. False when the branch changed meanwhile: the task that
    its change sent will do it.
    """
    if proposal.is_decided:
        return False
    plan = proposal_plan(proposal)
    known = {row.node_id: row for row in PreviewNode.objects.filter(proposal=proposal)}
    rows = {each.node.pk: _row(plan, each) for each in plan.nodes}
    stale = [
        each
        for each in plan.nodes
        if not _has_same_passages(known.get(each.node.pk), rows[each.node.pk])
    ]
    public = [each.node for each in stale if each.node.status == NodeStatus.PUBLISHED]
    versions = {pk: row.version for pk, row in rows.items()}
    prepared = [
        dataclasses.replace(node, version=versions[node.node_id])
        for at in range(0, len(public), BATCH)
        for node in nodes_prepare(public[at : at + BATCH], usage=usage)
    ]
    with transaction.atomic():
        locked = Proposal.objects.select_for_update(no_key=True).filter(pk=proposal.pk).first()
        if locked is None or locked.is_decided or locked.revision != proposal.revision:
            return False
        gone = [pk for pk in known if pk not in rows]
        renewed = [each.node.pk for each in stale]
        PreviewChunk.objects.filter(proposal=proposal, node_id__in=[*gone, *renewed]).delete()
        PreviewNode.objects.filter(proposal=proposal).delete()
        PreviewNode.objects.bulk_create(rows.values(), batch_size=500)
        passages_copy(proposal, prepared)
    return True


def nodes_prepare(
    nodes: Sequence[Node], *, usage: UsageContext | None = None
) -> list[PreparedNode]:
    """Cut and embed nodes that need not be stored; without a model they get no vectors."""
    if not nodes:
        return []
    try:
        return prepare_nodes(nodes, usage=usage).nodes
    except EmbeddingUnavailable as error:
        log.warning("preview_without_vectors", reason=error.reason)
        return nodes_cut(nodes)


def passages_take(plan: MergePlan, prepared: Prepared) -> None:
    """Add to `prepared` what the preview holds of the passages that a merge will need."""
    wanted = {
        each.node.pk: digest_of(each.node)
        for each in plan.nodes
        if each.is_indexed and (each.node.pk, digest_of(each.node)) not in prepared
    }
    proposal = plan.branch.proposal
    digests = PreviewNode.objects.filter(proposal=proposal, node_id__in=wanted)
    held = {
        pk: digest
        for pk, digest in digests.values_list("node_id", "digest")
        if wanted[pk] == digest
    }
    if not held:
        return
    # Told before the passages are read: who changes a kind's cutting takes its previews away.
    cuttings = Cuttings(each.node for each in plan.nodes)
    kinds = {each.node.pk: cuttings.of(each.node).key for each in plan.nodes}
    generation = ensure_generation(proposal.space_id)  # what is built beside it is filled in later
    for pk, (passages, vectors) in passages_read(proposal, held, generation.model_key).items():
        node = PreparedNode(pk, proposal.space_id, 0, passages, cutting=kinds[pk])
        if vectors is None:
            continue
        node.vectors[generation.pk] = vectors
        prepared[pk, held[pk]] = node


def _row(plan: MergePlan, each: NodePlan) -> PreviewNode:
    node, before = each.node, each.before
    return PreviewNode(
        proposal=plan.branch.proposal,
        space=plan.branch.space,
        node_id=node.pk,
        version=each.version,
        merged_version=before.version if before else None,
        merged_at=before.updated_at if before else None,
        change_version=each.change.version,
        digest=digest_of(node),
        status=node.status,
        created_at=before.created_at if before else each.change.created_at,
        conflicts=sum(conflict.change == each.change.pk for conflict in plan.conflicts),
        **{name: getattr(node, name) for name in (*CONTENT_FIELDS, "external_id")},
    )


def _has_same_passages(known: PreviewNode | None, row: PreviewNode) -> bool:
    return known is not None and (known.digest, known.version, known.status) == (
        row.digest,
        row.version,
        row.status,
    )
