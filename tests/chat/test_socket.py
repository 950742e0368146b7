"""The chat socket: who may, what it says, and how it ends."""

import asyncio
import json
import uuid

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.backends.cached_db import SessionStore

from chat import consumers
from chat.choices import TurnStatus
from chat.models import Conversation, Message, Turn
from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from project.accounts.ws import socket_token_create
from project.aio import in_thread
from project.asgi import application
from tests.chat.conftest import WORDS, running_agent, saying, shown
from tests.chat.talking import HOST, closed_with, cookie_of, hear, hear_out, key_of, opened, say

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_question_is_accepted_and_answered(conversation, owner):
    async with running_agent(saying(*WORDS)), opened(conversation, owner) as socket:
        await say(socket, type="message.send", client_message_id="c1", content="When?")
        accepted = await hear(socket)
        assert accepted["type"] == "message.accepted"
        assert accepted["client_message_id"] == "c1"
        assert accepted["message"]["content"] == "When?"
        assert accepted["turn"]["status"] == "queued"
        events = await hear_out(socket)
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    assert {each["turn"] for each in events} == {accepted["turn"]["id"]}
    assert shown(events) == events[-1]["answer"] == "".join(WORDS)


async def test_a_question_sent_twice_is_followed_once(conversation, owner):
    answerer = saying(*WORDS, pause=0.06)
    async with running_agent(answerer), opened(conversation, owner) as socket:
        question = {"type": "message.send", "client_message_id": "c1", "content": "When?"}
        await say(socket, **question)
        first = await hear(socket)
        while (await hear(socket))["type"] != "answer.delta":
            pass
        await say(socket, **question)
        rest = await hear_out(socket)
    repeated = next(each for each in rest if each["type"] == "message.accepted")
    assert repeated["turn"]["id"] == first["turn"]["id"]
    heard = [each["seq"] for each in rest if "seq" in each]
    assert heard == list(range(heard[0], heard[-1] + 1))


async def test_a_question_may_ask_an_earlier_state(conversation, owner, ask):
    def asked_at():
        turn = Turn.objects.get()
        return turn.as_of.isoformat()

    async with opened(conversation, owner) as socket:
        question = {"type": "message.send", "client_message_id": "c1", "content": "When?"}
        for state, field in (
            ({"as_of": 5}, "as_of"),
            ({"as_of": "soon"}, "as_of"),
            ({"as_of": "2999-01-01T00:00:00Z"}, "as_of"),
            ({"release": "none"}, "release"),
        ):
            await say(socket, **question, **state)
            refused = await hear(socket)
            assert (refused["type"], refused["field"]) == ("error", field)
        await say(socket, **question, as_of="2026-03-01T12:00:00Z")
        accepted = await hear(socket)
    assert accepted["turn"]["as_of"] == await in_thread(asked_at) == "2026-03-01T12:00:00+00:00"


async def test_another_tab_resumes_where_it_was(conversation, owner, ask):
    turn = (await in_thread(ask)).turn
    async with running_agent(saying(*WORDS, pause=0.06)), opened(conversation, owner) as one:
        await say(one, type="turn.resume", turn=str(turn.pk), after=0)
        whole = await hear_out(one)
        async with opened(conversation, owner) as two:
            await say(two, type="turn.resume", turn=str(turn.pk), after=3)
            assert await hear_out(two) == whole[3:]


async def test_a_stop_ends_the_answer(conversation, owner):
    answerer = saying("Half", " more", hold=asyncio.Event())
    async with running_agent(answerer), opened(conversation, owner) as socket:
        await say(socket, type="message.send", client_message_id="c1", content="When?")
        turn = (await hear(socket))["turn"]["id"]
        while (await hear(socket))["type"] != "answer.delta":
            pass
        await say(socket, type="turn.stop", turn=turn)
        assert (await hear_out(socket))[-1]["type"] == "turn.stopped"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "malformed"),
        ("[" * 50_000, "malformed"),
        ("[1]", "malformed"),
        ('{"no": "type"}', "malformed"),
        ('{"type": "make.coffee"}', "unknown_type"),
        ('{"type": "turn.resume", "turn": 7}', "invalid"),
        ('{"type": "turn.resume", "turn": "' + NOBODY + '", "after": 0}', "not_found"),
        ('{"type": "turn.resume", "turn": "' + NOBODY + '", "after": -1}', "invalid"),
        ('{"type": "turn.stop", "turn": "' + NOBODY + '"}', "not_found"),
        ('{"type": "message.send", "content": 1}', "invalid"),
        ('{"type": "message.send", "client_message_id": "x", "content": " "}', "empty_message"),
        (
            '{"type": "message.send", "client_message_id": "x", "content": "a", "parent": "'
            + NOBODY
            + '"}',
            "invalid",
        ),
        (
            '{"type": "message.send", "client_message_id": "x", "content": "a", "asof": "2020"}',
            "unknown_field",
        ),
    ],
)
async def test_nonsense_is_an_error_and_no_end(conversation, owner, text, code):
    async with opened(conversation, owner) as socket:
        await socket.send_to(text_data=text)
        error = await hear(socket)
        assert (error["type"], error["code"]) == ("error", code)
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}


async def test_what_is_no_utf8_comes_back_in_a_frame_that_is(conversation, owner):
    async with opened(conversation, owner) as socket:
        await say(socket, type="message.send", client_message_id="\ud800", content="Open?")
        frame = await socket.receive_from(10)
        assert frame.encode("utf-8")
        assert json.loads(frame)["client_message_id"] == "\ud800"
        await say(socket, type="ping")
        assert (await hear(socket))["type"] == "pong"


async def test_too_many_messages_are_told_when_to_come_back(conversation, owner, settings):
    settings.ACERVO_RATE_MESSAGES = "1/minute"
    async with opened(conversation, owner) as socket:
        await say(socket, type="message.send", client_message_id="1", content="One?")
        await hear(socket)
        await say(socket, type="message.send", client_message_id="2", content="Two?")
        error = await hear(socket)
        assert (error["code"], error["client_message_id"]) == ("rate_limited", "2")
        assert error["retry_after"] > 0


async def test_nobody_is_let_in_without_a_name(conversation):
    async with opened(conversation) as socket:
        assert await closed_with(socket) == 4401
    async with opened(conversation, query="?token=forged") as socket:
        assert await closed_with(socket) == 4401


async def test_who_goes_on_talking_after_the_close_is_not_heard(conversation):
    async with opened(conversation) as socket:
        await say(socket, type="ping")
        await say(socket, type="ping")
        assert await closed_with(socket) == 4401
        assert await socket.receive_nothing(0.2)


async def test_there_are_no_sockets_elsewhere():
    socket = WebsocketCommunicator(application, "/ws/nothing/", [HOST])
    assert await socket.connect(timeout=5) == (False, 4404)


async def test_what_is_not_yours_and_what_is_not_there_look_the_same(conversation, stranger):
    for target in (conversation, uuid.uuid4(), "nonsense"):
        async with opened(target, stranger) as socket:
            assert await closed_with(socket) == 4403


async def test_pages_of_other_origins_are_turned_away(conversation, owner):
    headers = [HOST, await in_thread(cookie_of, owner), (b"origin", b"https://evil.example")]
    socket = WebsocketCommunicator(application, f"/ws/chat/{conversation.pk}/", headers)
    is_open, _code = await socket.connect(timeout=5)
    assert not is_open
    async with opened(conversation, owner, origin="http://testserver") as socket:
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}


async def test_a_program_comes_with_a_token_until_itskey_of_is_revoked(conversation, owner):
    key = await in_thread(key_of, owner, Scope.CHAT)
    token = socket_token_create(acting_user=owner, key=key)
    async with opened(conversation, query=f"?token={token}") as socket:
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}
        await in_thread(ApiKey.objects.filter(pk=key.pk).update, revoked_at="2026-01-01T00:00:00Z")
        await say(socket, type="message.send", client_message_id="1", content="Still?")
        assert await closed_with(socket) == 4401
    assert not await in_thread(Turn.objects.exists)


async def test_akey_of_without_the_chat_scope_opens_no_chat(conversation, owner):
    token = socket_token_create(
        acting_user=owner, key=await in_thread(key_of, owner, Scope.KNOWLEDGE_READ)
    )
    async with opened(conversation, query=f"?token={token}") as socket:
        assert await closed_with(socket) == 4403


def _deactivate(owner):
    User.objects.filter(pk=owner.pk).update(is_active=False)


def _sign_out(_owner):
    for row in SessionStore.get_model_class().objects.all():
        SessionStore(row.session_key).delete()


def _change_password(owner):
    owner.set_password("another-one")
    owner.save()


def _give_away(_owner):
    stranger = User.objects.create_user(username="somebody")
    Conversation.objects.update(user=stranger)


@pytest.mark.parametrize(
    ("end", "code"),
    [(_deactivate, 4401), (_sign_out, 4401), (_change_password, 4401), (_give_away, 4403)],
)
async def test_a_question_is_refused_at_once_when_what_let_its_writer_in_is_over(
    conversation, owner, end, code
):
    """Between two looks at all connections, too."""
    async with opened(conversation, owner) as socket:
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}
        await in_thread(end, owner)
        await say(socket, type="message.send", client_message_id="c1", content="When?")
        assert await closed_with(socket) == code
    assert not await in_thread(Message.objects.exists)


async def test_what_changed_of_a_person_counts_with_their_next_question(
    conversation, owner, settings
):
    settings.ACERVO_RATE_MESSAGES = "100/hour"
    async with opened(conversation, owner) as socket:
        await in_thread(
            User.objects.filter(pk=owner.pk).update, language="pt-br", messages_per_hour=1
        )
        for number in (1, 2):
            await say(socket, type="message.send", client_message_id=f"c{number}", content="When?")
            told = await hear(socket)
            while told["type"] not in {"message.accepted", "error"}:
                told = await hear(socket)
            if number == 1:
                assert told["allowance"]["limit"] == 1
    assert told["code"] == "rate_limited"
    assert "mensagens" in told["message"]


async def test_floods_idle_and_oversized_frames_are_ended(conversation, owner, monkeypatch):
    async with opened(conversation, owner) as socket:
        await socket.send_to(text_data="x" * (consumers.MAX_FRAME_BYTES + 1))
        assert await closed_with(socket) == 1009
    monkeypatch.setattr(consumers, "FLOOD_FRAMES", 5)
    async with opened(conversation, owner) as socket:
        for _ in range(6):
            await say(socket, type="ping")
        for _ in range(5):
            await hear(socket)
        assert await closed_with(socket) == 4429
    monkeypatch.setattr(consumers, "IDLE_SECONDS", 0.05)
    async with opened(conversation, owner) as socket:
        assert await closed_with(socket) == 4408


async def test_a_queued_turn_can_be_stopped_by_its_owner(conversation, owner, ask):
    turn = (await in_thread(ask)).turn
    async with opened(conversation, owner) as socket:
        await say(socket, type="turn.resume", turn=str(turn.pk), after=0)
        await say(socket, type="turn.stop", turn=str(turn.pk))
        assert [each["type"] for each in await hear_out(socket)] == ["turn.stopped"]
    assert await in_thread(Turn.objects.filter(status=TurnStatus.STOPPED).exists)


@pytest.mark.parametrize(
    ("chosen", "browser", "expected"),
    [
        ("", "pt-BR,pt;q=0.9", "Esse tipo de mensagem não existe."),
        ("en", "pt-BR", "There is no such message type."),
        ("pt-br", "en", "Esse tipo de mensagem não existe."),
    ],
)
async def test_it_speaks_the_chosen_language_or_else_the_browsers(
    conversation, owner, chosen, browser, expected
):
    owner.language = chosen
    await in_thread(owner.save)
    async with opened(conversation, owner, language=browser) as socket:
        await say(socket, type="sing")
        assert (await hear(socket))["message"] == expected
