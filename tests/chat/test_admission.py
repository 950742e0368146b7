"""Whether a message is let in: words, queue, noise, limit; and what is said of what is left."""

import socket
import threading
import time
import uuid

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from chat.choices import WordAction
from chat.models import Message, SpaceWord, Turn
from chat.services import admission, conversation_create, message_regenerate, message_send
from chat.services.words import word_delete, word_save
from project import quick_redis
from project.accounts.models import GroupAllowance
from project.http.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unavailable


@pytest.fixture(autouse=True)
def fresh_count():
    admission.queue.forget()
    yield
    quick_redis.forget()


@pytest.fixture
def watch(space, owner):
    def add(phrase, action=WordAction.REFUSE):
        return word_save(
            acting_user=owner, word=SpaceWord(space=space, phrase=phrase, action=action)
        )

    return add


@pytest.mark.django_db
def test_unseen_characters_are_taken_out_and_a_repetition_is_still_one(ask):
    hidden = "\U000e0049\U000e0067"  # "Ig", as tags
    text = f"When\u202e does\u200b the\x07 ferry{hidden}\r\nsail? 👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿"
    first = ask(text, client_message_id="id")
    assert first.message.content == "When does the ferry\nsail? 👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿"
    assert not ask(text, client_message_id="id").is_new
    with pytest.raises(Invalid) as caught:
        ask("\u200b\u2060")
    assert caught.value.code == "empty_message"


@pytest.mark.django_db
def test_a_refused_word_is_found_whole_and_whatever_its_case_and_accents(ask, watch):
    watch("Salário do prefeito")
    for text in ("Qual é o SALARIO DO PREFEITO?", "o s.a.l.á.r.i.o do\nprefeito"):
        with pytest.raises(Invalid) as caught:
            ask(text)
        assert (caught.value.code, caught.value.field) == ("word_refused", "content")
    assert not Message.objects.exists()
    assert ask("Qual é o salário dos prefeitos?").is_new


@pytest.mark.django_db
def test_a_marking_word_lets_the_message_in_and_is_in_its_trace(ask, watch):
    watch("strike", WordAction.FLAG)
    turn = ask("Is there a strike today?").turn
    assert turn.trace == {"guard": {"words": ["strike"]}}
    turn.refresh_from_db()
    assert turn.trace["guard"]["words"] == ["strike"]


@pytest.mark.django_db
def test_words_count_where_their_space_is_asked(watch, owner, stranger, space):
    watch("strike")
    for person, refused in ((owner, True), (stranger, False)):
        everywhere = conversation_create(acting_user=person)
        send = {
            "acting_user": person,
            "conversation_id": everywhere.pk,
            "content": "Is there a strike?",
            "client_message_id": "1",
        }
        if refused:
            with pytest.raises(Invalid):
                message_send(**send)
        else:
            assert message_send(**send).is_new


@pytest.mark.django_db
def test_only_managers_keep_the_words_of_their_space(space, owner, teammate, stranger, watch):
    word = watch("strike")
    with pytest.raises(Forbidden):
        word_save(acting_user=teammate, word=SpaceWord(space=space, phrase="tax"))
    with pytest.raises(NotFound):
        word_delete(acting_user=stranger, word=word)
    with pytest.raises(Conflict):
        watch("STRIKE!")
    with pytest.raises(Invalid):
        watch("?!")
    word_delete(acting_user=owner, word=word)
    assert not SpaceWord.objects.exists()


@pytest.mark.django_db
def test_a_full_queue_turns_questions_away_before_anything_is_kept(ask, settings, owner):
    settings.ACERVO_TURN_QUEUE = 2
    kept = [ask(), ask()]
    with pytest.raises(Unavailable) as caught:
        ask()
    assert caught.value.code == "busy"
    assert caught.value.retry_after > 0
    assert Message.objects.count() == 2
    with pytest.raises(Unavailable):
        message_regenerate(acting_user=owner, message=kept[0].message)
    Turn.objects.update(status="completed")
    admission.queue.forget()
    assert ask("Is there room now?").is_new


@pytest.mark.django_db
def test_the_same_again_and_again_is_slowed_down_and_not_lost(ask):
    sent = [ask("Tell me about ferries!", client_message_id=str(n)) for n in range(5)]
    with pytest.raises(TooMany) as caught:
        ask("tell me  about FERRIES", client_message_id="again")
    assert caught.value.code == "repeated_message"
    assert 0 < caught.value.retry_after <= 600
    assert all(each.is_new for each in sent)
    other = conversation_create(acting_user=sent[0].message.conversation.user)
    assert message_send(
        acting_user=other.user,
        conversation_id=other.pk,
        content="Tell me about ferries!",
        client_message_id="elsewhere",
    ).is_new
    assert ask("And about trains").is_new
    for _ in range(8):
        ask("yes")  # short words are said often


@pytest.mark.django_db(transaction=True)
def test_equal_messages_at_once_are_counted_once(conversation, settings):
    settings.ACERVO_RATE_MESSAGES = "1/hour"
    outcomes, barrier = [], threading.Barrier(12)

    def send():
        barrier.wait()
        try:
            sent = message_send(
                acting_user=conversation.user,
                conversation_id=conversation.pk,
                content="Is this sent once?",
                client_message_id="the-same",
            )
            outcomes.append((sent.message.pk, sent.is_new))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(outcomes) == 12
    assert len({pk for pk, _ in outcomes}) == 1
    assert sum(is_new for _, is_new in outcomes) == 1


@pytest.mark.django_db
def test_noise_has_a_pace_of_its_own(ask):
    for n in range(6):
        ask(f"aaaaaaaaaaaaaaaaaaaaaaaaaaaa {n}")
    with pytest.raises(TooMany) as caught:
        ask("look http://a.example http://b.example http://c.example")
    assert caught.value.code == "slow_down"
    assert ask("When does the ferry sail?").is_new


@pytest.mark.django_db
def test_what_is_left_is_said_over_rest_and_counts_by_group(api, owner, conversation, settings):
    settings.ACERVO_RATE_MESSAGES = "1/hour"
    group = Group.objects.create(name="Gold")
    GroupAllowance.objects.create(group=group, messages_per_hour=2)
    owner.groups.add(group)
    url = f"/api/v1/conversations/{conversation.pk}/messages/"

    def send(text):
        return api.post(url, {"content": text, "client_message_id": str(uuid.uuid4())})

    first = send("When does the ferry sail?")
    assert first.status_code == 202
    assert first.json()["allowance"] == {"limit": 2, "remaining": 1, "reset": 3600, "window": 3600}
    assert first.headers["RateLimit-Policy"] == '"messages";q=2;w=3600'
    assert first.headers["RateLimit"] == '"messages";r=1;t=3600'
    assert send("And the train?").headers["RateLimit-Remaining"] == "0"
    refused = send("And the bus?")
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limited"
    assert refused.json()["error"]["details"]["remaining"] == 0
    assert int(refused.headers["Retry-After"]) > 3500
    assert Message.objects.count() == 2
    too_long = send("x" * 2001)
    assert (too_long.status_code, too_long.json()["error"]["code"]) == (400, "message_too_long")


@pytest.mark.django_db(transaction=True)
def test_of_many_messages_at_once_exactly_the_limit_is_kept(owner, settings):
    settings.ACERVO_RATE_MESSAGES = "7/hour"
    conversations = [conversation_create(acting_user=owner) for _ in range(4)]
    outcomes, barrier = [], threading.Barrier(16)

    def send(number):
        barrier.wait()
        try:
            message_send(
                acting_user=owner,
                conversation_id=conversations[number % 4].pk,
                content=f"Question number {number}",
                client_message_id=str(number),
            )
            outcomes.append(True)
        except TooMany:
            outcomes.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == [False] * 9 + [True] * 7
    assert Message.objects.count() == 7


@pytest.mark.django_db(transaction=True)
def test_a_frozen_redis_holds_up_one_message_for_a_moment_and_the_next_ones_not_at_all(
    ask, settings
):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        quick_redis.forget()
        began = time.monotonic()
        for number in range(10):
            assert ask(f"Question number {number}").is_new
        taken = time.monotonic() - began
    assert Message.objects.count() == 10
    assert taken < 3 * quick_redis.WAIT  # each waiting for itself would be several times more
