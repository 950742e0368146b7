"""The log of a turn: numbered without gaps, one writer, readable from anywhere."""

import asyncio
import uuid

import pytest
import redis.asyncio
from asgiref.sync import async_to_sync
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.models import Turn
from chat.turn_log import TurnLog, entries, follow, shipping, writer
from chat.turn_log.hub import BLOCK_MS, QUEUE_LIMIT, hub
from chat.turn_log.shipping import shipper
from chat.types import AnswerDelta, AnswerReset, TurnStage, TurnStarted
from project.aio import in_thread, redis_client
from project.pacing import gather_seconds, seconds_to_tick, trip_seconds
from tests.chat.conftest import events_of, logged, running_agent, saying, shown, turn_now, until

pytestmark = pytest.mark.django_db(transaction=True)


async def _open(turn_id: uuid.UUID, name: str = "one", **known: int | bool) -> TurnLog:
    log = TurnLog(turn_id, writer=name)
    await log.open(**{"known_seq": 0, "is_retry": False, **known})  # type: ignore[arg-type]
    return log


async def _raw(turn_id: uuid.UUID) -> list[tuple[str, dict[str, str]]]:
    return await (await redis_client()).xrange(f"turn:{turn_id}")


async def test_the_first_text_goes_out_at_once_and_the_rest_is_gathered():
    turn_id = uuid.uuid4()
    log = await _open(turn_id)
    log.put(TurnStarted("ai", "m"))
    for number in range(20):
        log.put(AnswerDelta(f"{number} ", 0))
    log.put(AnswerDelta("next block", 1))
    await log.close(is_finished=True)
    rows = await _raw(turn_id)
    assert [entry_id for entry_id, _fields in rows] == [f"{n}-0" for n in range(1, len(rows) + 1)]
    texts = [fields["e"] for _id, fields in rows[1:]]
    assert '"text":"0 "' in texts[0]
    assert '"text":"1 2 3 4 5 6 7 8 "' in texts[1]
    assert '"block":1' in texts[-1]
    assert 0 < await (await redis_client()).ttl(f"turn:{turn_id}") <= entries.TTL_FINISHED


def test_the_more_streams_a_process_has_the_longer_text_is_gathered():
    assert [gather_seconds(streams) for streams in (0, 1, 6)] == [0.05, 0.05, 0.05]
    assert gather_seconds(12) == pytest.approx(0.1)
    assert gather_seconds(24) == gather_seconds(500) == pytest.approx(0.2)
    assert [trip_seconds(streams) for streams in (0, 1, 2, 6)] == [0, 0, 0.01, 0.03]
    assert trip_seconds(14) == 0.03
    assert trip_seconds(24) == trip_seconds(500) == pytest.approx(0.05)


@given(st.integers(0, 100), st.floats(0, 1e6))
def test_all_streams_of_a_process_are_looked_at_at_the_same_moments(streams: int, now: float):
    wait = seconds_to_tick(streams, now)
    assert 0 < wait <= 0.2
    steps = (now + wait) / 0.05  # of which busier processes take every second, third or fourth
    assert steps == pytest.approx(round(steps), abs=1e-3)


async def test_a_second_writer_fences_out_the_first():
    turn_id = uuid.uuid4()
    old = await _open(turn_id, "old")
    for number in range(3):
        old.put(TurnStage(str(number)))
    await until(lambda: _has(turn_id, 3))
    new = await _open(turn_id, "new", is_retry=True)
    new.put(AnswerReset("restarted"))
    await until(lambda: _has(turn_id, 4))
    for number in range(3):  # a batch: none of it may slip in behind the refused entry
        old.put(TurnStage(f"zombie {number}"))
    async with asyncio.timeout(5):
        await old.lost.wait()
    new.put(TurnStage("goes on"))
    await new.close(is_finished=True)
    assert not new.lost.is_set()
    assert [fields["w"] for _id, fields in await _raw(turn_id)] == ["old"] * 3 + ["new"] * 2
    await old.close(is_finished=False)


async def _has(turn_id: uuid.UUID, count: int) -> bool:
    return await (await redis_client()).xlen(f"turn:{turn_id}") == count


async def test_an_entry_whose_answer_was_lost_is_known_as_its_own():
    turn_id = uuid.uuid4()
    log = await _open(turn_id)
    first, second = (entries.encode(turn_id, n, {"type": "turn.stage"}) for n in (1, 2))
    assert await shipper()._send([(log, [first])]) == [0]
    assert await shipper()._send([(log, [first, second])]) == [0]
    assert await _has(turn_id, 2)
    other = await _open(turn_id, "another")
    assert await shipper()._send([(other, [second])]) == [2]


async def test_a_log_that_vanished_with_its_agent_is_taken_up_far_behind():
    log = await _open(uuid.uuid4(), known_seq=0, is_retry=True)
    assert log.seal() == writer.JUMP
    await log.close(is_finished=False)
    log = await _open(uuid.uuid4(), known_seq=7)
    assert log.seal() == 7
    await log.close(is_finished=False)


async def test_events_wait_for_a_redis_that_is_away(monkeypatch):
    turn_id = uuid.uuid4()
    away = redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", retry=None)
    real = shipping.redis_client

    async def gone() -> redis.asyncio.Redis:
        return away

    log = await _open(turn_id)
    monkeypatch.setattr(shipping, "redis_client", gone)
    log.put(TurnStage("one"))
    await asyncio.sleep(0.1)
    log.put(TurnStage("two"))
    assert not await _has(turn_id, 1)
    monkeypatch.setattr(shipping, "redis_client", real)
    await until(lambda: _has(turn_id, 2))
    await log.close(is_finished=True)


async def test_many_readers_join_at_any_time_and_all_see_everything(ask):
    turn = (await in_thread(ask)).turn
    hold = asyncio.Event()
    words = [f"{n} " for n in range(60)]
    early = asyncio.create_task(events_of(turn.pk))
    async with running_agent(saying(*words, pause=0.003, hold=hold)):
        await asyncio.sleep(0.1)
        late = [asyncio.create_task(events_of(turn.pk)) for _ in range(10)]
        await asyncio.sleep(0.05)
        hold.set()
        results = await asyncio.gather(early, *late)
    for events in results:
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events == results[0]
        assert shown(events) == events[-1]["answer"] == "".join(words).rstrip() + " "


async def test_a_slow_reader_loses_nothing(ask):
    turn_id = (await in_thread(ask)).turn.pk
    log = await _open(turn_id)
    reader = hub().join(turn_id, 0)
    total = QUEUE_LIMIT + 250
    for number in range(total):
        log.put(TurnStage(str(number)))
    await until(lambda: _has(turn_id, total))
    await asyncio.sleep(0.3)  # the hub fills the queue and leaves it
    seen = []
    while len(seen) < total:
        event = await reader.next(5)
        assert event is not None
        seen.append(event.seq)
    assert seen == list(range(1, total + 1))
    reader.close()
    await log.close(is_finished=True)


async def test_who_joins_while_a_quiet_log_is_waited_for_is_served_at_once():
    quiet = hub().join(uuid.uuid4(), 0)
    await until(lambda: _is_waiting())
    turn_id = uuid.uuid4()
    log = await _open(turn_id)
    reader = hub().join(turn_id, 0)
    log.put(TurnStage("here"))
    event = await reader.next(BLOCK_MS / 1000 * 0.7)  # the read that is under way takes longer
    assert event is not None
    assert event.seq == 1
    quiet.close()
    reader.close()
    await log.close(is_finished=True)


async def test_a_cut_connection_is_made_again_and_nothing_is_lost():
    turn_id = uuid.uuid4()
    log = await _open(turn_id)
    reader = hub().join(turn_id, 0)
    log.put(TurnStage("before"))
    first = await reader.next(5)
    await until(lambda: _is_waiting())
    client = await redis_client()
    for each in await client.client_list():
        if each["cmd"] == "xread":
            await client.client_kill_filter(_id=each["id"])
    log.put(TurnStage("after"))
    second = await reader.next(5)
    assert [each.seq for each in (first, second) if each is not None] == [1, 2]
    reader.close()
    await log.close(is_finished=True)


async def _is_waiting() -> bool:
    """Whether a read waits in the server."""
    clients = await (await redis_client()).client_list()
    return any(each["cmd"] == "xread" and "b" in each["flags"] for each in clients)


@pytest.fixture
def finished(ask) -> Turn:
    """A turn that was answered, with its log whole."""
    turn = ask().turn

    async def answer() -> Turn:
        async with running_agent(saying("The ", "ferry\n\n", "sails ", "at ", "nine.", pause=0.06)):
            await events_of(turn.pk)
        return await turn_now(turn.pk)

    return async_to_sync(answer)()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 30), is_lost=st.booleans(), second=st.integers(0, 12))
def test_resuming_at_every_cut_gives_the_stored_answer(finished, cut, is_lost, second):
    """Cut anywhere, resume, also when the log is lost; cut that again: the text is the answer."""
    finished.save()

    async def check() -> None:
        whole = await events_of(finished.pk)
        start = min(cut, len(whole))
        text = shown(whole[:start])
        if is_lost:
            rest = await _without_log(finished.pk, start)
            assert rest or start == len(whole)
            if 0 < second < len(rest):
                rest = rest[:second] + await _without_log(finished.pk, start + second)
        else:
            rest = await events_of(finished.pk, start)
        assert [each["seq"] for each in rest] == list(range(start + 1, start + 1 + len(rest)))
        if start < len(whole):
            assert rest[-1]["type"] == "turn.completed"
            assert rest[-1]["answer"] == finished.answer.content
        assert shown(rest, text) == finished.answer.content

    async_to_sync(check)()


async def _without_log(turn_id: uuid.UUID, after: int) -> list[dict]:
    client = await redis_client()
    name, aside = f"turn:{turn_id}", f"aside:{turn_id}"
    await client.rename(name, aside)
    await in_thread(Turn.objects.filter(pk=turn_id).update, finished_at="2026-01-01T00:00:00Z")
    try:
        return await events_of(turn_id, after)
    finally:
        await client.rename(aside, name)


async def test_a_reader_that_has_seen_everything_gets_nothing(finished):
    assert await events_of(finished.pk, finished.last_seq) == []
    assert await events_of(finished.pk, 10_000) == []
    assert await events_of(uuid.uuid4()) == []


async def test_a_flush_in_mid_answer_costs_no_text(ask):
    turn = (await in_thread(ask)).turn
    hold = asyncio.Event()
    async with running_agent(saying("One ", "two ", "three.", hold=hold)):
        early = asyncio.create_task(events_of(turn.pk))
        await until(lambda: _begun(turn.pk))
        await asyncio.sleep(0.1)
        await (await redis_client()).flushdb()
        late = asyncio.create_task(events_of(turn.pk))
        await asyncio.sleep(0.1)
        hold.set()
        events, resumed = await asyncio.gather(early, late)
    stored = await turn_now(turn.pk)
    assert stored.answer.content == "One two three."
    for each in (events, resumed):
        assert [event["seq"] for event in each] == list(range(1, len(each) + 1))
        assert shown(each) == each[-1]["answer"] == "One two three."


async def _begun(turn_id: uuid.UUID) -> bool:
    return await (await redis_client()).xlen(f"turn:{turn_id}") >= 3


async def test_leaving_a_stream_leaves_no_reader_behind(ask):
    turn = (await in_thread(ask)).turn
    stream = follow(turn.pk)
    waiting = asyncio.create_task(anext(stream))
    async with asyncio.timeout(10):
        while f"turn:{turn.pk}" not in hub()._cursors:
            await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await stream.aclose()
    assert f"turn:{turn.pk}" not in hub()._cursors
    assert await logged(uuid.uuid4()) == []
