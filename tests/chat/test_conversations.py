"""One's own conversations: pinned, archived, found by their words, taken along as files."""

import json
import uuid

import pytest
from django.test import Client
from rest_framework.test import APIClient

from chat import services
from chat.listing import Listing, conversations_listed
from chat.models import Citation, Conversation
from chat.searching import excerpt, words_of
from project.accounts.models import User
from tests.chat.test_pages import answered, ask

API = "/api/v1/conversations/"


@pytest.fixture
def api(owner: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


def talk(user: User, title: str, question: str = "Hello?", answer: str = "Yes.") -> Conversation:
    conversation = Conversation.objects.create(user=user, title=title)
    ask(conversation, question, answer)
    return conversation


def titles(listing: Listing) -> list[tuple[str, list[str]]]:
    return [(day.label, [each.conversation.title for each in day.entries]) for day in listing.days]


def test_pinned_conversations_come_first_until_they_are_unpinned(
    owner: User, api: APIClient
) -> None:
    old = talk(owner, "Old")
    talk(owner, "New")
    body = api.patch(f"{API}{old.pk}/", {"pinned": True}, format="json").json()
    assert body["pinned"] is True
    assert titles(conversations_listed(owner)) == [("Pinned", ["Old"]), ("Today", ["New"])]
    assert [each["id"] for each in api.get(API, {"pinned": "1"}).json()["results"]] == [str(old.pk)]
    api.patch(f"{API}{old.pk}/", {"pinned": False}, format="json")
    assert titles(conversations_listed(owner)) == [("Today", ["New", "Old"])]


def test_an_archived_conversation_is_put_away_found_and_brought_back_by_a_question(
    owner: User, api: APIClient
) -> None:
    away = talk(owner, "Lighthouse")
    api.patch(f"{API}{away.pk}/", {"archived": True}, format="json")
    assert titles(conversations_listed(owner)) == []
    assert titles(conversations_listed(owner, is_archive=True)) == [("Today", ["Lighthouse"])]
    assert titles(conversations_listed(owner, words="lightho")) == [("Today", ["Lighthouse"])]
    assert api.get(API, {"archived": "false"}).json()["results"] == []
    services.message_send(
        acting_user=owner, conversation_id=away.pk, content="Is it lit?", client_message_id="1"
    )
    assert titles(conversations_listed(owner)) == [("Today", ["Lighthouse"])]


def test_a_change_leaves_alone_what_a_question_changed_meanwhile(owner: User) -> None:
    conversation = Conversation.objects.create(user=owner)
    Conversation.objects.filter(pk=conversation.pk).update(title="Named by its question")
    services.conversation_update(acting_user=owner, conversation=conversation, pinned=True)
    conversation.refresh_from_db()
    assert conversation.title == "Named by its question"
    assert conversation.pinned_at is not None


def test_every_word_must_begin_a_word_of_the_title_or_of_a_message(
    owner: User, stranger: User, api: APIClient
) -> None:
    talk(owner, "Maré alta", "Quando é a preia-mar?", "Às 11:40, no cais 7.")
    talk(owner, "Fees", "What does a mooring cost?", "Twelve euros.")
    talk(stranger, "Maré baixa", "Quando?")
    for words in ("mare", "MARÉ preia", "cais 7", "11:40", "quan mar"):
        assert titles(conversations_listed(owner, words=words)) == [("Today", ["Maré alta"])], words
    assert titles(conversations_listed(owner, words="mare euros")) == []
    assert titles(conversations_listed(owner, words="oring")) == []
    found = api.get(API, {"q": "mooring"}).json()["results"]
    assert [each["title"] for each in found] == ["Fees"]


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("'", True),  # no word at all: nothing is left out
        ("\\", True),
        ("!!", True),
        (":*", True),
        ("<->", True),
        ("a' | 'b", False),  # both words are looked for, not either
        ("!fees", True),  # nor their absence
        ("é & (", False),
    ],
)
def test_odd_words_are_only_words(owner: User, words: str, is_found: bool) -> None:
    talk(owner, "Fees")
    found = conversations_listed(owner, words=words)
    assert titles(found) == ([("Today", ["Fees"])] if is_found else [])


def test_what_was_found_is_shown_and_marked_but_never_markup(owner: User, client: Client) -> None:
    talk(owner, "Fees <b>", "x " * 100 + "the MOORING <script> costs " + "y " * 100)
    client.force_login(owner)
    page = client.get("/c/", {"q": "mooring fees"}).content.decode()
    assert "the <mark>MOORING</mark> &lt;script&gt; costs" in page
    assert "<mark>Fees</mark> &lt;b&gt;" in page
    assert "x x x … " not in page
    assert page.count("y y") < 60


def test_an_excerpt_marks_words_whatever_their_case_and_accents() -> None:
    pieces = excerpt("A Maré sobe.", words_of("mare"))
    assert [(each.text, each.is_found) for each in pieces] == [
        ("A ", False),
        ("Maré", True),
        (" sobe.", False),
    ]
    assert excerpt("Nothing.", words_of("mare")) == []


def test_markdown_has_the_branch_that_is_read_and_its_sources(
    owner: User, client: Client, api: APIClient
) -> None:
    conversation = talk(owner, "Tides: all", "When?", "At noon [1].")
    turn = conversation.turns.get()
    Citation.objects.create(
        turn=turn, index=1, node=None, cited_id=uuid.uuid4(), version=3, chunk_id=uuid.uuid4(),
        title="Tide table", snippet="Noon.", start=0, end=5,
    )  # fmt: skip
    answered(turn.question, "At one.")
    client.force_login(owner)
    response = client.get(f"{conversation.get_absolute_url()}export/", {"as": "markdown"})
    assert response.headers["Content-Disposition"] == 'attachment; filename="tides-all.md"'
    text = response.content.decode()
    assert text.startswith("# Tides: all\n")
    assert "When?" in text
    assert "At one." in text
    assert "At noon" not in text
    older = api.get(
        f"{API}{conversation.pk}/export/", {"as": "markdown", "leaf": str(turn.answer_id)}
    )
    assert "At noon [1]." in older.content.decode()
    assert "- [1] Tide table, version 3" in older.content.decode()


def test_json_has_every_branch(owner: User, stranger: User, client: Client) -> None:
    conversation = talk(owner, "Tides", "When?", "At noon.")
    answered(conversation.turns.get().question, "At one.")
    address = f"{conversation.get_absolute_url()}export/"
    client.force_login(owner)
    body = json.loads(client.get(address, {"as": "json"}).content)
    assert [each["content"] for each in body["messages"]] == ["When?", "At noon.", "At one."]
    assert len(body["path"]) == 2
    assert client.get(address, {"as": "word"}).status_code == 400
    client.force_login(stranger)
    assert client.get(address, {"as": "json"}).status_code == 404


def test_reasons_must_fit_the_value(owner: User, api: APIClient) -> None:
    turn = talk(owner, "Tides").turns.get()
    address = f"/api/v1/messages/{turn.answer_id}/feedback/"
    body = {"value": -1, "reasons": ["unclear", "wrong"], "reason": "It was noon."}
    given = api.post(address, body, format="json").json()
    assert given["reasons"] == ["wrong", "unclear"]
    refused = api.post(address, {"value": 1, "reasons": ["wrong"]}, format="json")
    assert refused.status_code == 400
    assert refused.json()["error"]["field"] == "reasons"
