"""History: pages of fifty by cursor, at the same number of queries however long it is."""

import datetime
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.choices import MessageRole, TurnStatus
from chat.models import Citation, Conversation, Message, Turn
from tests.conftest import Api

pytestmark = pytest.mark.django_db
API = "/api/v1"
EXCHANGES = 65


def _talk(conversation: Conversation, exchanges: int) -> list[str]:
    """Store questions and cited answers, one under the other; return their ids, newest first."""
    began = timezone.now() - datetime.timedelta(days=1)
    messages: list[Message] = []
    for number in range(exchanges * 2):
        messages.append(
            Message(
                conversation=conversation,
                parent=messages[-1] if messages else None,
                role=MessageRole.ASSISTANT if number % 2 else MessageRole.USER,
                content=f"{number}",
            )
        )
    Message.objects.bulk_create(messages)
    for number, message in enumerate(messages):
        message.created_at = began + datetime.timedelta(seconds=number)
    Message.objects.bulk_update(messages, ["created_at"])
    turns = Turn.objects.bulk_create(
        Turn(
            conversation=conversation, question=question, answer=answer, status=TurnStatus.COMPLETED
        )
        for question, answer in zip(messages[::2], messages[1::2], strict=True)
    )
    Citation.objects.bulk_create(
        Citation(
            turn=turn,
            index=index,
            cited_id=uuid.uuid4(),
            version=1,
            chunk_id=uuid.uuid4(),
            title="Tides",
            snippet="High water",
            start=0,
            end=4,
        )
        for turn in turns
        for index in (1, 2)
    )
    return [str(each.pk) for each in reversed(messages)]


def test_a_page_has_fifty_and_the_cursor_walks_through_all(api: Api, conversation):
    expected = _talk(conversation, EXCHANGES)
    address = f"{API}/conversations/{conversation.pk}/messages/"
    sizes, seen = [], []
    while address:
        page = api.get(address).json()
        sizes.append(len(page["results"]))
        seen += [each["id"] for each in page["results"]]
        address = page["next"]
    assert sizes == [50, 50, 30]
    assert seen == expected


def test_a_page_of_messages_costs_the_same_however_long_the_history_is(api: Api, owner):
    counts = []
    for exchanges in (1, EXCHANGES):
        conversation = Conversation.objects.create(user=owner)
        _talk(conversation, exchanges)
        address = f"{API}/conversations/{conversation.pk}/messages/"
        while address:
            with CaptureQueriesContext(connection) as queries:
                page = api.get(address).json()
            answers = [each for each in page["results"] if each["role"] == "assistant"]
            assert all(len(each["citations"]) == 2 for each in answers)
            counts.append(_about_chat(queries))
            address = page["next"]
    # The conversation, which is to be the caller's; the messages; what hangs on them, in one each.
    assert set(counts) == {4}


def test_a_page_of_conversations_is_one_query(api: Api, owner):
    Conversation.objects.bulk_create(Conversation(user=owner) for _ in range(70))
    address = f"{API}/conversations/"
    sizes = []
    while address:
        with CaptureQueriesContext(connection) as queries:
            page = api.get(address).json()
        assert _about_chat(queries) == 1
        sizes.append(len(page["results"]))
        address = page["next"]
    assert sizes == [50, 20]


def test_earlier_messages_of_a_page_cost_the_same_however_long_it_is(client: Client, owner):
    client.force_login(owner)
    counts = set()
    for exchanges in (30, EXCHANGES):
        conversation = Conversation.objects.create(user=owner)
        newest_first = _talk(conversation, exchanges)
        address = f"/c/{conversation.pk}/earlier/?before={newest_first[49]}"
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            page = client.get(address)
        assert page.content.decode().count("data-message=") > 5
        counts.add(_about_chat(queries))
    assert len(counts) == 1


def _about_chat(queries: CaptureQueriesContext) -> int:
    return sum("chat_" in each["sql"] for each in queries.captured_queries)
