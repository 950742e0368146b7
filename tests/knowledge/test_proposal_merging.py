"""Proposals are merged with what was stored meanwhile: all of it, or nothing."""

from typing import Any

import pytest

from knowledge import services
from knowledge.choices import NodeStatus, ProposalStatus
from knowledge.models import Node, NodeVersion, Proposal, Space
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User

pytestmark = pytest.mark.django_db

TEXT = "The tide comes at noon.\n\nBoats wait in the harbour.\n"


def test_an_edit_is_reviewed_merged_and_found(
    owner: User, teammate: User, space: Space, django_capture_on_commit_callbacks: Any
) -> None:
    node = services.node_create(
        acting_user=owner, space=space, title="Tides", content=TEXT, status="published"
    )
    proposal = services.proposal_create(acting_user=teammate, space=space, title="Night")
    services.change_add(
        acting_user=teammate,
        proposal=proposal,
        action="edit",
        node=node.pk,
        fields={"content": TEXT.replace("noon", "midnight")},
    )
    services.change_add(
        acting_user=teammate,
        proposal=proposal,
        action="create",
        fields={"title": "Lanterns", "content": "Lanterns are lit at dusk."},
    )
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    services.proposal_review(acting_user=owner, proposal=proposal, verdict="approved")
    services.node_update(acting_user=owner, node=node, content=TEXT.replace("Boats", "Ferries"))
    merged = services.proposal_merge(acting_user=owner, proposal=proposal)
    assert merged.status == ProposalStatus.MERGED
    node.refresh_from_db()
    assert node.content == TEXT.replace("Boats", "Ferries").replace("noon", "midnight")
    assert node.indexed_version == node.version == 3
    last = NodeVersion.objects.get(id=node.pk, version=3)
    assert (last.parents, last.change_origin, last.change_origin_id) == (
        [2, 1],
        "proposal",
        proposal.pk,
    )
    assert Node.objects.get(title="Lanterns").status == NodeStatus.PUBLISHED
    found = search(SearchRequest("lanterns at dusk", spaces=(space.pk,)), user=owner)
    assert found.results[0].title == "Lanterns"
    assert Proposal.objects.get(pk=proposal.pk).merged_by == owner
