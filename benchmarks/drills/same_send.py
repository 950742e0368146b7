"""The same `client_message_id` twenty times at once: one message, one turn, equal answers."""

import asyncio
import json
import sys
import uuid
from typing import Any

import httpx

from benchmarks.drills.acts import FINAL, Verdict, everything, turn_ended
from benchmarks.drills.stage import Installation

ROUNDS = 5
AT_ONCE = 20


def main() -> int:
    """Run the drill."""
    verdict = Verdict(f"The same send {AT_ONCE} times at once, {ROUNDS} rounds")
    with Installation(ACERVO_WEB_PROCESSES="2") as acervo:
        for number in range(ROUNDS):
            way = ("http", "http with Idempotency-Key", "sockets")[number % 3]
            asyncio.run(_round(acervo, verdict, way))
        with acervo.client() as http:
            _other_text(http, verdict)
    return verdict.finish()


async def _round(acervo: Installation, verdict: Verdict, way: str) -> None:
    client_id = uuid.uuid4().hex
    body = {"content": "What do we know?", "client_message_id": client_id}
    async with acervo.async_client() as http:
        conversation = (await http.post("/api/v1/conversations/", json={})).json()["id"]
        path = f"/api/v1/conversations/{conversation}/messages/"
        if way == "sockets":
            sends = [_by_socket(acervo, conversation, body) for _ in range(AT_ONCE)]
        else:
            headers = {"Idempotency-Key": client_id} if "Key" in way else {}
            sends = [_by_http(http, path, body, headers) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*sends)
    statuses = {status for status, _ in answers}
    messages = {answer["message"]["id"] for _, answer in answers if "message" in answer}
    turns = {answer["turn"]["id"] for _, answer in answers if "turn" in answer}
    texts = {json.dumps(answer["message"], sort_keys=True) for _, answer in answers}
    verdict.check(f"{way}: every send is accepted", statuses == {202}, statuses)
    verdict.check(f"{way}: one message, one turn", len(messages) == len(turns) == 1)
    # The turn in the answers moves on between them; the stored message may gain its turn's status.
    same = {_without_progress(text) for text in texts}
    verdict.check(f"{way}: equal messages", len(same) == 1, same if len(same) > 1 else "")
    with acervo.client() as http:
        turn = turn_ended(http, turns.pop())
        verdict.check(f"{way}: the turn ends", turn["status"] in FINAL, turn["status"])
        rows = everything(http, f"/api/v1/conversations/{conversation}/messages/")
        asked = [each for each in rows if each["role"] == "user"]
        verdict.check(f"{way}: one question is stored", len(asked) == 1, len(asked))
        verdict.check(f"{way}: one answer at most", len(rows) <= 2, len(rows))


async def _by_http(
    http: httpx.AsyncClient, path: str, body: dict[str, str], headers: dict[str, str]
) -> tuple[int, Any]:
    answer = await http.post(path, json=body, headers=headers)
    return answer.status_code, answer.json()


async def _by_socket(
    acervo: Installation, conversation: str, body: dict[str, str]
) -> tuple[int, Any]:
    async with acervo.socket(f"/ws/chat/{conversation}/") as socket:
        await socket.send(json.dumps({"type": "message.send", **body}))
        async with asyncio.timeout(30):
            async for raw in socket:
                event = json.loads(raw)
                if event["type"] == "message.accepted":
                    return 202, event
                if event["type"] == "error":
                    return 500, event
    return 0, {}


def _without_progress(text: str) -> str:
    message = json.loads(text)
    message.pop("turn_status")
    return json.dumps(message, sort_keys=True)


def _other_text(http: httpx.Client, verdict: Verdict) -> None:
    conversation = http.post("/api/v1/conversations/", json={}).json()["id"]
    path = f"/api/v1/conversations/{conversation}/messages/"
    http.post(path, json={"content": "One.", "client_message_id": "same"})
    answer = http.post(path, json={"content": "Two.", "client_message_id": "same"})
    verdict.check("the same id for another text is a 409", answer.status_code == 409, answer.text)


if __name__ == "__main__":
    sys.exit(main())
