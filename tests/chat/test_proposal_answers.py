"""Questions that are answered once, as if a proposal were merged."""

import pytest
from django.test import Client
from pytest_django import Settings

from chat.models import Conversation
from knowledge import services
from knowledge.indexing import index_node
from knowledge.models import Proposal, Space
from knowledge.previews import proposal_prepare
from project.accounts.models import User
from tests.support.admin_client import signed_in

pytestmark = pytest.mark.django_db(transaction=True)  # the pipeline reads from other threads


@pytest.fixture
def proposal(owner: User, space: Space) -> Proposal:
    """A price that the proposal raises."""
    node = services.node_create(
        acting_user=owner,
        space=space,
        title="Moorings",
        content="A night at the quay of Tarvelo costs 12 euros.",
        status="published",
    )
    index_node(node.pk)
    made = services.proposal_create(acting_user=owner, space=space, title="Summer")
    services.change_add(
        acting_user=owner,
        proposal=made,
        action="edit",
        node=node.pk,
        fields={"content": "A night at the quay of Tarvelo costs 14 euros."},
    )
    proposal_prepare(made.pk)
    return made


def test_an_answer_cites_what_would_be_merged_and_nothing_is_kept(
    proposal: Proposal, owner: User
) -> None:
    client = signed_in(owner)
    asked = {"q": "What does a night at the quay cost?", "piece": "1"}
    answer = client.post(f"/p/{proposal.pk}/answer/", asked).content.decode()
    assert "14 euros" in answer
    assert "12 euros" not in answer
    node = proposal.changes.get().node_id
    assert f"/admin/knowledge/proposal/{proposal.pk}/preview/{node}/" in answer
    assert not Conversation.objects.exists()
    page = client.post(f"/p/{proposal.pk}/answer/", {"q": asked["q"]}).content.decode()
    assert "<html" in page
    assert "14 euros" in page


def test_too_many_questions_are_refused(
    proposal: Proposal, owner: User, settings: Settings
) -> None:
    settings.ACERVO_RATE_MESSAGES = "1/minute"
    client = signed_in(owner)
    asked = {"q": "What does a night cost?"}
    assert client.post(f"/p/{proposal.pk}/answer/", asked).status_code == 200
    assert client.post(f"/p/{proposal.pk}/answer/", asked).status_code == 429


def test_strangers_get_no_answer_and_nobody_signs_in_first(
    proposal: Proposal, stranger: User
) -> None:
    asked = {"q": "What does a night cost?"}
    assert signed_in(stranger).post(f"/p/{proposal.pk}/answer/", asked).status_code == 404
    assert "/sign-in/" in Client().post(f"/p/{proposal.pk}/answer/", asked)["Location"]
