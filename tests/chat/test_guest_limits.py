"""How much guests may ask, and when their sockets end."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.connections import _to_be_cut
from chat.models import Conversation, Turn
from chat.services import message_send
from chat.services.guests import conversations_claim
from knowledge import services as knowledge
from knowledge.choices import Visibility
from knowledge.models import Space
from project.accounts import connections as watching
from project.accounts.models import User
from project.accounts.ws import SocketCaller
from project.aio import in_thread
from project.asgi import application
from project.http.errors import TooMany
from tests.support.visitors import COOKIE, Visitor, guest_now

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_of_many_questions_at_once_exactly_the_limits_pass(library, settings):
    settings.ACERVO_RATE_GUEST, settings.ACERVO_RATE_GUEST_ADDRESS = "3/hour", "5/hour"
    people = [User.everybody.create(username=f"g{n}", is_guest=True) for n in range(3)]
    held = {each.pk: Conversation.objects.create(user=each, space=library) for each in people}

    def send(number):
        guest = people[number % 3]
        guest.address = "203.0.113.7"
        try:
            message_send(
                acting_user=guest, conversation_id=held[guest.pk].pk, content=f"Question {number}?",
                client_message_id=str(number),
            )  # fmt: skip
        except TooMany as refusal:
            return refusal.retry_after
        else:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        refused = [each for each in pool.map(send, range(15)) if each]
    assert len(refused) == 10
    assert min(refused) > 3000
    assert max(each.messages.count() for each in held.values()) <= 3
    elsewhere = people[0]
    elsewhere.address = "198.51.100.9"
    left = 3 - held[elsewhere.pk].messages.count()
    for number in range(left):
        message_send(
            acting_user=elsewhere, conversation_id=held[elsewhere.pk].pk, content=f"And {number}?",
            client_message_id=f"more {number}",
        )  # fmt: skip
    with pytest.raises(TooMany):
        message_send(
            acting_user=elsewhere, conversation_id=held[elsewhere.pk].pk, content="More?",
            client_message_id="last",
        )  # fmt: skip


def test_an_address_begins_so_many_guests_and_the_page_says_what_is_left(library, settings):
    settings.ACERVO_RATE_GUEST, settings.ACERVO_RATE_GUEST_ADDRESS = "4/hour", "2/hour"
    assert [Visitor().begin().status_code for _ in range(3)] == [201, 201, 429]
    assert User.everybody.filter(is_guest=True).count() == 2
    elsewhere = Visitor(REMOTE_ADDR="198.51.100.9")
    kept = elsewhere.begin().json()["id"]
    assert "<b data-left>2</b>" in elsewhere.get("/").content.decode()
    elsewhere.ask(kept)
    assert "<b data-left>1</b>" in elsewhere.get("/").content.decode()
    elsewhere.ask(kept, "And back?")
    refused = elsewhere.ask(kept, "And then?")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 3000
    assert "Sign in to go on" in refused.json()["error"]["message"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ending", ["switch", "visibility", "expired", "signed_in", "claimed"])
async def test_a_guest_asks_over_a_socket_that_ends_with_what_let_them_in(
    visitor, kept, library, owner, ending, monkeypatch
):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    headers = [
        (b"host", b"testserver"),
        (b"cookie", f"{COOKIE}={visitor.key}".encode()),
    ]
    socket = WebsocketCommunicator(application, f"/ws/chat/{kept}/", headers)
    assert (await socket.connect(timeout=5))[0]
    frame = {"type": "message.send", "client_message_id": "1", "content": "When?"}
    await socket.send_to(text_data=json.dumps(frame))
    heard = json.loads(await socket.receive_from(10))
    assert heard["type"] == "message.accepted"
    assert heard["allowance"]["remaining"] == heard["allowance"]["limit"] - 1
    await in_thread(Turn.objects.all().delete)
    if ending == "switch":
        await in_thread(Space.objects.update, allows_guests=False)
    elif ending == "visibility":
        change = {"visibility": Visibility.MEMBERS}
        await in_thread(knowledge.space_update, acting_user=owner, space=library, **change)
    elif ending == "expired":
        await in_thread(User.everybody.filter(is_guest=True).delete)
    elif ending == "signed_in":
        await in_thread(visitor.sign_in, "owner")
    else:
        guest = await in_thread(guest_now)
        await in_thread(conversations_claim, acting_user=owner, guest_id=guest.pk)
    async with asyncio.timeout(5):
        while (said := await socket.receive_output(5))["type"] != "websocket.close":
            pass
    assert said["code"] in ({4403} if ending in {"switch", "visibility"} else {4401})


def test_looking_at_many_guests_costs_the_queries_of_one(library):
    def looked(count):
        seen = []
        for number in range(count):
            guest = User.everybody.create(username=f"guest {count} {number}", is_guest=True)
            asked = Conversation.objects.create(user=guest, space=library)
            caller = SocketCaller(guest.pk, is_guest=True)
            seen.append((watching.Connection(caller, print, asked.pk), caller))
        with CaptureQueriesContext(connection) as queries:
            assert _to_be_cut(seen) == {}
        return len(queries)

    assert looked(1) == looked(20)
