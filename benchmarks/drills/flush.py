"""Valkey emptied in mid-answer and under load: everything is stored, readers end with exactly it.

Queues, event streams and turn logs go with it: what was in them must be found in Postgres.
"""

import asyncio
import sys
import uuid
from typing import Any

import httpx

from benchmarks.drills.acts import Row, Verdict, ask, gaps, polled, resumed, sse, told, turn_ended
from benchmarks.drills.ledger import Clients, Ledger
from benchmarks.drills.reckoning import settle
from benchmarks.drills.stage import Installation
from tests.support.model_server import ModelServer

ANSWER = " ".join(f"word{number}" for number in range(60)) + "."
TOKEN_DELAY = 0.1
FLUSHES = 10
FLUSH_AFTER = {"before the first token": 0.1, "in the middle": 3.0, "near the end": 5.5}


def main() -> int:
    """Run the drill."""
    verdict = Verdict("FLUSHALL in mid-answer")
    with ModelServer() as model:
        model.behave(answer=ANSWER, first_token_delay=0.5, token_delay=TOKEN_DELAY)
        environment = {
            "ACERVO_LLM_BASE_URL": model.base_url,
            "ACERVO_LLM_API_KEY": "stub",
            "ACERVO_LLM_MODEL": "stub",
        }
        with Installation(**environment) as acervo, acervo.client() as http:
            node = {"title": "Harbour", "content": "It opens at six.", "status": "published"}
            http.post("/api/v1/nodes/", json=node).raise_for_status()
            redis_url = acervo.redis_url()
            for name, seconds in FLUSH_AFTER.items():
                made = http.post("/api/v1/conversations/", json={}).json()["id"]
                answer = asyncio.run(_round(acervo, verdict, made, name, seconds, redis_url))
                path = f"/api/v1/conversations/{made}/messages/"
                rows = http.get(path).json()["results"]
                shown = [each["content"] for each in rows if each["role"] == "assistant"]
                verdict.check(f"{name}: the refreshed page has it", shown == [answer])
            model.behave(answer="All is well.")
            turn = turn_ended(http, ask(http, "When does the harbour open?")["turn"]["id"])
            verdict.check("a chat afterwards works", turn["status"] == "completed", turn["status"])
            ledger = Ledger(acervo.data / "ledger.jsonl")
            strange = asyncio.run(_under_load(acervo, ledger, redis_url))
            verdict.check("no error under load", not strange and not ledger.errors, strange)
            settle(http, ledger, verdict)
    return verdict.finish()


async def _under_load(acervo: Installation, ledger: Ledger, redis_url: str) -> list[str]:
    """Empty Valkey ten times while clients work."""
    import redis

    valkey = redis.Redis.from_url(redis_url)
    async with acervo.async_client(seconds=40) as http:
        clients = Clients(http, ledger, seed=9)
        load = asyncio.create_task(clients.run(writers=3, uploaders=2, askers=4))
        for _ in range(FLUSHES):
            await asyncio.sleep(2.0)
            await asyncio.to_thread(valkey.flushall)
        clients.stop()
        await asyncio.wait_for(load, 120)
        valkey.flushall()
        valkey.close()
        return clients.strange


async def _round(
    acervo: Installation,
    verdict: Verdict,
    conversation: str,
    name: str,
    seconds: float,
    redis_url: str,
) -> str:
    import redis

    path = f"/ws/chat/{conversation}/"
    async with acervo.async_client(seconds=120) as client, acervo.socket(path) as socket:
        body = {"content": "When does the harbour open?", "client_message_id": uuid.uuid4().hex}
        sent = await client.post(f"/api/v1/conversations/{conversation}/messages/", json=body)
        turn = sent.json()["turn"]["id"]
        readers: dict[str, asyncio.Task[list[Row]]] = {
            "socket": asyncio.create_task(resumed(socket, turn)),
            "SSE": asyncio.create_task(sse(client, turn)),
            "poll": asyncio.create_task(polled(client, turn)),
        }
        leaver = asyncio.create_task(sse(client, turn, most=4 if seconds > 1 else 1))
        await asyncio.sleep(seconds)
        valkey = redis.Redis.from_url(redis_url)
        valkey.flushall()
        valkey.close()
        seen = {each: await task for each, task in readers.items()}
        early = await leaver
        row = (await client.get(f"/api/v1/turns/{turn}/")).json()
        answer = row["answer"]
        verdict.check(f"{name}: the answer is stored", answer == ANSWER, row["status"])
        for reader, events in seen.items():
            _check_reader(verdict, f"{name}, {reader}", events, answer, 0)
        await _late_readers(client, verdict, name, turn, answer, early)
    return str(answer)


async def _late_readers(
    client: httpx.AsyncClient,
    verdict: Verdict,
    name: str,
    turn: str,
    answer: str,
    early: list[Row],
) -> None:
    whole = await sse(client, turn)
    _check_reader(verdict, f"{name}, who comes afterwards", whole, answer, 0)
    after = early[-1]["seq"]
    rest = await sse(client, turn, after=after)
    _check_reader(verdict, f"{name}, who left at {after} and is back", early + rest, answer, 0)
    more = await polled(client, turn, after=whole[-1]["seq"])
    # The numbers of a stored answer may be lower than the log's were: then it is told once more.
    held = told([*whole, *more]) == answer
    verdict.check(f"{name}: asking behind the end changes nothing", held, len(more))


def _check_reader(verdict: Verdict, name: str, events: list[Row], answer: Any, after: int) -> None:
    holes = gaps(events, after)
    held = told(events) == answer and not holes and events[-1]["type"] == "turn.completed"
    seen = f"{len(events)} events, gaps {holes}, {[e['type'] for e in events[-2:]]}"
    seen += "" if told(events) == answer else f", told {told(events)!r}"
    verdict.check(f"{name}: no gap, and the answer", held, seen)


if __name__ == "__main__":
    sys.exit(main())
