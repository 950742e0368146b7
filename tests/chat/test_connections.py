"""How many connections there may be, and when one that is open must end."""

import asyncio
import time

import pytest
import redis.asyncio
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import streams
from chat.connections import _to_be_cut, connections, seat_take
from chat.models import Conversation
from project.accounts import connections as watching
from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from project.accounts.ws import SocketCaller, socket_token_create
from project.aio import in_thread
from tests.chat.conftest import running_agent, saying
from tests.chat.talking import closed_with, hear, key_of, opened, say

IN_EARNEST = watching.LOOK_SECONDS
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look often; how often in earnest has a test of its own."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)


def test_connections_are_looked_at_often_enough_to_end_within_five_seconds():
    assert IN_EARNEST <= 4


async def _deactivate(owner: User) -> None:
    await in_thread(User.objects.filter(pk=owner.pk).update, is_active=False)


async def _sign_out(owner: User) -> None:
    def everywhere() -> None:
        for row in SessionStore.get_model_class().objects.all():
            SessionStore(row.session_key).delete()

    await in_thread(everywhere)


async def _let_the_session_expire(owner: User) -> None:
    sessions = SessionStore.get_model_class().objects
    await in_thread(sessions.update, expire_date=timezone.now())


async def _change_password(owner: User) -> None:
    def change() -> None:
        owner.set_password("another-one")
        owner.save()

    await in_thread(change)


@pytest.mark.parametrize("end", [_deactivate, _sign_out, _let_the_session_expire, _change_password])
async def test_a_socket_on_which_nothing_is_said_ends_with_what_let_it_in(conversation, owner, end):
    async with opened(conversation, owner) as socket:
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}
        await end(owner)
        assert await closed_with(socket) == 4401


async def test_a_socket_ends_with_its_conversation_and_others_go_on(conversation, owner):
    other = await in_thread(Conversation.objects.create, user=owner)
    async with opened(conversation, owner) as socket, opened(other, owner) as untouched:
        await in_thread(Conversation.objects.filter(pk=conversation.pk).delete)
        assert await closed_with(socket) == 4403
        await say(untouched, type="ping")
        assert await hear(untouched) == {"type": "pong"}


async def test_a_socket_of_a_program_ends_with_its_key(conversation, owner):
    key = await in_thread(key_of, owner, Scope.CHAT)
    token = socket_token_create(acting_user=owner, key=key)
    async with opened(conversation, query=f"?token={token}") as socket:
        await in_thread(ApiKey.objects.filter(pk=key.pk).update, expires_at=timezone.now())
        assert await closed_with(socket) == 4401


async def test_a_socket_ends_with_the_session_that_its_token_came_from(conversation, owner, client):
    def token() -> str:
        client.force_login(owner)
        return client.post("/api/v1/ws-tokens/", content_type="application/json").json()["token"]

    async with opened(conversation, query=f"?token={await in_thread(token)}") as socket:
        await say(socket, type="ping")
        await hear(socket)
        await _sign_out(owner)
        assert await closed_with(socket) == 4401


async def test_a_token_has_an_end_and_a_fresh_one_prolongs_it(conversation, owner, settings):
    settings.ACERVO_SOCKET_TOKEN_SECONDS = 1
    key = await in_thread(key_of, owner, Scope.CHAT)
    began = time.monotonic()
    token = socket_token_create(acting_user=owner, key=key)
    async with opened(conversation, query=f"?token={token}") as socket:
        settings.ACERVO_SOCKET_TOKEN_SECONDS = 3
        fresh = socket_token_create(acting_user=owner, key=key)
        await say(socket, type="token.refresh", token=fresh)
        assert await hear(socket) == {"type": "token.refreshed", "expires_in": 3}
        assert await closed_with(socket) == 4401
        assert time.monotonic() - began > 2.5


async def test_only_a_token_of_the_same_person_and_key_prolongs(conversation, owner, teammate):
    key = await in_thread(key_of, owner, Scope.CHAT)
    token = socket_token_create(acting_user=owner, key=key)
    async with opened(conversation, query=f"?token={token}") as socket:
        theirs = socket_token_create(acting_user=teammate, key=None)
        for wrong in (theirs, socket_token_create(acting_user=owner, key=None), "forged", 7):
            await say(socket, type="token.refresh", token=wrong)
            error = await hear(socket)
            assert (error["type"], error["code"]) == ("error", "token")


async def test_an_answer_stops_when_its_space_is_closed_to_the_reader(conversation, owner):
    hold = asyncio.Event()
    answerer = saying("Half", " secret", hold=hold)
    async with running_agent(answerer), opened(conversation, owner) as socket:
        await say(socket, type="message.send", client_message_id="c1", content="When?")
        turn = (await hear(socket))["turn"]["id"]
        while (await hear(socket))["type"] != "answer.delta":
            pass
        await in_thread(owner.groups.clear)
        assert await closed_with(socket) == 4403
        async with opened(conversation, owner) as again:
            await say(again, type="turn.resume", turn=turn, after=0)
            assert (await hear(again))["code"] == "not_found"
        hold.set()


@pytest.mark.parametrize("form", [streams._server_sent, streams._polled])
async def test_a_stream_over_http_ends_with_what_let_it_in(ask, owner, form):
    turn = (await in_thread(ask)).turn
    extra = (30.0,) if form is streams._polled else ()
    pieces = form(await in_thread(seat_take, SocketCaller(owner.pk)), turn, 0, *extra)
    if not extra:
        assert await anext(pieces) == b"retry: 1000\n\n"
    reading = asyncio.create_task(_rest(pieces))
    while not len(connections()):
        await asyncio.sleep(0.01)
    await _deactivate(owner)
    async with asyncio.timeout(5):
        rest = await reading
    assert rest in ([], [b'{"events":[],"done":false}'])
    assert not len(connections())


async def _rest(pieces):
    return [each async for each in pieces]


async def test_a_person_has_so_many_connections_and_no_more(conversation, owner, settings):
    settings.ACERVO_CONNECTIONS_PER_USER = 2
    async with opened(conversation, owner) as one, opened(conversation, owner):
        async with opened(conversation, owner) as third:
            assert await closed_with(third) == 4430
        await say(one, type="ping")
        assert await hear(one) == {"type": "pong"}
    async with opened(conversation, owner) as later:
        await say(later, type="ping")
        assert await hear(later) == {"type": "pong"}


async def test_the_count_holds_over_processes_and_forgets_those_that_died(
    owner, monkeypatch, settings
):
    settings.ACERVO_CONNECTIONS_PER_USER = 2
    caller = SocketCaller(owner.pk)
    one, other = (watching.Connections(watching.callers_gone) for _ in range(2))
    kept = await one.admit(caller, lambda _code: None)
    monkeypatch.setattr(watching, "SEAT_SECONDS", 1)
    await other.admit(caller, lambda _code: None)
    with pytest.raises(watching.Refused):
        await one.admit(caller, lambda _code: None)
    other._open.clear()  # as a killed process: its seat is given back by nobody
    await asyncio.sleep(2.1)
    await one.admit(caller, lambda _code: None)
    assert kept in one._open


@pytest.mark.parametrize("path", ["events/", "poll/?wait=20"])
def test_a_stream_beyond_the_limit_is_refused_before_it_begins(api, ask, owner, settings, path):
    settings.ACERVO_CONNECTIONS_PER_USER = 1
    address = f"/api/v1/turns/{ask().turn.pk}/{path}"
    seat = seat_take(SocketCaller(owner.pk))
    refused = api.get(address)
    assert (refused.status_code, refused["Retry-After"]) == (429, "5")
    assert refused.json()["error"]["code"] == "too_many_connections"
    seat.give_back()
    kept = api.get(address)
    assert kept.status_code == 200
    assert api.get(address).status_code == 429
    kept.close()  # whoever went before it began
    settings.ACERVO_CONNECTIONS_PER_USER = 0
    open_ones = [watching.Connection(SocketCaller(owner.pk), print, None)]
    crowded = watching.Connections(_to_be_cut)
    crowded._open.update(open_ones)
    settings.ACERVO_CONNECTIONS_PER_PROCESS = 1
    with pytest.raises(watching.Refused) as full:
        crowded.seat(SocketCaller(owner.pk))
    assert full.value.code == 1013


async def test_a_full_process_refuses_streams_too(conversation, ask, api, owner, settings):
    turn = (await in_thread(ask)).turn
    settings.ACERVO_CONNECTIONS_PER_PROCESS = 1
    async with opened(conversation, owner):
        refused = await in_thread(api.get, f"/api/v1/turns/{turn.pk}/events/")
        assert (refused.status_code, refused["Retry-After"]) == (503, "5")
        assert refused.json()["error"]["code"] == "busy"


async def test_a_process_has_so_many_connections_and_no_more(conversation, owner, settings):
    settings.ACERVO_CONNECTIONS_PER_PROCESS = 1
    async with opened(conversation, owner), opened(conversation, owner) as second:
        assert await closed_with(second) == 1013


async def test_without_redis_each_process_counts_its_own(owner, monkeypatch, settings):
    settings.ACERVO_CONNECTIONS_PER_USER = 1
    away = redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", retry=None)

    async def gone() -> redis.asyncio.Redis:
        return away

    monkeypatch.setattr(watching, "redis_client", gone)
    here = watching.Connections(watching.callers_gone)
    await here.admit(SocketCaller(owner.pk), lambda _code: None)
    with pytest.raises(watching.Refused):
        await here.admit(SocketCaller(owner.pk), lambda _code: None)


async def test_what_ends_gives_back_its_place(conversation, owner):
    for _ in range(3):
        async with opened(conversation, owner) as socket:
            await say(socket, type="ping")
            await hear(socket)
            assert len(connections()) == 1
    assert not len(connections())
    async with opened(conversation) as nobody:
        assert await closed_with(nobody) == 4401
    assert not len(connections())


def test_looking_at_many_connections_costs_the_queries_of_one(conversation, owner):
    def looked(count: int) -> int:
        seen = [
            (watching.Connection(caller, print, conversation.pk), caller)
            for caller in [SocketCaller(owner.pk)] * count
        ]
        with CaptureQueriesContext(connection) as queries:
            assert _to_be_cut(seen) == {}
        return len(queries)

    assert looked(1) == looked(40) <= 4
