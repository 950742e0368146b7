"""Cold storage: what goes away comes back whole, and is found meanwhile."""

import json
import random
import threading

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client

from chat import cold
from chat.choices import TurnStatus
from chat.exporting import as_json, as_markdown
from chat.listing import conversations_listed
from chat.models import (
    Citation,
    ColdConversation,
    Conversation,
    Feedback,
    Message,
    Share,
    Turn,
)
from chat.services import share_put
from chat.sharing import shared_items
from knowledge.services import node_create
from knowledge.signals import versions_erased
from tests.chat.histories import answer, ask, grown, put_back, talk_of
from tests.conftest import Api

pytestmark = pytest.mark.django_db
TABLES = ("chat_message", "chat_turn", "chat_citation", "chat_feedback", "chat_share")


@pytest.fixture
def node_of(owner, space):
    return lambda title: node_create(
        acting_user=owner, space=space, title=title, content="High water is at nine."
    )


def _rows() -> dict[str, list[str]]:
    """Return every row of a conversation's tables, as Postgres writes it."""
    rows = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} AS t ORDER BY t.id")
            rows[table] = [row[0] for row in cursor.fetchall()]
    return rows


def _exports(conversation: Conversation) -> tuple[str, str]:
    fresh = Conversation.objects.get(pk=conversation.pk)
    body = as_json(fresh)
    del body["exported_at"]
    return json.dumps(body), as_markdown(fresh, site="https://example.org")


def _cooled(conversation: Conversation, *, days: float = 400) -> Conversation:
    put_back(conversation, days)
    cold.conversations_cool()
    conversation.refresh_from_db()
    return conversation


@pytest.mark.parametrize("seed", range(3))
def test_what_went_away_comes_back_row_by_row_and_byte_by_byte(owner, node_of, seed):
    conversation = talk_of(owner)
    grown(conversation, random.Random(seed), 25, node=node_of("Tides"))
    put_back(conversation, 400)
    rows, exports = _rows(), _exports(conversation)
    assert cold.conversations_cool().conversations == 1
    assert _rows() != rows
    assert not Message.objects.exclude(content="").exists()
    assert _exports(conversation) == exports  # reading brings it back
    assert _rows() == rows
    assert not ColdConversation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_opened_and_put_away_by_many_at_once_it_loses_nothing(owner):
    conversation = talk_of(owner)
    answer(ask(conversation, None, "When?"), "At nine.")
    _cooled(conversation)
    brought: list[bool] = []
    barrier = threading.Barrier(6)

    def open_it() -> None:
        barrier.wait()
        try:
            brought.append(cold.warm(conversation.pk))
            cold.conversations_cool(months=0)
            cold.warm(conversation.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(brought) == 6
    cold.warm(conversation.pk)
    assert set(Message.objects.values_list("content", flat=True)) == {"When?", "At nine."}
    assert not ColdConversation.objects.exists()


def test_it_goes_away_once_and_not_again_the_night_after_it_was_read(owner):
    conversation = talk_of(owner)
    ask(conversation, None, "When is high water?")
    _cooled(conversation)
    assert conversation.cold_since is not None
    assert cold.conversations_cool().conversations == 0
    assert cold.warm(conversation.pk)
    assert not cold.warm(conversation.pk)
    assert cold.conversations_cool().conversations == 0


def test_what_is_fresh_or_being_answered_stays(owner, settings):
    fresh, asked, old = (talk_of(owner) for _ in range(3))
    for each in (fresh, asked, old):
        answer(ask(each, None, "When?"), "At nine.")
    answer(ask(asked, None, "And now?"), "", status=TurnStatus.QUEUED)
    for each in (asked, old):
        put_back(each, 400)
    settings.ACERVO_COLD_AFTER_MONTHS = 0
    assert cold.conversations_cool().conversations == 0
    settings.ACERVO_COLD_AFTER_MONTHS = 12
    assert cold.conversations_cool().conversations == 1
    assert set(Conversation.objects.filter(cold_since=None)) == {fresh, asked}


def test_words_in_cold_storage_are_found_and_the_list_has_the_conversation(owner):
    conversation = talk_of(owner)
    answer(ask(conversation, None, "When does the lighthouse shine?"), "From dusk.")
    _cooled(conversation)
    (day,) = conversations_listed(owner).days
    assert [each.conversation for each in day.entries] == [conversation]
    assert not conversations_listed(owner, words="harbour").days
    conversation.refresh_from_db()
    assert conversation.cold_since is not None  # what does not fit stays where it is
    (day,) = conversations_listed(owner, words="lighthouse").days
    (entry,) = day.entries
    assert entry.conversation == conversation
    assert "lighthouse" in [piece.text for piece in entry.excerpt if piece.is_found]


def test_erased_quotes_do_not_come_back(owner, node_of):
    node = node_of("Secret")
    conversation = talk_of(owner)
    answer(ask(conversation, None, "What?"), "This [1].", node=node)
    _cooled(conversation)
    versions_erased.send(sender=None, node_id=node.pk, versions=[1])
    text, _markdown = _exports(conversation)
    assert "This [1]." in text
    assert "quote" not in text
    assert "Secret" not in text
    assert Citation.objects.filter(cited_id=node.pk).count() == 2


def test_every_way_of_reading_brings_it_back(api: Api, client: Client, owner, space):
    conversation = talk_of(owner, space=space)
    said = answer(ask(conversation, None, "When is it?"), "At **nine**.")
    late = ask(conversation, said, "And tomorrow?")
    share = share_put(acting_user=owner, conversation=conversation, space=space.pk)
    turn = Turn.objects.get()
    client.force_login(owner)
    ways = {
        "the page": lambda: client.get(f"/c/{conversation.pk}/").content.decode(),
        "earlier": lambda: client.get(
            f"/c/{conversation.pk}/earlier/?before={late.pk}"
        ).content.decode(),
        "messages": lambda: api.get(f"/api/v1/conversations/{conversation.pk}/messages/").text,
        "message": lambda: api.get(f"/api/v1/messages/{said.pk}/").text,
        "turn": lambda: api.get(f"/api/v1/turns/{turn.pk}/").text,
        "an answer": lambda: client.get(f"/c/{conversation.pk}/turns/{turn.pk}/").content.decode(),
        "export": lambda: api.get(f"/api/v1/conversations/{conversation.pk}/export/?as=json").text,
        "share": lambda: str(
            [each.html for each in shared_items(Share.objects.get(pk=share.pk), owner)]
        ),
    }
    for name, way in ways.items():
        Conversation.objects.filter(pk=conversation.pk).update(warmed_at=None)
        assert _cooled(conversation).cold_since is not None, name
        assert "At" in way(), name
        conversation.refresh_from_db()
        assert conversation.cold_since is None, name


def test_a_new_question_has_what_was_said_before(ask, conversation):
    ask("The ferry is called Ada.")
    Turn.objects.update(status=TurnStatus.COMPLETED)
    _cooled(conversation)
    sent = ask("What is it called?")
    assert Message.objects.branch_before(sent.message)[0].content == "The ferry is called Ada."


def test_who_leaves_takes_it_along(owner, db):
    conversation = talk_of(owner)
    question = ask(conversation, None, "Mine?")
    Feedback.objects.create(message=answer(question, "Yours."), user=owner, value=1)
    _cooled(conversation)
    get_user_model().objects.filter(pk=owner.pk).delete()
    assert not ColdConversation.objects.exists()


def test_the_command_puts_away_and_brings_back(owner, capsys):
    conversation = talk_of(owner)
    ask(conversation, None, "When? " * 200)
    put_back(conversation, 70)
    call_command("archive_conversations", months=2)
    assert "1 put away" in capsys.readouterr().out
    call_command("archive_conversations", back=True)
    assert "1 brought back" in capsys.readouterr().out
    assert Message.objects.get().content.startswith("When? ")
