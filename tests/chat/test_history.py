"""History: pages of fifty by cursor, one query each, and kept while nothing changes."""

import datetime
import random
import re
import uuid

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.choices import MessageRole, TurnStatus
from chat.history.revisions import changes_fold
from chat.models import Citation, Conversation, Message, Turn
from chat.thread_items import Answer, Question, Siblings, Thread
from chat.threads import path_of, thread_of
from knowledge.models import Node
from knowledge.services import node_create
from project.cache._layers import requests as requests_total
from tests.chat.histories import ask, grown, talk_of, write
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
    # The conversation, which is to be the caller's; the messages with all that hangs on them.
    assert set(counts) == {2}


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


@pytest.mark.parametrize("words", ["", "words=&after=", "q=tides"])
def test_a_page_of_the_list_beside_the_chat_is_one_query(client: Client, owner, words):
    now = timezone.now()
    rows = Conversation.objects.bulk_create(
        Conversation(user=owner, title="Tides", pinned_at=now if n < 3 else None) for n in range(60)
    )
    Message.objects.bulk_create(
        Message(conversation=each, role=MessageRole.USER, content="When?") for each in rows
    )
    client.force_login(owner)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(f"/c/?{words}").content.decode()
    assert page.count("data-conversation-item=") == (50 if "q=" in words else 53)
    assert _about_chat(queries) == 1


def test_a_page_of_a_thread_is_one_query_whatever_hangs_on_it(owner, space):
    """Two conversations: plain, and with versions, failures, opinions and citations."""
    node = node_create(acting_user=owner, space=space, title="Tides", content="High water.")
    plain, grown_one = talk_of(owner), talk_of(owner)
    ask(plain, None, "When?")
    grown(grown_one, random.Random(7), 60, node=node)
    last = grown_one.messages.order_by("-created_at").first()
    for conversation, limits in (
        (plain, {}),
        (grown_one, {}),
        (grown_one, {"leaf": last.pk}),
        (grown_one, {"before": last.pk}),
    ):
        thread_of(conversation, owner, **limits)
        with CaptureQueriesContext(connection) as queries:
            thread_of(conversation, owner, **limits)
        # Golden questions, texts and relations are of knowledge, and asked anew for this reader.
        assert _about_chat(queries) == 1, limits


@pytest.mark.parametrize("seed", range(4))
def test_a_page_shows_the_path_that_the_tree_says(owner, space, seed):
    """The statement against a walk over all rows, for every message as leaf and as limit."""
    chance = random.Random(seed)
    conversation = talk_of(owner)
    grown(conversation, chance, 40)
    messages = conversation.messages.in_bulk()
    for leaf in [None, *messages]:
        path = path_of(conversation, leaf=leaf)
        shown = _shown(thread_of(conversation, owner, leaf=leaf), conversation)
        assert shown[: len(path)] == path[: len(shown)]
        if leaf is not None:
            assert shown == path
            before = thread_of(conversation, owner, before=leaf)
            assert _shown(before, conversation) == path[: path.index(leaf)]
            for item in thread_of(conversation, owner, leaf=leaf).items:
                _assert_siblings(item, messages)


def test_no_answer_stands_on_two_pages(owner):
    conversation = talk_of(owner)
    newest_first = _talk(conversation, 60)
    first = thread_of(conversation, owner, before=uuid.UUID(newest_first[2]))
    assert first.earlier is not None
    rest = thread_of(conversation, owner, before=first.earlier)
    seen = [_message_of(each) for each in [*rest.items, *first.items]]
    assert len(seen) == len(set(seen))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(2))
def test_kept_pages_equal_what_is_read_anew_after_any_write(
    owner, teammate, space, client: Client, seed
):
    chance = random.Random(seed)
    node = node_create(acting_user=owner, space=space, title="Tides", content="High water.")
    conversation = talk_of(owner, space=space)
    client.force_login(owner)
    others = Client()
    others.force_login(teammate)
    levels = requests_total.labels("history", "l1")._value.get
    began = levels()
    for _step in range(9):
        _change(conversation, chance, node)
        for _again in range(2):
            address = f"/c/{conversation.pk}/"
            kept_page = _thread_html(client.get(address).content.decode())
            api = client.get(f"{API}/conversations/{conversation.pk}/messages/").json()
            assert others.get(address).status_code == 404
        with transaction.atomic():  # where nothing is kept
            assert _thread_html(client.get(address).content.decode()) == kept_page
            assert client.get(f"{API}/conversations/{conversation.pk}/messages/").json() == api
        if chance.random() < 0.2:
            changes_fold()
    assert levels() > began + 6
    conversation.refresh_from_db()
    Conversation.objects.filter(pk=conversation.pk).update(user=teammate)
    assert client.get(address).status_code == 404
    assert others.get(address).status_code == 200


def _change(conversation: Conversation, chance: random.Random, node: Node) -> None:
    """Write something, rename, erase a quote, begin or end an answer, or take a version away."""
    what = chance.random()
    turns = conversation.turns
    if what < 0.6:
        write(conversation, chance, node=node)
    elif what < 0.7:
        Conversation.objects.filter(pk=conversation.pk).update(title=f"Named {what}")
    elif what < 0.8:
        Citation.objects.filter(turn__conversation=conversation).update(title="", snippet="")
    elif what < 0.9:
        begun = turns.exclude(status=TurnStatus.COMPLETED).order_by("?").first()
        if begun is not None:
            states = [TurnStatus.QUEUED, TurnStatus.FAILED, TurnStatus.STOPPED]
            turns.filter(pk=begun.pk).update(status=chance.choice(states))
    else:
        last = conversation.messages.order_by("-created_at").first()
        if last is not None:
            last.delete()


def _thread_html(page: str) -> str:
    begin = page.index("data-thread")
    page = page[begin : page.index("</main>")]
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"', "", page)


def _message_of(item: Question | Answer) -> uuid.UUID | None:
    return item.message.pk if item.message is not None else None


def _shown(thread: Thread, conversation: Conversation) -> list[uuid.UUID]:
    """Return the messages of a thread; answers that stand in for none are left out."""
    found = [_message_of(each) for each in thread.items]
    return [pk for pk in found if pk is not None]


def _assert_siblings(item: Question | Answer, messages: dict[uuid.UUID, Message]) -> None:
    message = item.message
    if message is None:
        return
    group = [
        each.pk
        for each in sorted(messages.values(), key=lambda row: (row.created_at, row.pk))
        if (each.parent_id, each.role) == (message.parent_id, message.role)
    ]
    if len(group) == 1:
        assert item.siblings is None
        return
    place = group.index(message.pk)
    assert item.siblings == Siblings(
        number=place + 1,
        total=len(group),
        previous=group[place - 1] if place else None,
        next=group[place + 1] if place + 1 < len(group) else None,
    )


def _about_chat(queries: CaptureQueriesContext) -> int:
    return sum("chat_" in each["sql"] for each in queries.captured_queries)
