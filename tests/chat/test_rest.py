"""Chat over REST, server-sent events and long poll."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from rest_framework.test import APIClient

from chat.api import serializers
from chat.models import Conversation, Message, Turn
from chat.services import turn_stop
from project.accounts.models import ApiKey, User
from project.accounts.ws import SocketCaller
from tests.chat.conftest import WORDS, events_of, running_agent, saying, shown

API = "/api/v1"


def _client(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def client_of(owner: User) -> APIClient:
    return _client(owner)


@pytest.fixture
def answered(ask) -> Turn:
    turn = ask().turn

    async def answer() -> None:
        async with running_agent(saying(*WORDS, pause=0.06)):
            await events_of(turn.pk)

    async_to_sync(answer)()
    return Turn.objects.get(pk=turn.pk)


def _body(response: Any) -> dict[str, Any]:
    if response.streaming:

        async def read() -> bytes:
            return b"".join([part async for part in response.streaming_content])

        return json.loads(async_to_sync(read)())
    return response.json()


@pytest.mark.django_db
def test_a_conversation_is_made_listed_changed_and_deleted(client_of, space):
    made = client_of.post(f"{API}/conversations/", {"space": str(space.pk)}, format="json")
    assert made.status_code == 201
    row = made.json()
    assert row["space"] == str(space.pk)
    assert set(row) == set(serializers.ConversationSerializer().fields)
    address = f"{API}/conversations/{row['id']}/"
    changed = client_of.patch(address, {"title": "Ferries"}, format="json")
    assert changed.json()["title"] == "Ferries"
    listed = client_of.get(f"{API}/conversations/").json()
    assert [each["id"] for each in listed["results"]] == [row["id"]]
    assert client_of.delete(address).status_code == 204
    assert client_of.get(address).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"model_tier": "huge"}, "model_tier"),
        ({"space": "x"}, "space"),
        ({"space": 5}, "space"),
        ({"title": 5}, "title"),
        ({"model_tier": ["small"]}, "model_tier"),
    ],
)
def test_a_conversation_takes_only_what_it_knows(client_of, body, field):
    response = client_of.post(f"{API}/conversations/", body, format="json")
    assert response.status_code == 400
    assert response.json()["error"]["field"] == field


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"pinned": "yes"}, "pinned"),
        ("", {"archived": 1}, "archived"),
        ("messages/", {"content": 5, "client_message_id": "c1"}, "content"),
        ("messages/", {"content": "When?", "client_message_id": 1}, "client_message_id"),
        ("messages/", {"content": "W", "client_message_id": "c", "release": 2}, "release"),
        ("messages/", {"content": "W", "client_message_id": "c", "parent": 7}, "parent"),
        ("handoff/", {"reason": True}, "reason"),
        ("share/", {"space": 5}, "space"),
    ],
)
def test_a_value_of_another_type_is_refused(client_of, conversation, path, body, field):
    address = f"{API}/conversations/{conversation.pk}/{path}"
    act = {"": client_of.patch, "share/": client_of.put}.get(path, client_of.post)
    response = act(address, body, format="json")
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


@pytest.mark.django_db
def test_a_title_keeps_no_characters_that_turn_what_stands_beside_it(client_of, conversation):
    address = f"{API}/conversations/{conversation.pk}/"
    changed = client_of.patch(address, {"title": "Ferry\u202e fares\n2026"}, format="json")
    assert changed.json()["title"] == "Ferry fares 2026"


@pytest.mark.django_db(transaction=True)
def test_a_question_is_accepted_once_with_its_turn(client_of, conversation):
    address = f"{API}/conversations/{conversation.pk}/messages/"
    body = {"content": "When?", "client_message_id": "c1"}
    first, again = (client_of.post(address, body, format="json") for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json()["message"]["id"] == again.json()["message"]["id"]
    assert first.json()["turn"]["id"] == again.json()["turn"]["id"]
    assert set(first.json()["message"]) == set(serializers.MessageSerializer().fields)
    assert set(first.json()["turn"]) == set(serializers.TurnSerializer().fields)
    other = client_of.post(address, {**body, "content": "Where?"}, format="json")
    assert other.status_code == 409


@pytest.mark.django_db
def test_too_many_questions_get_429_and_a_time(client_of, conversation, settings):
    settings.ACERVO_RATE_MESSAGES = "1/minute"
    address = f"{API}/conversations/{conversation.pk}/messages/"
    for number, status in ((1, 202), (2, 429)):
        response = client_of.post(
            address, {"content": "When?", "client_message_id": str(number)}, format="json"
        )
        assert response.status_code == status
    assert int(response["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_an_answered_turn_is_shown_whole(client_of, answered):
    row = client_of.get(f"{API}/turns/{answered.pk}/").json()
    assert row["status"] == "completed"
    assert row["answer"] == "".join(WORDS)
    assert row["tokens"] == {"prompt": 0, "completion": 0}
    assert row["message"] == str(answered.answer_id)
    assert row["error"] is None
    messages = client_of.get(f"{API}/conversations/{answered.conversation_id}/messages/").json()
    assert [each["role"] for each in messages["results"]] == ["assistant", "user"]
    assert {each["turn"] for each in messages["results"]} == {str(answered.pk)}
    before = client_of.get(
        f"{API}/conversations/{answered.conversation_id}/messages/?before={answered.answer_id}"
    ).json()
    assert [each["role"] for each in before["results"]] == ["user"]


@pytest.mark.django_db(transaction=True)
def test_listing_messages_costs_the_same_for_many(
    client_of, answered, ask, django_assert_max_num_queries
):
    for number in range(8):
        ask(f"When does ferry number {number} sail?")
    address = f"{API}/conversations/{answered.conversation_id}/messages/"
    with django_assert_max_num_queries(6):
        assert len(client_of.get(address).json()["results"]) == 10


@pytest.mark.django_db(transaction=True)
def test_events_come_as_a_stream_that_ends_and_can_be_resumed(client_of, answered):
    address = f"{API}/turns/{answered.pk}/events/"

    def read(**extra: Any) -> list[dict[str, Any]]:
        response = client_of.get(address, HTTP_ACCEPT="text/event-stream", **extra)
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/event-stream")

        async def parts() -> bytes:
            return b"".join([part async for part in response.streaming_content])

        frames = async_to_sync(parts)().decode().split("\n\n")
        events = [frame for frame in frames if "data: " in frame]
        for frame in events:
            head, data = frame.split("\n")
            assert head == f"id: {json.loads(data[6:])['seq']}"
        return [json.loads(frame.split("data: ")[1]) for frame in events]

    whole = read()
    assert [each["seq"] for each in whole] == list(range(1, answered.last_seq + 1))
    assert shown(whole) == whole[-1]["answer"]
    assert read(HTTP_LAST_EVENT_ID="4") == whole[4:]
    assert read(HTTP_LAST_EVENT_ID=str(answered.last_seq)) == []
    assert client_of.get(f"{address}?after=x").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_long_poll_returns_what_there_is_and_says_when_it_is_done(client_of, answered, ask):
    body = _body(client_of.get(f"{API}/turns/{answered.pk}/poll/?after=2"))
    assert [each["seq"] for each in body["events"]] == list(range(3, answered.last_seq + 1))
    assert body["done"] is True
    done = _body(client_of.get(f"{API}/turns/{answered.pk}/poll/?after={answered.last_seq}"))
    assert done == {"events": [], "done": True}
    waiting = ask().turn
    empty = _body(client_of.get(f"{API}/turns/{waiting.pk}/poll/?wait=0.1"))
    assert empty == {"events": [], "done": False}
    assert client_of.get(f"{API}/turns/{waiting.pk}/poll/?wait=soon").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_long_poll_wakes_for_the_first_event(ask, owner):
    from chat.streams import poll_response

    turn = ask().turn

    async def check() -> None:
        response = poll_response(SocketCaller(owner.pk), turn, 0, 20.0)
        read = asyncio.create_task(_joined(response))
        async with running_agent(saying(*WORDS)), asyncio.timeout(5):
            body = json.loads(await read)
        assert body["events"][0]["type"] == "turn.started"

    async_to_sync(check)()


async def _joined(response: Any) -> bytes:
    return b"".join([part async for part in response.streaming_content])


@pytest.mark.django_db(transaction=True)
def test_a_turn_is_stopped_and_a_question_asked_again(client_of, owner, ask):
    sent = ask()
    stopped = client_of.post(f"{API}/turns/{sent.turn.pk}/stop/", {}, format="json")
    assert stopped.status_code == 202
    assert stopped.json()["status"] == "stopped"
    again = client_of.post(f"{API}/messages/{sent.message.pk}/regenerate/", {}, format="json")
    assert again.status_code == 202
    assert again.json()["message"]["id"] == str(sent.message.pk)
    assert again.json()["turn"]["id"] != str(sent.turn.pk)
    assert turn_stop(acting_user=owner, turn_id=sent.turn.pk).status == "stopped"


@pytest.mark.django_db(transaction=True)
def test_feedback_is_taken_for_an_answer(client_of, answered):
    address = f"{API}/messages/{answered.answer_id}/feedback/"
    given = client_of.post(address, {"value": -1, "reason": "Old timetable"}, format="json")
    assert given.json() == {
        "message": str(answered.answer_id),
        "value": -1,
        "reasons": [],
        "reason": "Old timetable",
    }
    for wrong in (
        {"value": 3},
        {"value": "1"},
        {"value": True},
        {"value": -1, "reasons": [5]},
        {"value": -1, "reason": 5},
    ):
        assert client_of.post(address, wrong, format="json").status_code == 400, wrong


@pytest.mark.django_db(transaction=True)
def test_to_a_stranger_nothing_of_it_exists(stranger, answered):
    client = _client(stranger)
    conversation, message = answered.conversation_id, answered.answer_id
    for method, path in [
        ("get", f"conversations/{conversation}/"),
        ("patch", f"conversations/{conversation}/"),
        ("delete", f"conversations/{conversation}/"),
        ("get", f"conversations/{conversation}/messages/"),
        ("post", f"conversations/{conversation}/messages/"),
        ("get", f"messages/{message}/"),
        ("post", f"messages/{message}/regenerate/"),
        ("post", f"messages/{message}/feedback/"),
        ("get", f"turns/{answered.pk}/"),
        ("get", f"turns/{answered.pk}/events/"),
        ("get", f"turns/{answered.pk}/poll/?wait=0"),
        ("post", f"turns/{answered.pk}/stop/"),
        ("get", f"turns/{uuid.uuid4()}/"),
        ("get", "turns/nonsense/"),
    ]:
        response = getattr(client, method)(f"{API}/{path}", format="json")
        assert response.status_code == 404, path
        assert response.json()["error"]["code"] == "not_found"
    assert client.get(f"{API}/conversations/").json()["results"] == []
    assert Conversation.objects.filter(pk=conversation).exists()
    assert Message.objects.filter(pk=message).exists()


@pytest.mark.django_db
def test_nobody_is_answered_without_a_key(conversation):
    for path in ("conversations/", f"turns/{uuid.uuid4()}/events/", "ws-tokens/"):
        assert Client().get(f"{API}/{path}").status_code == 401, path


@pytest.mark.django_db
def test_a_key_needs_the_chat_scope(owner, conversation):
    secret = ApiKey.new_secret()
    key = ApiKey.objects.create(
        user=owner, name="k", hash=ApiKey.hash_of(secret), scopes=["knowledge:read"]
    )
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client().get(f"{API}/conversations/", headers=headers).status_code == 403
    key.scopes = ["chat"]
    key.save()
    assert Client().get(f"{API}/conversations/", headers=headers).status_code == 200
    token = Client().post(f"{API}/ws-tokens/", headers=headers, content_type="application/json")
    assert token.status_code == 201
    assert set(token.json()) == {"token", "expires_in"}
