"""Streaming from a real local server, well and badly behaved."""

import asyncio
import time
import uuid
from contextlib import aclosing
from decimal import Decimal

import pytest
from pytest_django import Settings

from project.aio import in_thread
from project.inference import breaker, failures
from project.inference.language_models import (
    Finish,
    ModelInterrupted,
    ModelUnavailable,
    TextDelta,
    complete_chat,
    stream_chat,
)
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.routing import ordered
from project.inference.types import ChatMessage, UsageContext
from project.inference.usage import usage_flush
from tests.project.inference.conftest import MakeEndpoint
from tests.support.model_answers import ANSWER
from tests.support.model_server import ModelServer

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION: list[ChatMessage] = [{"role": "user", "content": "What is the leave policy?"}]
TURN = uuid.uuid4()
USAGE = UsageContext("answer", turn_id=TURN, trace_id="trace-0001")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(failures, "BACKOFF_LIMIT_SECONDS", 0.05)


async def ask(tier: str = "moderate") -> tuple[str, Finish]:
    answer = await complete_chat(QUESTION, tier=tier, usage=USAGE)
    return answer.text, answer.finish


async def text_until_it_breaks() -> tuple[str, ModelInterrupted]:
    texts: list[str] = []

    async def read() -> None:
        async for event in stream_chat(QUESTION, usage=USAGE):
            assert isinstance(event, TextDelta)
            texts.append(event.text)

    with pytest.raises(ModelInterrupted) as caught:
        await read()
    return "".join(texts), caught.value


async def rows() -> list[UsageRecord]:
    await usage_flush()
    return await in_thread(list, UsageRecord.objects.order_by("created_at"))


async def test_it_streams_the_answer_and_says_what_it_cost(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint, input_price=Decimal(3), output_price=Decimal(15))
    model_server.behave("good", token_delay=0.02)
    events = [event async for event in stream_chat(QUESTION, usage=USAGE)]
    *deltas, finish = events
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == ANSWER
    assert 2 < len(deltas) < 15  # as it comes, though not each of the 15 tokens for itself
    assert isinstance(finish, Finish)
    assert (finish.finish_reason, finish.endpoint, finish.model) == ("stop", "good", "good")
    assert (finish.usage.prompt_tokens, finish.usage.completion_tokens) == (5, 15)
    (row,) = await rows()
    assert (row.outcome, row.turn_id, row.trace_id) == ("ok", TURN, "trace-0001")
    assert row.cost == Decimal("0.00024")
    assert row.first_token_ms is not None
    assert row.first_token_ms <= row.latency_ms
    assert model_server.keys == ["Bearer sk-very-secret"]
    assert model_server.requests[0]["messages"] == QUESTION


async def test_tokens_are_estimated_when_the_server_does_not_count(
    make_endpoint: MakeEndpoint,
) -> None:
    await in_thread(make_endpoint, "no-usage")
    _text, finish = await ask()
    assert finish.usage.estimated
    assert finish.usage.completion_tokens == len(ANSWER) // 4


async def test_without_endpoints_it_says_so() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        await ask()
    assert caught.value.reason == "not_configured"


async def test_characters_split_between_packets_arrive_whole(make_endpoint: MakeEndpoint) -> None:
    await in_thread(make_endpoint, "split-utf8")
    text, _finish = await ask()
    assert text == "Coração, maçã, 日本語 e 🙂."


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("reset", "interrupted"),
        ("no-done", "interrupted"),
        ("bad-json", "malformed"),
        ("bad-json-at-once", "malformed"),
        ("bad-utf8", "malformed"),
        ("huge-line", "malformed"),
        ("error-event", "error"),
        ("hang", "timeout"),
    ],
)
async def test_a_broken_stream_keeps_its_text_and_is_not_repeated(
    model: str, reason: str, model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint, model, idle_timeout=0.3)
    await in_thread(make_endpoint, "good", weight=0)
    text, error = await text_until_it_breaks()
    assert text == "The stub model"
    assert (error.partial, error.reason) == (True, reason)
    assert error.summary.usage.completion_tokens > 0
    assert model_server.calls == {model: 1}
    (row,) = await rows()
    assert (row.outcome, row.is_estimated) == (reason, True)
    for hidden in ("127.0.0.1", "sk-very-secret", "secret-host"):
        assert hidden not in str(error) + row.error


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("slow-first-token", "timeout"),
        ("drip", "timeout"),
        ("refuse", "interrupted"),
        ("busy", "rate_limited"),
        ("error", "error"),
        ("bad-key", "rejected"),
        ("too-long", "rejected"),
        ("html", "malformed"),
    ],
)
async def test_before_the_first_token_another_endpoint_takes_over(
    model: str, reason: str, model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    # On a busy machine a quick refusal takes its time too.
    patience = 0.3 if reason == "timeout" else 10
    await in_thread(make_endpoint, model, first_token_timeout=patience)
    await in_thread(make_endpoint, "good", weight=0)
    text, finish = await ask()
    assert (text, finish.endpoint) == (ANSWER, "good")
    *failed, good = await rows()
    assert {row.outcome for row in failed} == {reason}
    assert good.outcome == "ok"


async def test_an_answer_of_no_words_is_an_answer(make_endpoint: MakeEndpoint) -> None:
    await in_thread(make_endpoint, "empty")
    text, finish = await ask()
    assert (text, finish.finish_reason) == ("", "stop")


async def test_a_passing_error_is_retried_and_a_lasting_one_is_bounded(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await in_thread(make_endpoint)
    model_server.behave("good", status=500, times=2)
    assert (await ask())[0] == ANSWER
    assert model_server.calls["good"] == 3
    model_server.reset()
    breaker.reset(str(endpoint.pk))
    model_server.behave("good", status=503)
    with pytest.raises(ModelUnavailable) as caught:
        await ask()
    assert caught.value.reason == "error"
    assert model_server.calls["good"] == 3


async def test_a_closed_port_is_refused_quickly(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint)
    model_server.refuse_connections()
    try:
        with pytest.raises(ModelUnavailable) as caught:
            await ask()
    finally:
        model_server.accept_connections()
    assert caught.value.reason == "refused"
    assert (await ask())[0] == ANSWER


async def test_a_slow_drip_ends_at_the_total_deadline(make_endpoint: MakeEndpoint) -> None:
    await in_thread(
        make_endpoint, "slow-tokens", first_token_timeout=0.5, idle_timeout=5, total_timeout=1.2
    )
    text, error = await text_until_it_breaks()
    assert text.startswith("The stub")
    assert error.reason == "timeout"


async def test_closing_the_answer_ends_the_http_stream_at_once(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await in_thread(make_endpoint, "slow-tokens")

    async def read() -> None:
        async with aclosing(stream_chat(QUESTION, usage=USAGE)) as events:
            async for _event in events:
                first.set()

    first = asyncio.Event()
    task = asyncio.create_task(read())
    await asyncio.wait_for(first.wait(), 5)
    assert model_server.open_streams == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadline = time.monotonic() + 1
    while model_server.open_streams and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert model_server.open_streams == 0
    assert model_server.disconnects == 1
    (row,) = await rows()
    assert row.outcome == "cancelled"
    assert row.completion_tokens > 0
    assert breaker.for_endpoint(endpoint).state().failures == 0


async def test_the_breaker_opens_passes_one_probe_and_recovers(
    model_server: ModelServer, make_endpoint: MakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "DEFAULT_OPEN_SECONDS", 0.3)
    endpoint = await in_thread(make_endpoint)
    model_server.behave("good", status=500)
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await ask()
    assert breaker.state(str(endpoint.pk)).state == "open"
    called = model_server.calls["good"]
    assert called == 5
    with pytest.raises(ModelUnavailable) as caught:
        await ask()
    assert caught.value.reason == "breaker_open"
    assert model_server.calls["good"] == called
    assert (await rows())[-1].outcome == "breaker_open"
    model_server.reset()
    await asyncio.sleep(0.35)
    assert (await ask())[0] == ANSWER
    assert breaker.state(str(endpoint.pk)).state == "closed"


async def test_wanted_tier_comes_first(make_endpoint: MakeEndpoint) -> None:
    for tier in ("simple", "moderate", "complex"):
        await in_thread(make_endpoint, f"for-{tier}", tier=tier)
    for tier in ("simple", "moderate", "complex"):
        _text, finish = await ask(tier)
        assert finish.endpoint == f"for-{tier}"


def test_weights_share_the_calls() -> None:
    heavy = ModelEndpoint(name="heavy", weight=90)
    light = ModelEndpoint(name="light", weight=10)
    standby = ModelEndpoint(name="standby", weight=0)
    drawn = [ordered([standby, light, heavy], "moderate") for _ in range(1000)]
    assert all(order[-1] is standby for order in drawn)
    assert 830 < sum(order[0] is heavy for order in drawn) < 960


async def test_calls_at_once_are_limited(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint, max_concurrency=2)
    model_server.behave("good", token_delay=0.01)
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, model_server.open_streams)
            await asyncio.sleep(0.002)

    watcher = asyncio.create_task(watch())
    answers = await asyncio.gather(*(ask() for _ in range(6)))
    watcher.cancel()
    assert [text for text, _finish in answers] == [ANSWER] * 6
    assert most == 2


async def test_calls_a_minute_are_limited(make_endpoint: MakeEndpoint) -> None:
    await in_thread(make_endpoint, requests_per_minute=2)
    await ask()
    await ask()
    with pytest.raises(ModelUnavailable) as caught:
        await ask()
    assert caught.value.reason == "rate_limited"


async def test_a_server_that_wants_other_parameters_is_understood(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint)
    model_server.behave("good", refuses=("max_tokens", "temperature"))
    assert (await ask())[0] == ANSWER
    assert (await ask())[0] == ANSWER
    assert [sorted(request) for request in model_server.requests[-1:]] == [
        ["max_completion_tokens", "messages", "model", "stream", "stream_options"]
    ]
    assert model_server.calls["good"] == 4


async def test_fifty_answers_at_once(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint)
    model_server.behave("good", token_delay=0.01)
    answers = await asyncio.gather(*(ask() for _ in range(50)))
    assert {text for text, _finish in answers} == {ANSWER}
    assert [row.outcome for row in await rows()] == ["ok"] * 50


async def test_a_full_endpoint_leaves_the_call_to_another_of_its_tier(
    model_server: ModelServer, make_endpoint: MakeEndpoint
) -> None:
    await in_thread(make_endpoint, "one", max_concurrency=1)
    await in_thread(make_endpoint, "two", max_concurrency=1)
    model_server.behave(token_delay=0.02)
    await asyncio.gather(ask(), ask())
    assert model_server.calls == {"one": 1, "two": 1}


async def test_a_silent_endpoint_is_raced_and_only_the_faster_is_shown(
    model_server: ModelServer, make_endpoint: MakeEndpoint, settings: Settings
) -> None:
    settings.ACERVO_HEDGE_MS = 40
    for name in ("mute", "quick"):
        await in_thread(make_endpoint, name, weight=0 if name == "quick" else 100)
    model_server.behave("mute", first_token_delay=30, answer="Late.")
    text, finish = await ask()
    assert (text, finish.model) == (ANSWER, "quick")
    lost, won = sorted(await rows(), key=lambda row: row.outcome)
    assert (lost.model, lost.outcome, won.outcome) == ("mute", "cancelled", "ok")
    assert lost.prompt_tokens > 0  # it was read, and may be billed
    assert lost.completion_tokens == 0
    assert model_server.open_streams == 0 or model_server.disconnects == 1
    model_server.reset()
    text, finish = await ask()  # quick enough: nobody else is asked
    assert (finish.model, model_server.calls) == ("mute", {"mute": 1})


async def test_a_race_that_the_second_cannot_run_is_won_by_the_first(
    model_server: ModelServer, make_endpoint: MakeEndpoint, settings: Settings
) -> None:
    settings.ACERVO_HEDGE_MS = 20
    await in_thread(make_endpoint, "slow")
    await in_thread(make_endpoint, "broken", weight=0)
    model_server.behave("slow", first_token_delay=0.2)
    model_server.behave("broken", status=500)
    text, finish = await ask()
    assert (text, finish.model) == (ANSWER, "slow")
    assert [row.outcome for row in await rows()].count("ok") == 1
