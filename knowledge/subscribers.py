"""What knowledge does after something has happened."""

import uuid

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from knowledge import tasks
from knowledge.generation_choosing import built_settle, compared_settle
from knowledge.linking import links_settle
from knowledge.models import Proposal, ProposalChange
from knowledge.preview_requests import preview_request
from knowledge.quality.refreshing import node_mark
from knowledge.relating.refreshing import relating_mark
from knowledge.retrieval import searches_changed
from project.celery import send_after_commit
from project.events import EventMessage, subscriber

WARMING_PAUSE = 10
"""Seconds from a change of a space until its usual searches are answered again, once for all."""
REFRESH_PAUSE = 5
"""Seconds in which many changes ask for one refresh only; the schedule asks every minute."""


@subscriber("knowledge-links", "knowledge.node.created", "knowledge.node.updated")
def node_links_settle(event: EventMessage) -> None:
    """Relate what two writers at once could not see of each other."""
    if event.subject_id is not None:
        links_settle(event.subject_id)


@subscriber(
    "knowledge-proposals",
    "knowledge.node.updated",
    "knowledge.node.published",
    "knowledge.node.archived",
    "knowledge.node.deleted",
)
def node_previews_follow(event: EventMessage) -> None:
    """Merge a changed node anew into the previews of the proposals that change it."""
    changes = ProposalChange.objects.filter(node_id=event.subject_id)
    undecided = changes.filter(proposal__in=Proposal.objects.undecided())
    for pk in undecided.values_list("proposal", flat=True):
        preview_request(pk)


@subscriber(
    "knowledge-search-cache",
    "knowledge.node.indexed",
    "knowledge.node.updated",
    "knowledge.node.archived",
    "knowledge.node.deleted",
)
def searches_refresh(event: EventMessage) -> None:
    """Make room where answers are kept that hold no more, and have the usual ones ready again."""
    if event.space_id is None:
        return
    space_id = event.space_id
    transaction.on_commit(lambda: searches_changed(space_id), robust=True)
    if settings.ACERVO_SEARCH_WARM and cache.add(
        f"knowledge.searches_warm:{space_id}", 1, timeout=WARMING_PAUSE
    ):
        send_after_commit(tasks.searches_warm, str(space_id), countdown=WARMING_PAUSE)


@subscriber(
    "knowledge-quality",
    "knowledge.node.created",
    "knowledge.node.updated",
    "knowledge.node.published",
    "knowledge.node.archived",
    "knowledge.node.deleted",
    "knowledge.node.indexed",
)
def node_quality_mark(event: EventMessage) -> None:
    """Have nodes, and what they concern, checked again soon."""
    if event.subject_id is not None:
        node_mark(event.subject_id)
    for row in event.payload.get("nodes", ()):  # many are indexed together
        node_mark(uuid.UUID(row["node"]))
    if cache.add("knowledge.quality_asked", 1, timeout=REFRESH_PAUSE):
        send_after_commit(tasks.quality_refresh)


@subscriber("knowledge-generations", "knowledge.generation.built", "knowledge.generation.compared")
def generation_settle(event: EventMessage) -> None:
    """Compare what was built, and let it serve if it is not worse, where it may by itself."""
    if event.subject_id is None:
        return
    if event.type == "knowledge.generation.built":
        built_settle(event.subject_id)
    else:
        compared_settle(event.subject_id, uuid.UUID(event.payload["evaluation"]))


@subscriber(
    "knowledge-suggestions",
    "knowledge.node.archived",
    "knowledge.node.indexed",
)
def node_suggestions_mark(event: EventMessage) -> None:
    """Have the suggested relations of nodes looked for again; the schedule asks every minute."""
    named = [] if event.subject_id is None else [event.subject_id]
    relating_mark([*named, *(uuid.UUID(row["node"]) for row in event.payload.get("nodes", ()))])
