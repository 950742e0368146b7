"""A golden question with one click on an answer: for editors of what it cites, and once."""

import uuid
from typing import Any

import pytest
from django.test import Client

from chat.choices import MessageRole, TurnStatus
from chat.models import Citation, Conversation, Message, Turn
from knowledge import services
from knowledge.choices import GoldenOrigin, Visibility
from knowledge.models import GoldenQuestion, Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import Api, grant
from tests.support.admin_client import signed_in


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    Space.objects.filter(pk=space.pk).update(visibility=Visibility.SIGNED_IN)
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content="At noon.", status="published"
    )


def make_turn(
    user: User, *nodes: Node, question: str = "When is high water?", **extra: Any
) -> Turn:
    conversation = Conversation.objects.create(user=user)
    said = [
        Message.objects.create(conversation=conversation, role=role, content=content)
        for role, content in ((MessageRole.USER, question), (MessageRole.ASSISTANT, "At noon [1]."))
    ]
    turn = Turn.objects.create(
        conversation=conversation, question=said[0], answer=said[1],
        status=TurnStatus.COMPLETED, **extra,
    )  # fmt: skip
    for index, node in enumerate(nodes, 1):
        Citation.objects.create(
            turn=turn, index=index, node=node, cited_id=node.pk, version=1, chunk_id=uuid.uuid4(),
            title=node.title, snippet="At noon.", start=0, end=8,
        )  # fmt: skip
    return turn


def address(turn: Turn) -> str:
    return f"/api/v1/messages/{turn.answer_id}/golden-question/"


def page(user: User, turn: Turn) -> str:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client.get(turn.conversation.get_absolute_url()).content.decode()


def test_one_click_makes_it_and_the_next_shows_it(
    teammate: User, teammate_api: Api, node: Node
) -> None:
    turn = make_turn(teammate, node)
    assert 'data-golden aria-pressed="false"' in page(teammate, turn)
    answer = teammate_api.post(address(turn), {})
    assert answer.status_code == 201
    body = answer.json()
    golden = GoldenQuestion.objects.get()
    assert (golden.question, golden.origin, golden.message_id) == (
        "When is high water?", GoldenOrigin.CHAT, turn.question_id,
    )  # fmt: skip
    assert [each["node"] for each in body["golden_question"]["nodes"]] == [str(node.pk)]
    assert (body["created"], body["edit_url"]) == (True, None)
    again = teammate_api.post(address(turn), {})
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert again.json()["golden_question"] == body["golden_question"]
    assert 'data-golden aria-pressed="true"' in page(teammate, turn)


def test_staff_are_led_to_its_page(teammate: User, teammate_api: Api, node: Node) -> None:
    User.objects.filter(pk=teammate.pk).update(is_staff=True)
    body = teammate_api.post(address(make_turn(teammate, node)), {}).json()
    assert signed_in(teammate).get(body["edit_url"]).status_code == 200


def test_a_follow_up_becomes_the_question_that_was_searched_for(
    teammate: User, teammate_api: Api, node: Node
) -> None:
    searched = "high water And on Sundays?"
    turn = make_turn(teammate, node, question="And on Sundays?", trace={"query": searched})
    assert teammate_api.post(address(turn), {}).json()["golden_question"]["question"] == searched


def test_readers_are_not_offered_it(
    stranger: User, stranger_api: Api, space: Space, node: Node
) -> None:
    turn = make_turn(stranger, node)
    for _step in range(2):
        assert "data-golden" not in page(stranger, turn)
        assert stranger_api.post(address(turn), {}).status_code == 404
        grant(space, stranger, Role.READER)
    assert not GoldenQuestion.objects.exists()


def test_an_answer_that_cites_nothing_is_not_offered(
    teammate: User, teammate_api: Api, node: Node
) -> None:
    turn = make_turn(teammate)
    assert "data-golden" not in page(teammate, turn)
    assert teammate_api.post(address(turn), {}).status_code == 404


def test_an_answer_of_others_is_not_there(teammate_api: Api, owner: User, node: Node) -> None:
    assert teammate_api.post(address(make_turn(owner, node)), {}).status_code == 404


def test_a_question_is_no_answer(teammate: User, teammate_api: Api, node: Node) -> None:
    turn = make_turn(teammate, node)
    path = f"/api/v1/messages/{turn.question_id}/golden-question/"
    assert teammate_api.post(path, {}).status_code == 400


def test_a_key_needs_both_scopes(teammate: User, node: Node) -> None:
    turn = make_turn(teammate, node)
    for scopes in (["chat"], ["knowledge:write"]):
        assert Api(teammate, scopes).post(address(turn), {}).status_code == 403
    assert Api(teammate, ["chat", "knowledge:write"]).post(address(turn), {}).status_code == 201


def test_the_page_of_a_turn_makes_it_too(admin_user: User, owner: User, node: Node) -> None:
    turn = make_turn(owner, node)
    client = signed_in(admin_user)
    trace = f"/admin/chat/turn/{turn.pk}/change/"
    assert "Make a golden question" in client.get(trace).content.decode()
    assert client.get(f"/admin/chat/turn/{turn.pk}/golden/").status_code == 405
    shown = client.post(f"/admin/chat/turn/{turn.pk}/golden/", follow=True).content.decode()
    golden = GoldenQuestion.objects.get()
    assert f"/admin/knowledge/goldenquestion/{golden.pk}/change/" in shown
    assert "Its golden question" in client.get(trace).content.decode()


def test_staff_who_may_not_see_turns_make_none(teammate: User, owner: User, node: Node) -> None:
    turn = make_turn(owner, node)
    assert signed_in(teammate).post(f"/admin/chat/turn/{turn.pk}/golden/").status_code == 404
    assert not GoldenQuestion.objects.exists()
