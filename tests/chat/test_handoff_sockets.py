"""Handoffs live: each message once, on both sides, and nothing for others."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from channels.testing import WebsocketCommunicator

from chat import handoff_consumers
from chat.models import Conversation
from chat.services import handoff_answer, handoff_assign, handoff_release, handoff_request
from project.accounts import connections as watching
from project.accounts.models import User
from project.aio import in_thread
from project.asgi import application
from tests.chat.talking import HOST, cookie_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(teammate):
    teammate.is_staff, teammate.first_name = True, "Ana"
    teammate.save()
    return teammate


@pytest.fixture
def handoff(conversation, operator):
    made = handoff_request(acting_user=conversation.user, conversation_id=conversation.pk).handoff
    return handoff_assign(acting_user=operator, handoff_id=made.pk)


@asynccontextmanager
async def opened(path, user):
    headers = [HOST, await in_thread(cookie_of, user)]
    socket = WebsocketCommunicator(application, path, headers)
    assert (await socket.connect(timeout=5))[0]
    try:
        yield socket
    finally:
        await socket.disconnect()


async def heard(socket, kind, seconds=8.0):
    """Return the next event of that kind, passing over others."""
    async with asyncio.timeout(seconds):
        while True:
            event = json.loads(await socket.receive_from(seconds))
            if event["type"] == kind:
                return event


async def closed_with(socket):
    async with asyncio.timeout(8):
        while (message := await socket.receive_output(8))["type"] != "websocket.close":
            pass
    return message["code"]


def answer(handoff, operator, text):
    return handoff_answer(
        acting_user=operator, handoff_id=handoff.pk, content=text, client_message_id=text
    )


async def test_both_sides_hear_each_message_once_and_in_order(handoff, operator, owner, ask):
    path = f"/ws/handoffs/{handoff.pk}/"
    async with opened(path, owner) as person, opened(f"{path}?side=operator", operator) as desk:
        for socket in (person, desk):
            event = await heard(socket, "handoff.message")
            assert event["message"]["content"] == "I would like to talk to a person."
        for number in range(4):
            if number % 2:
                await in_thread(answer, handoff, operator, f"answer {number}")
            else:
                await in_thread(ask, f"question {number}")
        wanted = ["question 0", "answer 1", "question 2", "answer 3"]
        for socket in (person, desk):
            texts = []
            while len(texts) < 4:
                event = await heard(socket, "handoff.message")
                texts.append(event["message"]["content"])
            assert texts == wanted
            assert event["message"]["author"] == {"name": "Ana"}
        await in_thread(handoff_release, acting_user=operator, handoff_id=handoff.pk)
        over = await heard(person, "handoff.updated")
        while over["handoff"]["status"] != "released":
            over = await heard(person, "handoff.updated")
        assert await closed_with(person) == 1000


async def test_who_comes_back_hears_only_what_they_missed(handoff, operator, owner):
    first = await in_thread(answer, handoff, operator, "seen")
    await in_thread(answer, handoff, operator, "missed")
    async with opened(f"/ws/handoffs/{handoff.pk}/?after={first.pk}", owner) as person:
        event = await heard(person, "handoff.message")
        assert event["message"]["content"] == "missed"
        updated = await heard(person, "handoff.updated")
        assert updated["handoff"]["operator"] == {"name": "Ana"}


async def test_typing_and_presence_reach_the_other_side_only(handoff, operator, owner):
    path = f"/ws/handoffs/{handoff.pk}/"
    async with opened(path, owner) as person:
        updated = await heard(person, "handoff.updated")
        assert updated["handoff"]["present"]["operator"] is False
        async with opened(f"{path}?side=operator", operator) as desk:
            while not updated["handoff"]["present"]["operator"]:
                updated = await heard(person, "handoff.updated")
            await heard(desk, "handoff.updated")
            await desk.send_to(text_data='{"type": "typing"}')
            event = await heard(person, "handoff.typing")
            assert event == {"type": "handoff.typing", "side": "operator", "name": "Ana"}
            await person.send_to(text_data='{"type": "typing"}')
            assert (await heard(desk, "handoff.typing"))["side"] == "person"
        while updated["handoff"]["present"]["operator"]:
            updated = await heard(person, "handoff.updated")


async def test_others_are_turned_away_and_who_loses_the_role_is_cut_off(
    handoff, operator, stranger
):
    path = f"/ws/handoffs/{handoff.pk}/?side=operator"
    async with opened(path, stranger) as other:
        assert await closed_with(other) == 4403
    async with opened("/ws/desk/", stranger) as other:
        assert await closed_with(other) == 4403
    async with opened(path, operator) as desk:
        await heard(desk, "handoff.updated")
        await in_thread(operator.groups.clear)
        assert await closed_with(desk) == 4403


async def test_the_desk_hears_that_somebody_waits(operator, owner, conversation):
    async with opened("/ws/desk/", operator) as desk:
        await heard(desk, "desk.changed")
        made = await in_thread(handoff_request, acting_user=owner, conversation_id=conversation.pk)
        await heard(desk, "desk.changed")
        async with opened(f"/ws/handoffs/{made.handoff.pk}/", owner) as person:
            updated = await heard(person, "handoff.updated")
            assert updated["handoff"]["at_desk"] == 1


@pytest.mark.parametrize("path", ["/ws/handoffs/{}/?side=operator", "/ws/desk/"])
async def test_an_operator_who_lost_the_role_is_cut_off_with_all_others(
    handoff, operator, owner, path, monkeypatch
):
    """By the look at all connections: the socket itself hears of nothing for an hour."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(handoff_consumers, "LOOK_EVERY", 3600.0)
    mine = f"/ws/handoffs/{handoff.pk}/"
    async with opened(path.format(handoff.pk), operator) as desk, opened(mine, owner) as person:
        await heard(person, "handoff.updated")
        await heard(desk, "desk.changed" if "desk" in path else "handoff.updated")
        await in_thread(operator.groups.clear)
        assert await closed_with(desk) == 4403
        await person.send_to(text_data='{"type": "ping"}')
        await heard(person, "pong")
        await in_thread(Conversation.objects.filter(pk=handoff.conversation_id).delete)
        assert await closed_with(person) == 4403


async def test_an_operator_who_is_deactivated_is_cut_off(handoff, operator, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(handoff_consumers, "LOOK_EVERY", 3600.0)
    async with opened("/ws/desk/", operator) as desk:
        await heard(desk, "desk.changed")
        await in_thread(User.objects.filter(pk=operator.pk).update, is_active=False)
        assert await closed_with(desk) == 4401
