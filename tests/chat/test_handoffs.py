"""Handing a conversation to a person: who may, in which order, and what the AI does meanwhile."""

import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from chat.choices import HandoffOrigin, HandoffStatus, TurnRoute, TurnStatus
from chat.handoff.states import TRANSITIONS, Step
from chat.handoff.wording import asks_for_person
from chat.models import Handoff, Message, Turn
from chat.services import (
    conversation_create,
    handoff_answer,
    handoff_assign,
    handoff_close,
    handoff_release,
    handoff_request,
    handoff_requeue,
    message_regenerate,
    message_send,
)
from knowledge.models import Space
from project.accounts.choices import Role
from project.events.models import Event
from project.http.errors import Conflict, NotFound
from tests.chat.conftest import WORDS, running_agent, saying, turn_now, until
from tests.conftest import grant, make_user

STEPS = {
    Step.ASSIGN: handoff_assign,
    Step.REQUEUE: handoff_requeue,
    Step.RELEASE: handoff_release,
    Step.CLOSE: handoff_close,
}


@pytest.fixture
def operator(teammate):
    teammate.is_staff = True
    teammate.first_name, teammate.last_name = "Ana", "Reis"
    teammate.save()
    return teammate


@pytest.fixture
def handoff(conversation, operator):
    return handoff_request(acting_user=conversation.user, conversation_id=conversation.pk).handoff


@pytest.mark.parametrize(
    "text",
    [
        "talk to a person",
        "Can I speak with a real human, please?",
        "falar com um atendente",
        "Olá, quero falar com uma pessoa de verdade!",
        "I need an agent",
        "Me transfere para um atendente humano",
    ],
)
def test_it_hears_that_a_person_is_wanted(text):
    assert asks_for_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "What do we do when a person is overboard?",
        "não quero falar com um atendente",
        "I don't want to talk to a person",
        "How do I talk to a person with hearing loss?",
        "Quem é o operador da usina?",
        "operator manual",
    ],
)
def test_questions_about_people_are_questions(text):
    assert not asks_for_person(text)


@pytest.mark.django_db
@pytest.mark.parametrize("status", list(HandoffStatus))
@pytest.mark.parametrize("step", list(STEPS))
def test_every_step_goes_as_the_table_says_and_no_other(handoff, operator, status, step):
    ended = None if status in {"waiting", "active"} else handoff.requested_at
    holder = operator if status == HandoffStatus.ACTIVE else None
    Handoff.objects.filter(pk=handoff.pk).update(
        status=status, ended_at=ended, operator=holder, assigned_at=handoff.requested_at
    )
    wanted = TRANSITIONS.get((status, step))
    if wanted is None:
        with pytest.raises(Conflict) as refused:
            STEPS[step](acting_user=operator, handoff_id=handoff.pk)
        assert refused.value.code == "wrong_status"
        wanted = status
    else:
        STEPS[step](acting_user=operator, handoff_id=handoff.pk)
    handoff.refresh_from_db()
    assert handoff.status == wanted
    assert handoff.is_open == (handoff.ended_at is None)


@pytest.mark.django_db
def test_a_conversation_has_one_open_handoff(handoff, conversation):
    again = handoff_request(acting_user=conversation.user, conversation_id=conversation.pk)
    assert (again.handoff, again.is_new) == (handoff, False)
    with pytest.raises(IntegrityError), transaction.atomic():
        Handoff.objects.create(
            conversation=conversation, space=handoff.space, queue="en", origin="api"
        )


@pytest.mark.django_db
def test_words_open_a_handoff_and_what_follows_goes_to_people(ask, operator):
    first = ask("Talk to a person please")
    handoff = Handoff.objects.get()
    assert (handoff.origin, handoff.status, handoff.queue) == ("words", "waiting", "en")
    assert (first.turn.route, first.turn.status) == (TurnRoute.HUMAN, TurnStatus.COMPLETED)
    assert "asked for a person" in first.turn.trace["notice"]
    second = ask("My ticket is lost")
    assert (second.turn.route, second.turn.status) == (TurnRoute.HUMAN, TurnStatus.COMPLETED)
    assert not Turn.objects.claimable().exists()
    told = Event.objects.filter(type__startswith="chat.").values_list("type", flat=True)
    assert sorted(told) == ["chat.handoff.requested", *["chat.message.received"] * 2]
    handoff_release(acting_user=first.turn.conversation.user, handoff_id=handoff.pk)
    assert ask("And now?").turn.status == TurnStatus.QUEUED


@pytest.mark.django_db
def test_who_would_wait_for_nobody_is_told_so(ask, conversation, api):
    sent = ask("I want to talk to a human")
    assert not Handoff.objects.exists()
    assert sent.turn.status == TurnStatus.COMPLETED
    assert "in vain" in sent.turn.trace["notice"]
    answer = api.post(f"/api/v1/conversations/{conversation.pk}/handoff/", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_operator")
    assert ask("A question").turn.status == TurnStatus.QUEUED


@pytest.mark.django_db
def test_a_conversation_about_all_goes_to_a_space_where_somebody_is(owner, space, operator):
    Space.objects.create(name="Empty", slug="empty", visibility="public", is_default=True)
    about_all = conversation_create(acting_user=owner)
    made = handoff_request(
        acting_user=owner,
        conversation_id=about_all.pk,
        reason="Ajuda, por favor, não sei o que fazer",
    )
    assert made.handoff.space == space
    assert made.handoff.queue == "pt-br"
    message = Message.objects.get(conversation=about_all)
    assert message.content == made.handoff.reason


@pytest.mark.django_db
def test_strangers_and_readers_neither_see_nor_take_a_handoff(
    handoff, space, stranger, stranger_api
):
    reader = make_user("reader", is_staff=True)
    grant(space, reader, Role.READER)
    for person in (stranger, reader):
        assert not Handoff.objects.visible_to(person).exists()
        for step in STEPS.values():
            with pytest.raises(NotFound):
                step(acting_user=person, handoff_id=handoff.pk)
        with pytest.raises(NotFound):
            handoff_answer(
                acting_user=person, handoff_id=handoff.pk, content="Hi", client_message_id="1"
            )
    assert stranger_api.get("/api/v1/handoffs/").json()["results"] == []
    for path in ("", "messages/"):
        assert stranger_api.get(f"/api/v1/handoffs/{handoff.pk}/{path}").status_code == 404
    for path in (
        f"handoffs/{handoff.pk}/assign/",
        f"conversations/{handoff.conversation_id}/handoff/",
    ):
        assert stranger_api.post(f"/api/v1/{path}", {}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_two_operators_at_once_one_has_it(handoff, operator, admin_user):
    outcomes, barrier = [], threading.Barrier(2)

    def take(person) -> None:
        barrier.wait()
        try:
            outcomes.append(handoff_assign(acting_user=person, handoff_id=handoff.pk).operator)
        except Conflict as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=(each,)) for each in (operator, admin_user)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    handoff.refresh_from_db()
    assert sorted(map(str, outcomes)) == sorted([str(handoff.operator), "already_assigned"])
    assert Event.objects.filter(type="chat.handoff.assigned").count() == 1


@pytest.mark.django_db
def test_only_who_has_it_answers_and_others_must_take_over(handoff, operator, admin_user):
    def answer(person, **extra):
        return handoff_answer(
            acting_user=person,
            handoff_id=handoff.pk,
            content="Hello",
            client_message_id=str(uuid.uuid4()),
            **extra,
        )

    with pytest.raises(Conflict, match="take it first"):
        answer(operator)
    handoff_assign(acting_user=operator, handoff_id=handoff.pk)
    with pytest.raises(Conflict) as refused:
        answer(admin_user)
    assert refused.value.code == "not_assigned"
    with pytest.raises(Conflict) as refused:
        handoff_close(acting_user=admin_user, handoff_id=handoff.pk)
    assert refused.value.code == "not_assigned"
    handoff_assign(acting_user=admin_user, handoff_id=handoff.pk, take_over=True)
    assert answer(admin_user).author_name == "admin"


@pytest.mark.django_db
def test_an_answer_is_stored_once_and_shown_by_name(ask, handoff, operator, api, teammate_api):
    ask("My ticket is lost")
    handoff_assign(acting_user=operator, handoff_id=handoff.pk)
    path = f"/api/v1/handoffs/{handoff.pk}/messages/"
    body = {"content": "I am looking.", "client_message_id": "one"}
    first, second = teammate_api.post(path, body), teammate_api.post(path, body)
    assert (first.status_code, first.json()["id"]) == (201, second.json()["id"])
    assert teammate_api.post(path, {**body, "content": "Else"}).status_code == 409
    listed = api.get(f"/api/v1/conversations/{handoff.conversation_id}/messages/").json()["results"]
    assert listed[0]["author"] == {"name": "Ana Reis"}
    assert (listed[0]["role"], listed[0]["turn_status"]) == ("assistant", "completed")
    turn = Turn.objects.get(answer=listed[0]["id"])
    assert (turn.route, turn.question.content) == (TurnRoute.HUMAN, "My ticket is lost")
    handoff.refresh_from_db()
    assert handoff.answered_at is not None


@pytest.mark.django_db
def test_operators_read_nothing_from_after_the_handoff(ask, handoff, operator, teammate_api):
    ask("Before")
    handoff_close_path = f"/api/v1/handoffs/{handoff.pk}/close/"
    assert teammate_api.post(handoff_close_path, {}).json()["status"] == "closed"
    ask("Mine alone")
    rows = teammate_api.get(f"/api/v1/handoffs/{handoff.pk}/messages/").json()["results"]
    assert [row["content"] for row in rows] == ["Before", "I would like to talk to a person."]


@pytest.mark.django_db
def test_nothing_is_answered_again_by_the_ai_meanwhile(ask, conversation, operator):
    sent = ask()
    opened = handoff_request(acting_user=conversation.user, conversation_id=conversation.pk)
    sent.turn.refresh_from_db()
    assert sent.turn.status == TurnStatus.STOPPED
    with pytest.raises(Conflict) as refused:
        message_regenerate(acting_user=conversation.user, message=sent.message)
    assert refused.value.code == "handoff_open"
    assert not Turn.objects.claimable().exists()
    assert opened.handoff.origin == HandoffOrigin.BUTTON


@pytest.mark.django_db(transaction=True)
async def test_an_agent_says_nothing_while_people_answer(ask, conversation, operator):
    from project.aio import in_thread

    def begin():
        handoff = handoff_request(
            acting_user=conversation.user, conversation_id=conversation.pk
        ).handoff
        sent = [ask("One"), ask("Two")]
        handoff_release(acting_user=conversation.user, handoff_id=handoff.pk)
        return [each.turn.pk for each in sent], ask("Three").turn.pk

    async with running_agent(saying(*WORDS)):
        held, released = await in_thread(begin)

        async def is_answered():
            return (await turn_now(released)).status == TurnStatus.COMPLETED

        await until(is_answered)
    answers = [(await turn_now(each)).answer for each in held]
    assert answers == [None, None]
    assert (await turn_now(released)).answer.content == "".join(WORDS)


@pytest.mark.django_db
def test_the_person_may_go_back_to_the_ai_but_not_close(handoff, conversation, api):
    path = f"/api/v1/conversations/{conversation.pk}/handoff/"
    assert api.get(path).json()["status"] == "waiting"
    conversation.user.groups.clear()
    with pytest.raises(NotFound):
        handoff_close(acting_user=conversation.user, handoff_id=handoff.pk)
    assert api.post(f"{path}release/", {}).json()["status"] == "released"
    assert api.post(f"{path}release/", {}).json()["error"]["code"] == "wrong_status"
    beside = path.replace("handoff/", "release/")
    assert api.post(beside, {}).json()["error"]["code"] == "wrong_status"


@pytest.mark.django_db
def test_messages_of_a_handoff_belong_to_its_conversation_only(owner, operator, handoff, ask):
    other = conversation_create(acting_user=owner)
    sent = message_send(
        acting_user=owner, conversation_id=other.pk, content="Else", client_message_id="x"
    )
    assert sent.turn.status == TurnStatus.QUEUED
