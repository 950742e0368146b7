"""Which model answers a question, and what becomes of an answer that is wanting."""

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from chat.answering import answer_turn
from chat.answering.complexity import complexity_of
from chat.answering.confidence import Confidence
from chat.answering.quality import fault_of
from chat.explaining import explained
from chat.models import Conversation, Turn
from chat.routing_shown import routing_context
from chat.types import PastMessage
from knowledge.choices import NodeStatus
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import Node, Space
from knowledge.types import RetrievedPassage
from project.aio import in_thread
from project.inference import breaker, clients
from project.inference.models import ModelEndpoint, SpaceBudget, UsageRecord
from tests.chat.conftest import events_of, running_agent, shown, turn_now
from tests.support.model_server import ModelServer

FERRY = "The ferry to Ponta Velia sails at nine every morning. Dogs travel free of charge."
GOOD = "The ferry sails at nine every morning [1]."


@pytest.mark.parametrize(
    ("question", "tier"),
    [
        ("Hello!", "simple"),
        ("When does the ferry sail?", "simple"),
        ("Quanto custa a balsa?", "simple"),
        ("Tell me about parental leave in the Lisbon office this year", "moderate"),
        ("Por que a balsa não sai aos domingos?", "moderate"),
        ("Compare the two leave policies and explain which one costs more", "complex"),
        ("Compare os dois planos e explique qual vale a pena se eu tiver dois filhos", "complex"),
    ],
)
def test_a_question_goes_to_the_tier_that_its_words_ask_for(question: str, tier: str) -> None:
    found = complexity_of(question)
    assert found.tier == tier, found.reasons


def test_history_and_what_retrieval_found_count_too() -> None:
    talk = [PastMessage("user", "When does it sail?"), PastMessage("assistant", "At nine.")] * 4
    follow_up = "And on Sundays?"
    assert "leans on a long talk" in complexity_of(follow_up, history=talk).reasons
    question = "Tell me about ferries to the islands"
    unsure, sure = Confidence(0.33, 0.3, 0.1, 0.32), Confidence(0.9, 0.9, 0.9, 0.32)
    assert complexity_of(question, confidence=unsure).points == 1
    assert complexity_of(question, confidence=sure).tier == "simple"


def passage(text: str) -> RetrievedPassage:
    one = uuid.uuid4()
    return RetrievedPassage(
        node=one, version=1, chunk=one, title="Ferry", text=text, heading_path=(), language="en",
        page=None, start=0, end=len(text), score=0.8, url="/x/",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "cited", "finish", "sure", "fault"),
    [
        (GOOD, 1, "stop", True, ""),
        ("", 0, "stop", True, "empty"),
        (GOOD, 1, "length", True, "cut"),
        ("It sails at nine, and dogs travel free.", 0, "stop", True, "no citation"),
        ("I'm sorry, but I can't help with that.", 0, "stop", True, "refusal"),
        ("Desculpe, mas não posso responder a isso.", 0, "stop", False, "refusal"),
        ("The knowledge base does not say when.", 0, "stop", True, "refusal"),
        ("The knowledge base does not say when.", 0, "stop", False, ""),
        ("A base de conhecimento não diz.", 0, "stop", False, ""),
        ("Bananas ripen faster beside apples inside closed paper bags [1].", 1, "stop", True,
         "off topic"),
    ],
)  # fmt: skip
def test_an_answer_is_wanting_when_it_does_not_do_its_work(
    answer: str, cited: int, finish: str, sure: bool, fault: str
) -> None:
    found = fault_of(
        answer,
        question="When does the ferry sail?",
        passages=[passage(FERRY)],
        cited=cited,
        finish_reason=finish,
        needs_source=True,
        is_sure=sure,
    )
    assert found == fault


@pytest.fixture(scope="module")
def running_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running_server: ModelServer) -> ModelServer:
    running_server.reset()
    breaker.forget_local()
    return running_server


@pytest.fixture
async def closed() -> Any:
    yield
    await clients.close_clients()


@pytest.fixture
def library(db: None, space: Space) -> Node:
    fields = {"title": "Ferry timetable", "content": FERRY, "checksum": "x"}
    node = Node.objects.bulk_create([Node(space=space, status=NodeStatus.PUBLISHED, **fields)])[0]
    swap(prepare_nodes([node]))
    return node


@pytest.fixture
def endpoints(db: None, server: ModelServer) -> dict[str, ModelEndpoint]:
    made = [("small", "simple", 1), ("big", "complex", 10)]
    return {
        name: ModelEndpoint.objects.create(
            name=name, model_name=name, tier=tier, input_price=price, output_price=price,
            base_url=server.base_url,
        )
        for name, tier, price in made
    }  # fmt: skip


Asked = Callable[..., Any]


@pytest.fixture
def answered(ask: Any, library: Node, endpoints: object, closed: object) -> Asked:
    async def answer(question: str = "When does the ferry sail?") -> tuple[Turn, list[Any]]:
        turn = (await in_thread(ask, question)).turn
        async with running_agent(answer_turn):
            events = await events_of(turn.pk, seconds=20)
        return await turn_now(turn.pk), events

    return answer


def spent(turn: Turn) -> list[UsageRecord]:
    return list(UsageRecord.objects.filter(turn_id=turn.pk).order_by("created_at"))


@pytest.mark.django_db(transaction=True)
async def test_an_answer_that_cites_nothing_is_replaced_once_by_a_more_capable_model(
    answered: Asked, server: ModelServer
) -> None:
    server.behave("small", answer="It sails at nine every morning, I believe.")
    server.behave("big", answer=GOOD)
    turn, events = await answered()
    assert shown(events) == events[-1]["answer"] == turn.answer.content == GOOD
    [reset] = [each for each in events if each["type"] == "answer.reset"]
    assert reset["reason"] == "escalated"
    following = events[events.index(reset) + 1]
    assert (following["type"], bool(following["notice"])) == ("turn.stage", True)
    assert server.calls == {"small": 1, "big": 1}
    calls = await in_thread(spent, turn)
    assert sum(each.cost for each in calls) == pytest.approx(turn.cost, abs=Decimal("0.000001"))
    assert turn.completion_tokens == sum(each.completion_tokens for each in calls)
    assert (turn.model, turn.is_partial) == ("big", False)
    routing = turn.trace["routing"]
    assert (routing["tier"], routing["fault"]) == ("simple", "no citation")
    assert (routing["escalation"], routing["before"]["model"]) == ("replaced", "small")
    assert "no_citations" not in turn.trace["flags"]
    shown_to_staff = routing_context(turn.trace)
    assert str(shown_to_staff["tier"]) == "Simple"
    assert (shown_to_staff["before"], str(shown_to_staff["fault"])) == ("small", "cites nothing")
    told = await in_thread(lambda: explained(turn, turn.conversation.user).remarks)
    assert told == ["A first answer was wanting: a more capable model gave this one."]


@pytest.mark.django_db(transaction=True)
async def test_a_second_answer_is_never_asked_for_a_third_time(
    answered: Asked, server: ModelServer
) -> None:
    server.behave(answer="It sails at nine every morning, I believe.")
    turn, events = await answered()
    assert server.calls == {"small": 1, "big": 1}
    assert turn.model == "big"
    assert "no_citations" in turn.trace["flags"]
    assert shown(events) == turn.answer.content


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", ["error", "empty", "reset", "budget"])
async def test_a_second_answer_that_fails_leaves_the_first_as_it_was(
    answered: Asked,
    server: ModelServer,
    conversation: Conversation,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("project.inference.failures.BACKOFF_LIMIT_SECONDS", 0.02)
    first = "It sails at nine every morning, I believe."
    server.behave("small", answer=first)
    if fault == "budget":
        prices = ModelEndpoint.objects.filter(name="big")
        await in_thread(prices.update, tier="complex", output_price=10_000)
        make = SpaceBudget.objects.create
        await in_thread(make, space_id=conversation.space_id, tokens_per_month=1700)
    elif fault == "error":
        server.behave("big", status=500)
    else:
        server.behave("big", fault=fault, answer=GOOD)
    turn, events = await answered()
    assert shown(events) == turn.answer.content == first
    assert turn.model == "small"
    assert not turn.is_partial
    assert turn.trace["routing"]["escalation"] not in {"", "replaced"}
    resets = [each["reason"] for each in events if each["type"] == "answer.reset"]
    assert resets == (["escalated", "put_back"] if fault == "reset" else [])
    if fault == "budget":
        assert server.calls["big"] == 0
        assert turn.trace["routing"]["escalation"] == "budget_used_up"


@pytest.mark.django_db(transaction=True)
async def test_who_asked_for_a_tier_gets_it_and_no_second_answer(
    answered: Asked, server: ModelServer, conversation: Conversation, settings: Settings
) -> None:
    server.behave(answer="It sails at nine every morning, I believe.")
    rows = Conversation.objects.filter(pk=conversation.pk)
    await in_thread(rows.update, model_tier="complex")
    turn, _events = await answered()
    assert server.calls == {"big": 1}
    assert (turn.trace["routing"]["asked"], turn.trace["routing"]["tier"]) == ("complex", "simple")
    settings.ACERVO_ESCALATION = False
    await in_thread(rows.update, model_tier="")
    turn, _events = await answered()
    assert server.calls == {"big": 1, "small": 1}
    assert turn.trace["routing"]["fault"] == "no citation"
