"""The people of the chat benchmarks, in a process of their own.

Reads one command a line as JSON, answers each with one line:

    {"do": "open", "url", "origin", "clients": [[conversation, cookie], ...], "a_second"}
    {"do": "load", "rate", "seconds"}     ask so many questions a second, wait for the answers
    {"do": "storm", "patience"}           wait until every connection has been lost and is back
    {"do": "churn", "share"}              close a share of the connections; they come back
    {"do": "close"}
"""

import asyncio
import contextlib
import json
import random
import re
import resource
import statistics
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

BASE_WAIT, LONGEST_WAIT = 1.0, 30.0  # as in socket.js
OPENING = 8.0
ANSWER_WITHIN = 60.0
PING_EVERY = 30.0
TOPICS = ("ferry", "berth", "tide", "ticket", "refund", "pilot", "crane", "customs", "radio")
_EVENT = re.compile(r'\{"type":"([a-z._]+)","turn":"([0-9a-f-]{36})","seq":(\d+)')
FINAL = {"turn.completed", "turn.failed", "turn.stopped"}


@dataclass(slots=True)
class Question:
    """What became of one question; times in seconds."""

    sent: float
    accepted: float | None = None
    first_event: float | None = None
    first_token: float | None = None
    ended: float | None = None
    fault: str = ""
    last_seq: int = 0
    has_gap: bool = False
    texts: list[str] = field(default_factory=list)


class Client:
    """One person with one tab: a connection that comes back, and the questions asked on it."""

    def __init__(self, url: str, origin: str, conversation: str, cookie: str) -> None:
        self._address = f"{url}/ws/chat/{conversation}/"
        self._headers = {"Cookie": cookie, "Origin": origin}
        self._connection: ClientConnection | None = None
        self._by_id: dict[str, Question] = {}
        self._by_turn: dict[str, Question] = {}
        self.is_open = asyncio.Event()
        self.lost = 0
        self.refused = 0
        self.codes: dict[str, int] = {}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                async with asyncio.timeout(OPENING):
                    self._connection = await connect(
                        self._address,
                        additional_headers=self._headers,
                        compression=None,
                        max_size=None,
                        ping_interval=None,
                        open_timeout=None,
                        close_timeout=2,
                        proxy=None,
                    )
                    # As in the browser: a line counts once something has come over it.
                    await self._connection.send('{"type":"ping"}')
                    await self._connection.recv()
            except (OSError, TimeoutError, websockets.WebSocketException):
                self.refused += 1
            else:
                tries = 0
                self.is_open.set()
                for turn, question in self._by_turn.items():
                    await self._send(type="turn.resume", turn=turn, after=question.last_seq)
                await self._listen(self._connection)
                self.is_open.clear()
                self.lost += 1
            tries += 1
            await asyncio.sleep(random.uniform(0, min(LONGEST_WAIT, BASE_WAIT * 2**tries)))

    async def _listen(self, connection: ClientConnection) -> None:
        pinging = asyncio.create_task(self._ping(connection))
        try:
            with contextlib.suppress(websockets.ConnectionClosed):  # its code is counted below
                async for raw in connection:
                    self._take(str(raw))
        finally:
            pinging.cancel()
            code = str(connection.close_code)
            self.codes[code] = self.codes.get(code, 0) + 1

    async def _ping(self, connection: ClientConnection) -> None:
        await asyncio.sleep(random.uniform(0, PING_EVERY))
        while True:
            await connection.send('{"type":"ping"}')
            await asyncio.sleep(PING_EVERY)

    async def _send(self, **message: Any) -> None:
        assert self._connection is not None
        # The listener notices a loss, and what was not accepted counts as not answered.
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._connection.send(json.dumps(message))

    async def ask(self) -> Question:
        """Ask, and return at once what will be filled in."""
        question, name = Question(time.perf_counter()), str(uuid.uuid4())
        if not self.is_open.is_set():
            question.fault = "not connected"
            return question
        self._by_id[name] = question
        text = f"When does the {random.choice(TOPICS)} service number {random.randrange(300)} run?"
        await self._send(type="message.send", client_message_id=name, content=text)
        return question

    def _take(self, raw: str) -> None:
        event = _EVENT.match(raw)
        if event is None:
            self._take_other(json.loads(raw))
            return
        kind, turn, seq = event[1], event[2], int(event[3])
        question = self._by_turn.get(turn)
        if question is None or seq <= question.last_seq:
            return
        now = time.perf_counter()
        question.has_gap = question.has_gap or (
            seq != question.last_seq + 1 and kind != "answer.reset"
        )
        question.last_seq = seq
        question.first_event = question.first_event or now
        if kind == "answer.delta":
            question.first_token = question.first_token or now
            question.texts.append(json.loads(raw)["text"])
        elif kind == "answer.reset":
            question.texts.clear()
        elif kind in FINAL:
            del self._by_turn[turn]
            question.ended = now
            if kind != "turn.completed":
                question.fault = kind
            elif json.loads(raw)["answer"] != "".join(question.texts):
                question.fault = "the text differs"

    def _take_other(self, message: dict[str, Any]) -> None:
        if message["type"] == "message.accepted":
            question = self._by_id.pop(message["client_message_id"])
            question.accepted = time.perf_counter()
            self._by_turn[message["turn"]["id"]] = question
        elif message["type"] == "error":
            waiting = self._by_id.pop(message.get("client_message_id", ""), None)
            if waiting is not None:
                waiting.fault = str(message["code"])

    async def drop(self) -> None:
        """Lose the connection without a word."""
        if self._connection is not None:
            self._connection.transport.abort()


class Crowd:
    """All of them."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self._next = 0

    async def open(self, url: str, origin: str, clients: list[list[str]], a_second: float) -> Any:
        """Connect everybody, so many a second."""
        began, before = time.perf_counter(), self._refused()
        for number, (conversation, cookie) in enumerate(clients):
            self.clients.append(Client(url, origin, conversation, cookie))
            await asyncio.sleep(max(0.0, began + number / a_second - time.perf_counter()))
        await asyncio.gather(*(each.is_open.wait() for each in self.clients))
        return {"seconds": time.perf_counter() - began, "refused": self._refused() - before}

    def _refused(self) -> int:
        return sum(each.refused for each in self.clients)

    async def load(self, rate: float, seconds: float, *, spare_lost: bool = False) -> Any:
        """Ask at an even pace, whether answers come or not; then wait for those that are due.

        Who has no connection just then cannot ask, which is an error, or with `spare_lost` the turn
        of the next one.
        """
        asked: list[Question] = []
        began = time.perf_counter()
        while (due := began + len(asked) / rate) < began + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(await self._turn(spare_lost=spare_lost).ask())
        for _ in range(int(ANSWER_WITHIN / 0.1)):
            if all(question.ended or question.fault for question in asked):
                break
            await asyncio.sleep(0.1)
        return _summary(asked, time.perf_counter() - began)

    def _turn(self, *, spare_lost: bool) -> Client:
        for _ in self.clients:
            client = self.clients[self._next % len(self.clients)]
            self._next += 1
            if client.is_open.is_set() or not spare_lost:
                break
        return client

    async def storm(self, patience: float) -> Any:
        """Wait until each has lost its connection and has another."""
        began, before = time.perf_counter(), {each: each.lost for each in self.clients}
        refused, back = self._refused(), 0.0
        times: list[float] = []
        waiting = set(self.clients)
        while waiting and time.perf_counter() - began < patience:
            await asyncio.sleep(0.02)
            now = {each for each in waiting if each.lost > before[each] and each.is_open.is_set()}
            waiting -= now
            back = time.perf_counter() - began
            times += [back] * len(now)
        half = statistics.median(times) if times else None
        return {
            "seconds": back,
            "half": half,
            "missing": len(waiting),
            "refused": self._refused() - refused,
        }

    async def churn(self, share: float) -> Any:
        """Have some lose their connections."""
        chosen = random.sample(self.clients, max(1, int(len(self.clients) * share)))
        for each in chosen:
            await each.drop()
        return {"dropped": len(chosen)}

    async def close(self) -> Any:
        """Go away."""
        for each in self.clients:
            each.task.cancel()
        await asyncio.gather(*(each.task for each in self.clients), return_exceptions=True)
        await asyncio.gather(*(each.drop() for each in self.clients))
        codes: dict[str, int] = {}
        for each in self.clients:
            for code, count in each.codes.items():
                codes[code] = codes.get(code, 0) + count
        return {"codes": codes}


def _summary(asked: list[Question], seconds: float) -> dict[str, Any]:
    faults: dict[str, int] = {}
    for question in asked:
        fault = question.fault or ("" if question.ended else "no answer")
        if fault:
            faults[fault] = faults.get(fault, 0) + 1
    times = {
        name: [
            (at - question.sent) * 1000
            for question in asked
            if (at := getattr(question, name)) is not None
        ]
        for name in ("accepted", "first_event", "first_token", "ended")
    }
    gaps = sum(question.has_gap for question in asked)
    return {"asked": len(asked), "seconds": seconds, "faults": faults, "gaps": gaps, "times": times}


async def main() -> None:
    """Obey until the input ends."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd()
    reader = asyncio.StreamReader(limit=16 * 1024 * 1024)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        result = await getattr(crowd, command.pop("do"))(**command)
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
