"""Every message is classified and routed: once, in its turn, however its event arrives."""

import datetime
import itertools
import random
import threading
import time
import uuid

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat import metrics
from chat.choices import HandoffOrigin, TurnStatus
from chat.claiming import turn_claim
from chat.dispatching import dispatcher
from chat.dispatching.classify import classify
from chat.dispatching.dispatcher import dispatch, turns_undispatched
from chat.dispatching.replies import set_answer
from chat.models import Conversation, Handoff, Turn
from chat.services import handoff_release, message_send
from project.aio import in_thread, sync_redis
from tests.chat.conftest import events_of, running_agent, saying, turn_now

TEXTS = {"question": "When does the ferry sail?", "out_of_scope": "Tell me a joke"}
TABLE = [
    # text, alone, with something said before
    ("When does the ferry sail?", "question", "question"),
    ("Quando sai a balsa para Itaparica?", "question", "question"),
    ("invoice 2026-114", "question", "question"),
    ("And in Recife?", "question", "follow_up"),
    ("E quanto custa?", "question", "follow_up"),
    ("translate that into Portuguese", "question", "follow_up"),
    ("Yes, please", "small_talk", "follow_up"),
    ("sim", "small_talk", "follow_up"),
    ("Hello there!", "small_talk", "small_talk"),
    ("Muito obrigada!", "small_talk", "small_talk"),
    ("What can you do?", "small_talk", "small_talk"),
    ("Hello, when does the ferry sail?", "question", "question"),
    ("Thanks to whom was the pier rebuilt?", "question", "question"),
    ("/help", "command", "command"),
    ("/ajuda por favor", "command", "command"),
    ("/unknown", "command", "command"),
    ("/tmp is full, what now?", "question", "question"),
    ("/etc/passwd", "question", "question"),
    ("Can I talk to a person?", "person", "person"),
    ("Quero falar com um atendente", "person", "person"),
    ("Who is the person in charge of berths?", "question", "question"),
    ("Tell me a joke", "out_of_scope", "out_of_scope"),
    ("Who may tell jokes over the loudspeaker?", "question", "question"),
    ("Me conta uma piada", "out_of_scope", "out_of_scope"),
    ("What's the weather like today?", "out_of_scope", "out_of_scope"),
    ("What is the weather policy of the port?", "question", "question"),
    ("Como está o tempo?", "out_of_scope", "out_of_scope"),
    ("Como está o tempo de espera no cais?", "question", "question"),
    ("Que horas são?", "out_of_scope", "out_of_scope"),
    ("A que horas fecha o guichê?", "question", "question"),
    ("Book a flight to Lisbon", "out_of_scope", "out_of_scope"),
    ("How do I book a flight for a business trip?", "question", "question"),
    ("Reserve um voo para Lisboa", "out_of_scope", "out_of_scope"),
    ("Write me a poem about the sea", "out_of_scope", "out_of_scope"),
    ("Write a report about the sea trials", "question", "question"),
    ("Set an alarm for seven", "out_of_scope", "out_of_scope"),
    ("How is the alarm of pump 7 set?", "question", "question"),
    ("What is 17 * 23?", "out_of_scope", "out_of_scope"),
    ("What is 24/7 support?", "question", "question"),
    ("(81) 3333-4444", "question", "question"),
    ("12/11/2026", "question", "question"),
    ("???", "out_of_scope", "follow_up"),
    ("asdfghjk", "out_of_scope", "follow_up"),
    ("kubectl", "question", "follow_up"),
    ("Hey, how are you doing?", "small_talk", "small_talk"),
    ("What's up with the ferry?", "question", "question"),
    ("Are you a robot?", "small_talk", "small_talk"),
    ("Como vai você?", "small_talk", "small_talk"),
    ("E aí, quando sai a balsa?", "question", "follow_up"),
    ("👍", "small_talk", "small_talk"),
    ("vlw", "small_talk", "small_talk"),
    ("agent", "person", "person"),
    ("This isn't helping, I want a human", "person", "person"),
    ("Can you put me through to customer service?", "person", "person"),
    ("How do I contact customer service?", "question", "question"),
    ("I don't want to talk to a bot, give me a person", "person", "person"),
    ("I don't want to talk to a person", "question", "question"),
    ("Is there anyone I can talk to?", "person", "person"),
    ("Não quero falar com robô", "person", "person"),
    ("Quero falar com o suporte", "person", "person"),
    ("Tem alguém aí que possa me atender?", "person", "person"),
    ("Write a Python script that sorts a list", "out_of_scope", "out_of_scope"),
    ("Translate hello to French", "out_of_scope", "out_of_scope"),
    ("Me recomenda um filme", "out_of_scope", "out_of_scope"),
    ("Pode explicar melhor?", "question", "follow_up"),
    ("HTTPS", "question", "follow_up"),
]


@pytest.mark.parametrize(("text", "alone", "later"), TABLE)
def test_a_message_has_the_class_that_a_reader_gives_it(text, alone, later):
    assert classify(text, has_history=False).message_class == alone
    assert classify(text, has_history=True).message_class == later


def test_set_answers_fit_what_was_said():
    assert set_answer("Hi!", "en").startswith("Hello!")
    assert set_answer("Boa tarde", "pt-br").startswith("Olá!")
    assert set_answer("valeu, até logo", "pt-br").startswith("Até logo")
    assert set_answer("👋", "pt-br").startswith("Olá!")
    assert set_answer("how are you doing?", "en").startswith("I am well")
    assert set_answer("thanks a lot", "en").startswith("You are welcome")
    assert "knowledge base" in set_answer("Who are you?", "en")
    for each in ("/new", "/space", "/again", "/why", "/share", "/export", "/help"):
        assert f"`{each}" in set_answer("/help", "en")
        assert f"`{each}" in set_answer("/ajuda", "pt-br")


@pytest.fixture(autouse=True)
def _no_limits(settings):
    settings.ACERVO_RATE_MESSAGES = ""
    settings.ACERVO_TURN_QUEUE = 0


@pytest.fixture
def desk(teammate):
    """Somebody who edits the space has their inbox open."""
    teammate.is_staff = True
    teammate.save()
    sync_redis().zadd("acervo:handoff-here:desk", {f"{teammate.pk}|tab": time.time() + 600})
    return teammate


def begin(user, space, count=1):
    return [Conversation.objects.create(user=user, space=space) for _ in range(count)]


def send(conversation, text):
    return message_send(
        acting_user=conversation.user,
        conversation_id=conversation.pk,
        content=text,
        client_message_id=str(uuid.uuid4()),
    ).turn


def shape(conversation):
    rows = Turn.objects.filter(conversation=conversation).order_by("created_at", "pk")
    return list(rows.values_list("message_class", "dispatched_to", "status"))


SENDS = st.tuples(st.just("send"), st.integers(0, 2), st.sampled_from(sorted(TEXTS)))
NAMED = st.lists(st.integers(0, 99), min_size=1, max_size=6)
HEARS = st.tuples(st.just("hear"), NAMED, st.just(""))


@pytest.mark.django_db
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.one_of(SENDS, HEARS), min_size=2, max_size=12))
def test_however_events_arrive_each_has_its_effects_once_and_in_order(owner, space, desk, steps):
    conversations, turns = begin(owner, space, 3), []
    expected = [[], [], []]
    pending = [[], [], []]
    taken = [False, False, False]

    def hear(numbers):
        """What a batch should do: all that waits where one that waits is named, in its order."""
        named = {turns[each % len(turns)] for each in numbers}
        for number in {number for number, _pk, at in named if not expected[number][at][0]}:
            for kind, at in pending[number]:
                if taken[number]:
                    expected[number][at] = (kind, "human", "completed")
                elif kind == "out_of_scope" and at == 0:
                    taken[number] = True
                    expected[number][at] = (kind, "triage", "completed")
                else:
                    expected[number][at] = (kind, "ai", "queued")
            pending[number].clear()

    for what, given_to, kind in [*steps, ("hear", range(99), "")]:
        if what == "send":
            rows = expected[given_to]
            turns.append((given_to, send(conversations[given_to], TEXTS[kind]).pk, len(rows)))
            if taken[given_to]:
                rows.append((kind, "human", "completed"))
            else:
                rows.append(("", "", "queued"))
                pending[given_to].append((kind, len(rows) - 1))
        elif turns:
            dispatch([turns[each % len(turns)][1] for each in given_to])
            hear(given_to)
        assert [shape(each) for each in conversations] == expected
    for number, each in enumerate(conversations):
        handed = Handoff.objects.filter(conversation=each, origin=HandoffOrigin.TRIAGE)
        assert handed.count() == int(taken[number])


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_at_once_do_nothing_twice_and_keep_the_order(owner, space, desk):
    conversations = begin(owner, space, 8)
    kinds = [random.Random(n).choices(sorted(TEXTS), k=4) for n in range(8)]
    sent = [
        send(each, TEXTS[kind]).pk
        for each, wanted in zip(conversations, kinds, strict=True)
        for kind in wanted
    ]
    counted = {
        labels: metrics.dispatched.labels(*labels)._value.get()
        for labels in itertools.product(TEXTS, ("ai", "human", "triage"))
    }
    events = [pk for n, pk in enumerate(sent) for _ in range(random.Random(n).randint(1, 5))]
    random.Random(5).shuffle(events)
    failures = []

    def work(mine):
        try:
            for at in range(0, len(mine), 7):
                left = mine[at : at + 7]
                while left:
                    left = dispatch(left).busy
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(events[n::2],)) for n in (0, 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    for each, wanted in zip(conversations, kinds, strict=True):
        if wanted[0] == "out_of_scope":
            rest = [(kind, "human", "completed") for kind in wanted[1:]]
            assert shape(each) == [("out_of_scope", "triage", "completed"), *rest]
        else:
            assert shape(each) == [(kind, "ai", "queued") for kind in wanted]
    assert Handoff.objects.count() == sum(each[0] == "out_of_scope" for each in kinds)
    grown = {
        labels: metrics.dispatched.labels(*labels)._value.get() - before
        for labels, before in counted.items()
    }
    assert sum(grown.values()) == 32
    assert grown["out_of_scope", "triage"] == Handoff.objects.count()


@pytest.mark.django_db
def test_a_late_event_dispatches_what_was_said_before_and_nothing_overtakes(owner, space):
    (conversation,) = begin(owner, space)
    first, second = send(conversation, "One berth?"), send(conversation, "Two berths?")
    assert turn_claim(first.pk, agent="early") is None
    assert dispatch([second.pk, second.pk]).turns == [first.pk, second.pk]
    assert turn_claim(second.pk, agent="a") is None
    assert turn_claim(first.pk, agent="a") is not None
    assert turn_claim(second.pk, agent="b") is None
    assert dispatch([first.pk]).turns == [first.pk]
    assert Turn.objects.get(pk=first.pk).status == TurnStatus.RUNNING


@pytest.mark.django_db
def test_what_a_killed_dispatcher_had_in_hand_is_found_and_done_whole(
    owner, space, desk, monkeypatch
):
    (conversation,) = begin(owner, space)
    turn = send(conversation, TEXTS["out_of_scope"])

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(dispatcher, "handoff_open", die)
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            dispatch([turn.pk])
    assert shape(conversation) == [("", "", "queued")]
    assert turns_undispatched(5) == []
    earlier = timezone.now() - datetime.timedelta(seconds=3)
    Turn.objects.filter(pk=turn.pk).update(created_at=earlier)
    assert turns_undispatched(5) == [turn.pk]
    dispatch(turns_undispatched(5))
    assert shape(conversation) == [("out_of_scope", "triage", "completed")]
    assert Handoff.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_conversation_that_somebody_writes_in_holds_nobody_up(owner, space):
    busy, free = begin(owner, space, 2)
    turns = [send(each, "When does the ferry sail?").pk for each in (busy, free)]
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Conversation.objects.select_for_update().get(pk=busy.pk)
            held.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        found = dispatch(turns)
    finally:
        done.set()
        holder.join()
    assert (found.turns, found.busy) == ([turns[1]], [turns[0]])
    assert dispatch(found.busy).turns == [turns[0]]


@pytest.mark.django_db
def test_triage_is_for_whom_somebody_is_there_once_and_never_for_what_is_answered_again(
    owner, space, teammate, client
):
    (alone,) = begin(owner, space)
    assert dispatch([turn := send(alone, "Tell me a joke").pk]).turns == [turn]
    assert shape(alone) == [("out_of_scope", "ai", "queued")]

    teammate.is_staff = True
    teammate.save()
    sync_redis().zadd("acervo:handoff-here:desk", {f"{teammate.pk}|tab": time.time() + 600})
    (watched,) = begin(owner, space)
    turn = send(watched, "Tell me a joke")
    assert dispatch([turn.pk]).turns == []
    turn.refresh_from_db()
    assert (turn.route, turn.last_seq) == ("human", 1)
    assert "at the desk" in turn.trace["notice"]
    handoff = Handoff.objects.get(conversation=watched)
    assert (handoff.origin, handoff.reason) == ("triage", "Tell me a joke")
    client.force_login(teammate)
    assert b"Tell me a joke" in client.get("/admin/chat/handoff/list/?show=triage").content

    handoff_release(acting_user=owner, handoff_id=handoff.pk)
    again = send(watched, "Tell me a joke")
    assert dispatch([again.pk]).turns == [again.pk]
    assert shape(watched)[1:] == [("out_of_scope", "ai", "queued")]


@pytest.mark.django_db(transaction=True)
async def test_the_agent_dispatches_and_the_class_can_be_read(owner, space, client):
    (conversation,) = await in_thread(begin, owner, space)
    turn = await in_thread(send, conversation, "When does the ferry sail?")
    async with running_agent(saying("At nine.")):
        assert (await events_of(turn.pk))[-1]["type"] == "turn.completed"
    await in_thread(client.force_login, owner)
    body = (await in_thread(client.get, f"/api/v1/turns/{turn.pk}/")).json()
    assert (body["message_class"], body["dispatched_to"]) == ("question", "ai")
    assert (await turn_now(turn.pk)).message_class == "question"
