"""Sending a question: once, in order, within limits."""

import threading
import uuid

import pytest
from django.db import connection

from chat.choices import MessageRole, TurnStatus
from chat.models import Message, Turn
from chat.services import (
    conversation_create,
    conversation_delete,
    feedback_give,
    message_regenerate,
    message_send,
    turn_stop,
)
from project.aio import sync_redis
from project.events import bus
from project.events.models import Event
from project.http.errors import Conflict, Invalid, NotFound, TooMany


@pytest.mark.django_db(transaction=True)
def test_twenty_equal_sends_at_once_make_one_message_and_one_turn(conversation):
    results, barrier = [], threading.Barrier(20)

    def send() -> None:
        barrier.wait()
        try:
            sent = message_send(
                acting_user=conversation.user,
                conversation_id=conversation.pk,
                content="Once?",
                client_message_id="the-same",
            )
            results.append((sent.message.pk, sent.turn.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(results) == 20
    assert len(set(results)) == 1
    assert Message.objects.count() == Turn.objects.count() == 1
    assert Event.objects.filter(type="chat.message.received").count() == 1


@pytest.mark.django_db(transaction=True)
def test_different_sends_at_once_stand_under_each_other(conversation):
    """Whoever waited for the conversation sees what came before, not what was there as it came."""
    barrier = threading.Barrier(8)

    def send(number: int) -> None:
        barrier.wait()
        try:
            message_send(
                acting_user=conversation.user,
                conversation_id=conversation.pk,
                content=f"Question {number}?",
                client_message_id=str(number),
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    messages = list(Message.objects.order_by("created_at"))
    assert [each.parent_id for each in messages] == [None, *(each.pk for each in messages[:-1])]


@pytest.mark.django_db
@pytest.mark.parametrize("has_space", [True, False])
def test_a_question_is_stored_by_few_statements(conversation, ask, has_space):
    if not has_space:
        conversation.space = None
        conversation.save()
    ask()  # the queue has been counted now
    statements: list[str] = []

    def note(execute, sql, parameters, many, context):
        statements.append(str(sql))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        sent = ask()
    asked = [each for each in statements if "SAVEPOINT" not in each and "events_" not in each]
    assert len(asked) == 3  # lock, look, store; besides the event
    stored = Message.objects.get(pk=sent.message.pk)
    assert stored.turns.get() == sent.turn
    for row, kept in ((sent.message, stored), (sent.turn, stored.turns.get())):
        for each in row._meta.concrete_fields:
            assert getattr(row, each.attname) == getattr(kept, each.attname), each.name


@pytest.mark.django_db
def test_a_question_brings_its_conversation_back_to_the_front(conversation, ask):
    ask("The first")
    conversation.refresh_from_db()
    before = conversation.updated_at
    conversation.archived_at = before
    conversation.save()
    ask("Another")
    conversation.refresh_from_db()
    assert conversation.updated_at > before
    assert conversation.archived_at is None


@pytest.mark.django_db(transaction=True)
def test_the_event_is_on_the_stream_after_the_commit_and_names_the_turn(ask):
    sent = ask()
    [(_id, fields)] = sync_redis().xrange(bus.STREAM)
    assert fields["type"] == "chat.message.received"
    assert fields["subject"] == str(sent.turn.pk)
    assert Event.objects.get().payload == {
        "conversation": str(sent.message.conversation_id),
        "message": str(sent.message.pk),
        "turn": str(sent.turn.pk),
    }


@pytest.mark.django_db
def test_the_first_question_names_the_conversation(conversation, ask):
    ask("How do I   report\na leak " + "in the street " * 10)
    conversation.refresh_from_db()
    assert conversation.title.startswith("How do I report a leak in the street")
    assert len(conversation.title) <= 80
    assert conversation.title.endswith("…")
    title = conversation.title
    ask("Something else")
    conversation.refresh_from_db()
    assert conversation.title == title


@pytest.mark.django_db
def test_a_message_goes_under_the_newest_unless_it_names_its_parent(ask):
    first = ask().message
    second = ask().message
    assert first.parent is None
    assert second.parent_id == first.pk
    assert ask(parent=first.pk).message.parent_id == first.pk
    assert ask(parent=None).message.parent_id is None


@pytest.mark.django_db
def test_the_parent_must_be_in_the_same_conversation(owner, ask):
    other = conversation_create(acting_user=owner)
    elsewhere = message_send(
        acting_user=owner, conversation_id=other.pk, content="x", client_message_id="1"
    ).message
    with pytest.raises(Invalid) as caught:
        ask(parent=elsewhere.pk)
    assert caught.value.field == "parent"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "code"),
    [("", "empty_message"), ("  \n ", "empty_message"), ("x" * 2001, "message_too_long")],
)
def test_a_message_must_have_text_of_a_bearable_length(ask, content, code):
    with pytest.raises(Invalid) as caught:
        ask(content)
    assert caught.value.code == code
    assert not Message.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("content", ["a\x00b", "a\ud800b"])
def test_a_message_must_be_storable(ask, content):
    with pytest.raises(Invalid):
        ask(content)


@pytest.mark.django_db
def test_a_client_id_stands_for_one_text(ask):
    first = ask("One", client_message_id="id")
    again = ask("One", client_message_id="id")
    assert (again.message, again.turn, again.is_new) == (first.message, first.turn, False)
    with pytest.raises(Conflict):
        ask("Two", client_message_id="id")


@pytest.mark.django_db
def test_too_many_messages_are_refused_with_a_time_to_come_back(ask, settings):
    settings.ACERVO_RATE_MESSAGES = "2/minute"
    ask(client_message_id="a")
    ask(client_message_id="b")
    with pytest.raises(TooMany) as caught:
        ask(client_message_id="c")
    assert caught.value.retry_after > 0
    assert not ask(client_message_id="a").is_new  # a repeat is no new message


@pytest.mark.django_db
def test_a_stranger_finds_nothing_to_send_to_or_to_stop(ask, stranger):
    sent = ask()
    with pytest.raises(NotFound):
        message_send(
            acting_user=stranger,
            conversation_id=sent.message.conversation_id,
            content="Hello",
            client_message_id="1",
        )
    with pytest.raises(NotFound):
        turn_stop(acting_user=stranger, turn_id=sent.turn.pk)
    with pytest.raises(NotFound):
        message_regenerate(acting_user=stranger, message=sent.message)


@pytest.mark.django_db
def test_a_space_that_the_user_cannot_see_does_not_exist(stranger, space):
    with pytest.raises(NotFound):
        conversation_create(acting_user=stranger, space=space.pk)


@pytest.mark.django_db(transaction=True)
def test_stopping_a_queued_turn_ends_it_at_once_and_once(ask, owner):
    turn = ask().turn
    for _ in range(2):
        assert turn_stop(acting_user=owner, turn_id=turn.pk).status == TurnStatus.STOPPED
    assert Event.objects.filter(type="chat.turn.stopped").count() == 1
    [(entry_id, fields)] = sync_redis().xrange(f"turn:{turn.pk}")
    assert entry_id == "1-0"
    assert fields["e"].startswith('{"type":"turn.stopped"')


@pytest.mark.django_db
def test_regenerating_queues_another_turn_for_the_same_question(ask, owner):
    sent = ask()
    answer = Message.objects.create(
        conversation=sent.message.conversation,
        parent=sent.message,
        role=MessageRole.ASSISTANT,
        content="Nine.",
    )
    turn = message_regenerate(acting_user=owner, message=answer)
    assert turn.question == sent.message
    assert turn.pk != sent.turn.pk


@pytest.mark.django_db
def test_feedback_is_for_answers_and_the_last_word_counts(ask, owner):
    sent = ask()
    answer = Message.objects.create(
        conversation=sent.message.conversation, role=MessageRole.ASSISTANT, content="Nine."
    )
    feedback_give(acting_user=owner, message=answer, value=1)
    row = feedback_give(acting_user=owner, message=answer, value=-1, reason="Wrong day")
    assert (row.value, row.reason) == (-1, "Wrong day")
    assert answer.feedback.count() == 1
    with pytest.raises(Invalid):
        feedback_give(acting_user=owner, message=sent.message, value=1)


@pytest.mark.django_db
def test_a_deleted_conversation_takes_everything_along(ask, conversation, owner):
    ask()
    conversation_delete(acting_user=owner, conversation=conversation)
    assert not Message.objects.exists()
    assert not Turn.objects.exists()
    with pytest.raises(NotFound):
        message_send(
            acting_user=owner, conversation_id=uuid.uuid4(), content="x", client_message_id="1"
        )
