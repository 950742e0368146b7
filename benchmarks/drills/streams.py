"""WebSocket, SSE and long poll from any number, during and after an answer; frames gone wrong."""

import asyncio
import contextlib
import json
import random
import re
import sys
import time
import uuid
from typing import Any

import httpx
import websockets

from benchmarks.drills.acts import Row, Verdict, gaps, polled, resumed, sse, told, turn_ended
from benchmarks.drills.stage import Installation
from tests.support.model_server import ModelServer

ANSWER = " ".join(f"word{number}" for number in range(50)) + "."
TOO_BIG = 70_000


def main() -> int:
    """Run the drill."""
    verdict = Verdict("Streams")
    with ModelServer() as model:
        model.behave(answer=ANSWER, token_delay=0.08)
        environment = {
            "ACERVO_LLM_BASE_URL": model.base_url,
            "ACERVO_LLM_API_KEY": "stub",
            "ACERVO_LLM_MODEL": "stub",
            "ACERVO_WEB_PROCESSES": "2",
        }
        with Installation(**environment) as acervo, acervo.client() as http:
            node = {"title": "Harbour", "content": "It opens at six.", "status": "published"}
            http.post("/api/v1/nodes/", json=node).raise_for_status()
            made = http.post("/api/v1/conversations/", json={}).json()["id"]
            asyncio.run(_any_number(acervo, http, verdict, made))
            asyncio.run(_stops(acervo, http, verdict, made, model))
            model.behave(answer="Yes.")
            asyncio.run(_frames(acervo, verdict, made))
            token = http.post("/api/v1/ws-tokens/", json={}).json()["token"]
            asyncio.run(_doors(acervo, verdict, made, token))
            faults = acervo.log_lines("Traceback", "socket_failed", "request_failed", "token=")
            verdict.check("no fault of ours in the log", not faults, faults[:3])
    return verdict.finish()


async def _send(client: httpx.AsyncClient, conversation: str) -> str:
    body = {"content": "When does it open?", "client_message_id": uuid.uuid4().hex}
    answer = await client.post(f"/api/v1/conversations/{conversation}/messages/", json=body)
    return str(answer.json()["turn"]["id"])


async def _any_number(
    acervo: Installation, http: httpx.Client, verdict: Verdict, conversation: str
) -> None:
    chance = random.Random(5)
    path = f"/ws/chat/{conversation}/"
    async with acervo.async_client(seconds=120) as client:
        turn = await _send(client, conversation)
        whole = asyncio.create_task(sse(client, turn))
        await asyncio.sleep(2.0)
        during = [(chance.choice("wsp"), chance.randint(0, 15)) for _ in range(12)]
        tasks = [asyncio.create_task(_read(acervo, client, path, turn, *each)) for each in during]
        events = await whole
        answer = turn_ended(http, turn)["answer"]
        verdict.check("the whole stream is the answer", told(events) == answer == ANSWER)
        verdict.check("numbers 1, 2, 3 …", not gaps(events), f"{len(events)} events")
        last = len(events)
        _compare(verdict, "during the answer", events, during, [await each for each in tasks])
        after = [(kind, number) for kind in "wsp" for number in (0, 1, last // 2, last - 1)]
        found = [await _read(acervo, client, path, turn, *each) for each in after]
        _compare(verdict, "after the answer", events, after, found)
        for kind in "sp":
            none = await _read(acervo, client, path, turn, kind, last)
            verdict.check(f"{_NAMES[kind]} behind the last number: nothing", not none, none[:2])
        _bad_numbers(http, verdict, turn)


_NAMES = {"w": "socket", "s": "SSE", "p": "poll"}


async def _read(
    acervo: Installation, client: httpx.AsyncClient, path: str, turn: str, kind: str, after: int
) -> list[Row]:
    if kind == "s":
        return await sse(client, turn, after)
    if kind == "p":
        return await polled(client, turn, after)
    async with acervo.socket(path) as socket:
        return await resumed(socket, turn, after)


def _compare(
    verdict: Verdict,
    when: str,
    whole: list[Row],
    asked: list[tuple[str, int]],
    found: list[list[Row]],
) -> None:
    wrong = [
        f"{_NAMES[kind]} after {after}: {len(events)} events, {gaps(events, after)}"
        for (kind, after), events in zip(asked, found, strict=True)
        if events != whole[after:]
    ]
    verdict.check(f"{when}: {len(asked)} readers see the same", not wrong, wrong)


def _bad_numbers(http: httpx.Client, verdict: Verdict, turn: str) -> None:
    statuses = set()
    for number in ("-1", "x", "1e3", "9" * 40, "1.5"):
        for path in ("events", "poll"):
            address = f"/api/v1/turns/{turn}/{path}/?after={number}&wait=0"
            statuses.add(http.get(address).status_code)
    verdict.check("numbers that are none are 400", statuses == {400}, statuses)


async def _stops(
    acervo: Installation,
    http: httpx.Client,
    verdict: Verdict,
    conversation: str,
    model: ModelServer,
) -> None:
    async with (
        acervo.async_client(seconds=60) as client,
        acervo.socket(f"/ws/chat/{conversation}/") as socket,
    ):
        for way in ("REST", "socket"):
            turn = await _send(client, conversation)
            reader = asyncio.create_task(sse(client, turn))
            await asyncio.sleep(2.0)
            began = time.monotonic()
            if way == "REST":
                await client.post(f"/api/v1/turns/{turn}/stop/", json={})
            else:
                await socket.send(json.dumps({"type": "turn.stop", "turn": turn}))
            events = await reader
            took = time.monotonic() - began
            row = turn_ended(http, turn)
            text = told(events)
            kept = row["status"] == "stopped" and row["answer"] == text and text
            whole = text and ANSWER.startswith(text) and text != ANSWER
            verdict.check(f"stop by {way}: what was shown is kept", kept and whole, row["status"])
            verdict.check(f"stop by {way}: soon", took < 3, f"{took:.2f} s")
            verdict.check(f"stop by {way}: the last event", events[-1]["type"] == "turn.stopped")
            await asyncio.sleep(1)
            verdict.check(f"stop by {way}: the model is let go", not model.open_streams)
            again = await client.post(f"/api/v1/turns/{turn}/stop/", json={})
            verdict.check(f"stop by {way}: twice is fine", again.status_code == 202, again.text)


async def _frames(acervo: Installation, verdict: Verdict, conversation: str) -> None:
    path = f"/ws/chat/{conversation}/"
    good = {"type": "message.send", "client_message_id": "a"}
    other = str(uuid.uuid4())
    frames = {
        "no JSON": "{",
        "a list": "[]",
        "no type": "{}",
        "type of a wrong type": '{"type": 7}',
        "an unknown type": '{"type": "dance"}',
        "a deep frame": '{"type": ' + "[" * 20_000,
        "no content": json.dumps(good),
        "a content of a wrong type": json.dumps(good | {"content": ["x"]}),
        "an empty content": json.dumps(good | {"content": "  "}),
        "a content too long": json.dumps(good | {"content": "x" * 5000}),
        "a content with NUL": json.dumps(good | {"content": "a\x00b"}),
        "half a surrogate pair": json.dumps(good | {"content": "\ud800"}),
        "half a pair as the id": json.dumps(good | {"content": "a", "client_message_id": "\ud800"}),
        "half a pair as the turn": json.dumps({"type": "turn.stop", "turn": "\ud800"}),
        "a parent of elsewhere": json.dumps(good | {"content": "a", "parent": other}),
        "a parent that is no id": json.dumps(good | {"content": "a", "parent": 7}),
        "a turn of elsewhere": json.dumps({"type": "turn.resume", "turn": other, "after": 0}),
        "a turn that is no id": json.dumps({"type": "turn.stop", "turn": "x"}),
        "a number below 0": json.dumps({"type": "turn.resume", "turn": other, "after": -1}),
        "a number without end": '{"type": "turn.resume", "after": ' + "9" * 5000 + "}",
    }
    async with acervo.socket(path) as socket:
        for name, frame in frames.items():
            event = await _answer_to(socket, frame)
            held = event["type"] == "error" and event["code"] and event["message"]
            held = held and event["code"] != "internal"
            verdict.check(f"{name}: an error, and the socket stays", held, event)
        pong = await _answer_to(socket, '{"type": "ping"}')
        verdict.check("ping: pong", pong["type"] == "pong", pong)
        sent = json.dumps(good | {"content": "Is it open?", "client_message_id": uuid.uuid4().hex})
        accepted = await _answer_to(socket, sent)
        verdict.check("it still takes a question", accepted["type"] == "message.accepted")
    for name, frame, code in (
        ("a frame too big", json.dumps(good | {"content": "x" * TOO_BIG}), 1009),
        ("a frame far too big", "x" * 20_000_000, 1009),
        ("a binary frame", b"\x00\x01", 1003),
    ):
        closed = await _close_of(acervo, path, [frame])
        verdict.check(f"{name}: closed with {code}", closed == code, closed)
    closed = await _close_of(acervo, path, ['{"type": "ping"}'] * 300)
    verdict.check("a flood: closed with 4429", closed == 4429, closed)


async def _answer_to(socket: Any, frame: str) -> Row:
    try:
        await socket.send(frame)
        async with asyncio.timeout(15):
            return dict(json.loads(await socket.recv()))
    except websockets.ConnectionClosed as error:
        return {"type": "closed", "code": str(error), "message": ""}


async def _close_of(acervo: Installation, path: str, frames: list[Any]) -> int | None:
    async with acervo.socket(path) as socket:
        try:
            for frame in frames:
                await socket.send(frame)
            async with asyncio.timeout(15):
                while True:
                    await socket.recv()
        except websockets.ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else None


async def _doors(acervo: Installation, verdict: Verdict, conversation: str, token: str) -> None:
    base = f"ws://127.0.0.1:{acervo.port}"
    path = f"/ws/chat/{conversation}/"
    cookie = await asyncio.to_thread(_signed_in, acervo)
    signed_in = {"Cookie": f"acervo_session={cookie}"}
    cases: tuple[tuple[str, str, dict[str, str], object], ...] = (
        ("nobody", path, {}, 4401),
        ("a token that is none", f"{path}?token=x", {}, 4401),
        ("a token that was changed", f"{path}?token={token}x", {}, 4401),
        ("a conversation that is none", f"/ws/chat/{uuid.uuid4()}/?token={token}", {}, 4403),
        ("no id", f"/ws/chat/abc/?token={token}", {}, 4403),
        ("a job that is none", f"/ws/jobs/{uuid.uuid4()}/?token={token}", {}, 4403),
        ("nobody at a job", f"/ws/jobs/{uuid.uuid4()}/", {}, 4401),
        ("a token", f"{path}?token={token}", {}, "pong"),
        ("a session", path, signed_in, "pong"),
        ("a page of elsewhere", path, signed_in | {"Origin": "https://evil.example"}, "refused"),
        ("a page of ours", path, signed_in | {"Origin": acervo.url}, "pong"),
        ("no such socket", "/ws/nothing/", {}, "refused"),
    )
    for name, where, headers, wanted in cases:
        seen = await _knock(base + where, headers)
        verdict.check(f"{name}: {wanted}", seen == wanted, seen)


async def _knock(address: str, headers: dict[str, str]) -> object:
    try:
        async with websockets.connect(address, proxy=None, additional_headers=headers) as socket:
            await socket.send('{"type": "ping"}')
            async with asyncio.timeout(15):
                answer = json.loads(await socket.recv())["type"]
            with contextlib.suppress(TimeoutError):  # a refusal may come after the first answer
                await asyncio.wait_for(socket.recv(), 1.5)
            return answer
    except websockets.ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None
    except websockets.InvalidStatus:
        return "refused"


def _signed_in(acervo: Installation) -> str:
    """Sign in by the page, as a person does; return the session."""
    with httpx.Client(base_url=acervo.url, follow_redirects=True) as browser:
        page = browser.get("/c/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        form = {"username": "admin", "password": acervo.password}
        form["csrfmiddlewaretoken"] = found.group(1) if found else ""
        browser.post(page.url, data=form, headers={"Referer": str(page.url)})
        return browser.cookies.get("acervo_session", "")


if __name__ == "__main__":
    sys.exit(main())
