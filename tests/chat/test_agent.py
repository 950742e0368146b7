"""The agent answers what is queued, once, whoever dies and whatever is away."""

import asyncio
import datetime
import itertools

import pytest
from django.db import OperationalError
from django.utils import timezone

from chat import turn_runner
from chat.choices import TurnStatus
from chat.claiming import turn_claim
from chat.dispatching.dispatcher import dispatch
from chat.finishing import LeaseLost, turn_finish
from chat.models import Message, Turn
from chat.services import conversation_delete, turn_stop
from chat.turn_runner import TurnRunner
from chat.turns import MAX_ATTEMPTS, turns_waiting
from chat.types import AnswerCitation, AnswerDelta, AnswerDraft
from project.aio import in_thread, redis_client
from project.events.models import Event
from tests.chat.conftest import (
    WORDS,
    events_of,
    running_agent,
    saying,
    shown,
    turn_now,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)
ANSWER = "".join(WORDS)


async def _is(turn_id: object, status: TurnStatus) -> bool:
    return await in_thread(Turn.objects.filter(pk=turn_id, status=status).exists)


async def _has_text(turn_id: object, count: int = 3) -> bool:
    return await (await redis_client()).xlen(f"turn:{turn_id}") >= count


def _lease_runs_out(turn_id: object) -> None:
    Turn.objects.filter(pk=turn_id).update(
        lease_until=timezone.now() - datetime.timedelta(seconds=1)
    )


async def test_a_question_is_answered_stored_and_announced(ask):
    sent = await in_thread(ask)
    async with running_agent(saying(*WORDS)):
        events = await events_of(sent.turn.pk)
    assert [each["type"] for each in events if each["type"] != "answer.delta"] == [
        "turn.started",
        "turn.stage",
        "answer.block",
        "turn.completed",
    ]
    final = events[-1]
    assert final["answer"] == shown(events) == ANSWER
    assert final["message"]["parent"] == str(sent.message.pk)
    assert final["message"]["turn"] == str(sent.turn.pk)
    turn = await turn_now(sent.turn.pk)
    assert turn.status == TurnStatus.COMPLETED
    assert turn.last_seq == final["seq"] == len(events)
    assert turn.answer.content == ANSWER
    assert {"queued", "first_event", "first_token", "total"} <= set(turn.timings)
    event = await in_thread(Event.objects.get, type="chat.turn.completed")
    assert event.subject_id == turn.pk
    assert event.trace_id == turn.trace_id
    assert set(event.payload) == {"turn", "conversation", "question", "answer"}


async def test_many_turns_are_answered_at_once_and_those_of_a_conversation_in_order(ask):
    sent = [await in_thread(ask) for _ in range(4)]
    async with running_agent(saying(*WORDS)):
        for each in sent:
            assert (await events_of(each.turn.pk))[-1]["type"] == "turn.completed"
    turns = [await turn_now(each.turn.pk) for each in sent]
    for earlier, later in itertools.pairwise(turns):
        assert earlier.finished_at < later.started_at


@pytest.mark.parametrize(
    ("question", "chosen", "expected"),
    [
        ("Quando sai a balsa?", "", "pt-br"),
        ("When does the ferry sail?", "", "en"),
        ("Wann fährt die Fähre ab?", "", "en"),
        ("When does the ferry sail?", "pt-br", "pt-br"),
    ],
)
async def test_a_turn_speaks_the_chosen_language_or_else_that_of_the_question(
    ask, owner, question, chosen, expected
):
    owner.language = chosen
    await in_thread(owner.save)
    sent = await in_thread(ask, question)
    await in_thread(dispatch, [sent.turn.pk])
    claim = await in_thread(turn_claim, sent.turn.pk, agent="any")
    assert claim.request.language == expected


async def test_two_agents_share_the_work_without_doing_any_twice(ask, owner, space):
    from chat.services import conversation_create, message_send

    def start(number: int) -> Turn:
        made = conversation_create(acting_user=owner, space=space.pk)
        return message_send(
            acting_user=owner,
            conversation_id=made.pk,
            content=f"Question {number}",
            client_message_id="1",
        ).turn

    async with running_agent(saying(*WORDS)), running_agent(saying(*WORDS)):
        turns = [await in_thread(start, number) for number in range(12)]
        for turn in turns:
            await events_of(turn.pk)
    rows = await in_thread(lambda: list(Turn.objects.values_list("status", "attempts")))
    assert rows == [("completed", 1)] * 12
    assert await in_thread(Message.objects.filter(role="assistant").count) == 12


async def test_a_flushed_redis_leaves_no_question_waiting(ask):
    sent = await in_thread(ask)
    await (await redis_client()).flushdb()
    async with running_agent(saying(*WORDS)):
        events = await events_of(sent.turn.pk)
    assert events[-1]["answer"] == ANSWER


async def test_a_dead_agents_turn_is_taken_over_when_its_lease_runs_out(ask):
    turn = (await in_thread(ask)).turn
    never = asyncio.Event()
    await in_thread(dispatch, [turn.pk])
    claim = await in_thread(turn_claim, turn.pk, agent="doomed")
    dying = asyncio.create_task(TurnRunner(claim, saying("Half an", " answer", hold=never)).run())
    reader = asyncio.create_task(events_of(turn.pk))
    await until(lambda: _has_text(turn.pk))
    dying.cancel()  # nothing of it is written any more
    assert await in_thread(turns_waiting, 5) == []
    await in_thread(_lease_runs_out, turn.pk)
    async with running_agent(saying(*WORDS)):
        events = await reader
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    reset = next(n for n, each in enumerate(events) if each["type"] == "answer.reset")
    assert shown(events[:reset]) == "Half an"
    assert shown(events) == events[-1]["answer"] == ANSWER
    assert (await turn_now(turn.pk)).attempts == 2


async def test_an_agent_that_lost_its_lease_stores_and_says_nothing(ask):
    turn = (await in_thread(ask)).turn
    hold = asyncio.Event()
    await in_thread(dispatch, [turn.pk])
    claim = await in_thread(turn_claim, turn.pk, agent="slow")
    slow = asyncio.create_task(TurnRunner(claim, saying("Too", " late", hold=hold)).run())
    await until(lambda: _has_text(turn.pk))
    await in_thread(_lease_runs_out, turn.pk)
    async with running_agent(saying(*WORDS)):
        await events_of(turn.pk)
        hold.set()
        await slow
    with pytest.raises(LeaseLost):
        await in_thread(
            turn_finish,
            claim,
            AnswerDraft(text="Too late"),
            turn_runner.Ending(TurnStatus.COMPLETED),
            last_seq=99,
        )
    stored = await turn_now(turn.pk)
    assert stored.answer.content == ANSWER
    assert await in_thread(Message.objects.filter(role="assistant").count) == 1
    assert shown(await events_of(turn.pk)) == ANSWER


async def test_a_turn_on_which_agents_keep_dying_fails_with_a_reason(ask):
    turn = (await in_thread(ask)).turn
    await in_thread(
        Turn.objects.filter(pk=turn.pk).update,
        status=TurnStatus.RUNNING,
        attempts=MAX_ATTEMPTS,
        lease_until=timezone.now() - datetime.timedelta(seconds=1),
    )
    async with running_agent(saying(*WORDS)):
        events = await events_of(turn.pk)
    assert events[-1]["type"] == "turn.failed"
    assert events[-1]["code"] == "gave_up"
    assert await _is(turn.pk, TurnStatus.FAILED)


async def test_a_stop_keeps_what_there_is_and_comes_within_a_second(ask, owner):
    turn = (await in_thread(ask)).turn
    never = asyncio.Event()
    async with running_agent(saying("Half", " and more", hold=never)):
        await until(lambda: _has_text(turn.pk))
        await in_thread(turn_stop, acting_user=owner, turn_id=turn.pk)
        events = await events_of(turn.pk, seconds=1.5)
    assert events[-1]["type"] == "turn.stopped"
    assert events[-1]["answer"] == shown(events) == "Half"
    stored = await turn_now(turn.pk)
    assert (stored.status, stored.answer.content) == (TurnStatus.STOPPED, "Half")


async def test_a_stop_is_found_in_the_row_when_redis_forgot_it(ask, settings):
    settings.ACERVO_TURN_LEASE = 2
    turn = (await in_thread(ask)).turn
    async with running_agent(saying("Half", " and more", hold=asyncio.Event())):
        await until(lambda: _has_text(turn.pk))
        await in_thread(Turn.objects.filter(pk=turn.pk).update, stop_requested_at=timezone.now())
        await until(lambda: _is(turn.pk, TurnStatus.STOPPED))
    stored = await turn_now(turn.pk)
    assert (stored.status, stored.answer.content) == (TurnStatus.STOPPED, "Half")


async def test_a_stopping_agent_hands_its_turns_back(ask, monkeypatch):
    monkeypatch.setattr("chat.agent.FINISH_SECONDS", 0.05)
    turn = (await in_thread(ask)).turn
    reader = asyncio.create_task(events_of(turn.pk))
    async with running_agent(saying("Half", " and more", hold=asyncio.Event())):
        await until(lambda: _has_text(turn.pk))
    handed_back = await turn_now(turn.pk)
    assert (handed_back.status, handed_back.attempts) == (TurnStatus.QUEUED, 0)
    async with running_agent(saying(*WORDS)):
        events = await reader
    assert "answer.reset" in [each["type"] for each in events]
    assert shown(events) == events[-1]["answer"] == ANSWER


async def test_a_fault_in_mid_answer_keeps_the_text_and_says_so(ask):
    turn = (await in_thread(ask)).turn
    async with running_agent(saying(*WORDS, error=RuntimeError("bug"))):
        final = (await events_of(turn.pk))[-1]
    assert final["type"] == "turn.completed"
    assert final["partial"] is True
    assert "incomplete" in final["notice"]
    assert final["answer"] == ANSWER


async def test_a_fault_before_any_text_fails_the_turn(ask):
    turn = (await in_thread(ask)).turn
    async with running_agent(saying(error=RuntimeError("secret detail"))):
        final = (await events_of(turn.pk))[-1]
    assert (final["type"], final["code"]) == ("turn.failed", "internal")
    assert "secret" not in final["message"]


async def test_an_answer_that_takes_too_long_is_ended(ask, settings):
    settings.ACERVO_TURN_TIMEOUT = 0.2
    turn = (await in_thread(ask)).turn
    async with running_agent(saying("Half", " more", hold=asyncio.Event())):
        final = (await events_of(turn.pk))[-1]
    assert (final["type"], final["partial"], final["answer"]) == ("turn.completed", True, "Half")


async def test_a_database_that_is_away_while_answering_means_another_try(ask):
    turn = (await in_thread(ask)).turn
    attempts = []

    def answerer(request, draft):
        attempts.append(1)
        error = OperationalError("server closed the connection") if len(attempts) == 1 else None
        return saying(*WORDS, error=error)(request, draft)

    async with running_agent(answerer):
        events = await events_of(turn.pk)
    assert events[-1]["answer"] == shown(events) == ANSWER
    assert (await turn_now(turn.pk)).attempts == 2


async def test_an_answer_waits_for_the_database_to_be_stored(ask, monkeypatch):
    turn = (await in_thread(ask)).turn
    real, failures = turn_runner.turn_finish, []

    def flaky(*args, **kwargs):
        if len(failures) < 2:
            failures.append(1)
            raise OperationalError
        return real(*args, **kwargs)

    monkeypatch.setattr(turn_runner, "turn_finish", flaky)
    async with running_agent(saying(*WORDS)):
        assert (await events_of(turn.pk))[-1]["answer"] == ANSWER


async def test_an_answer_in_a_deleted_conversation_goes_nowhere(ask, owner, conversation):
    turn = (await in_thread(ask)).turn
    async with running_agent(saying("Half", " more", hold=asyncio.Event())):
        await until(lambda: _has_text(turn.pk))
        await in_thread(conversation_delete, acting_user=owner, conversation=conversation)
        async with asyncio.timeout(5):
            assert await events_of(turn.pk) == []
    assert not await in_thread(Message.objects.exists)


async def test_a_cited_node_that_is_deleted_meanwhile_does_not_lose_the_answer(ask):
    turn = (await in_thread(ask)).turn
    gone = "00000000-0000-4000-8000-000000000001"

    async def citing(request, draft):
        yield AnswerCitation(1, gone, 3, gone, "Title", "Snippet", 0, 9, None, "/x")
        yield AnswerDelta("Nine [1].", 0)

    async with running_agent(citing):
        final = (await events_of(turn.pk))[-1]
    assert final["answer"] == "Nine [1]."
    assert final["citations"][0]["node"] is None
    assert final["citations"][0]["title"] == "Title"
