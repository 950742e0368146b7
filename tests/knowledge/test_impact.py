"""What stands on nodes: links, relations, proposals, golden questions, answers that cite them."""

import datetime
import uuid

import pytest
from django.utils import timezone

from chat.models import Citation, Conversation, Message, Turn
from knowledge import services
from knowledge.impact import Dependent, blast_radius
from knowledge.models import GoldenQuestion, GoldenTarget, Node, Space
from knowledge.signals import dependents_asked
from project.accounts.models import User
from tests.conftest import Api


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content="High water.", status="published"
    )


def touched(node: Node, user: User) -> dict[str, Dependent]:
    return {each.kind: each for each in blast_radius([node.pk], user)}


def cite(node: Node, user: User, title: str, *, days_ago: int = 0) -> Turn:
    """Make a conversation of `user` with an answer that cites the node twice."""
    talk = Conversation.objects.create(user=user, title=title)
    question = Message.objects.create(conversation=talk, role="user", content="When?")
    turn = Turn.objects.create(conversation=talk, question=question, status="completed")
    when = timezone.now() - datetime.timedelta(days=days_ago)
    Turn.objects.filter(pk=turn.pk).update(created_at=when)
    for number in (1, 2):
        Citation.objects.create(
            turn=turn, index=number, node=node, cited_id=node.pk, version=1,
            chunk_id=uuid.uuid4(), title=node.title, snippet="High water.", start=0, end=11,
        )  # fmt: skip
    return turn


def test_nothing_stands_on_a_lone_node(node: Node, owner: User) -> None:
    assert blast_radius([node.pk], owner) == []
    assert blast_radius([uuid.uuid4()], owner) == []


def test_links_and_relations_are_counted_once(node: Node, owner: User, space: Space) -> None:
    linking = services.node_create(
        acting_user=owner, space=space, title="Guide", content="See [[Tides]] and [[tides]]."
    )
    part = services.node_create(acting_user=owner, space=space, title="Harbour", content="x")
    services.relation_create(acting_user=owner, source=node, target=part, kind="part_of")
    services.relation_create(acting_user=owner, source=part, target=node, kind="explains")
    found = touched(node, owner)
    assert {kind: each.count for kind, each in found.items()} == {
        "link": 1, "relation_in": 1, "relation_out": 1,
    }  # fmt: skip
    assert found["link"].examples == (("Guide", linking.get_absolute_url()),)
    together = blast_radius([node.pk, linking.pk, part.pk], owner)
    assert together == []  # what is among themselves goes along


def test_answers_are_counted_and_conversations_of_others_stay_theirs(
    node: Node, owner: User, teammate: User
) -> None:
    mine = cite(node, owner, "My tides")
    cite(node, teammate, "Secret plan")
    cite(node, teammate, "Old secret", days_ago=60)
    found = touched(node, owner)["answer"]
    assert found.count == 3
    assert found.label == "3 answers cite it, 2 of them in the last 30 days"
    assert found.examples == (("My tides", mine.conversation.get_absolute_url()),)
    assert "ecret" not in repr(found)


def test_open_proposals_and_golden_questions_are_named_to_editors(
    node: Node, owner: User, space: Space
) -> None:
    question = GoldenQuestion.objects.create(space=space, question="When is high water?")
    GoldenTarget.objects.create(question=question, node=node, node_key=node.pk)
    changes = [{"action": "edit", "node": node.pk, "fields": {"content": "Low water."}}]
    proposal = services.proposal_create(
        acting_user=owner, space=space, title="New tides", changes=changes
    )
    services.proposal_submit(acting_user=owner, proposal=proposal)
    found = touched(node, owner)
    assert (found["proposal"].count, found["proposal"].examples[0][0]) == (1, "New tides")
    assert found["golden_question"].count == 1
    services.proposal_reject(acting_user=owner, proposal=proposal)
    assert "proposal" not in touched(node, owner)


def test_other_apps_answer_through_the_signal(node: Node, owner: User) -> None:
    def cached(node_ids: frozenset[uuid.UUID], user: User, **_extra: object) -> list[Dependent]:
        assert (node_ids, user) == ({node.pk}, owner)
        return [Dependent("cache", "2 kept answers", 2), Dependent("none", "", 0)]

    dependents_asked.connect(cached)
    try:
        assert blast_radius([node.pk], owner) == [Dependent("cache", "2 kept answers", 2)]
    finally:
        dependents_asked.disconnect(cached)


def test_over_rest_editors_are_told_and_strangers_are_not(
    node: Node, owner: User, api: Api, stranger_api: Api, stranger: User
) -> None:
    cite(node, owner, "My tides")
    address = f"/api/v1/nodes/{node.pk}/dependents/"
    (answer,) = api.get(address).json()["dependents"]
    assert (answer["kind"], answer["count"]) == ("answer", 1)
    assert answer["examples"][0]["title"] == "My tides"
    assert stranger_api.get(address).status_code == 404
    assert blast_radius([node.pk], stranger) == []
