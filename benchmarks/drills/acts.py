"""What clients do, what they wait for, and the table of the verdict."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from benchmarks.stage import table

FINAL = {"completed", "failed", "stopped"}
FINAL_EVENTS = {"turn.completed", "turn.failed", "turn.stopped"}
JOB_FINAL = {"completed", "failed", "cancelled"}
T = TypeVar("T")
Row = dict[str, Any]


def until(seconds: float, look: Callable[[], T | None], every: float = 0.2) -> T | None:
    """Return the first truthy answer of `look`, or None after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found or None
        time.sleep(every)


def turn_ended(http: httpx.Client, turn: str, seconds: float = 60) -> Row:
    """Wait for the end of a turn and return it as it is then (it may not have ended)."""

    def look() -> Row | None:
        row: Row = http.get(f"/api/v1/turns/{turn}/").json()
        return row if row["status"] in FINAL else None

    return until(seconds, look) or dict(http.get(f"/api/v1/turns/{turn}/").json())


def job_ended(http: httpx.Client, job: str, seconds: float = 120) -> Row:
    """Wait for the end of a job and return it as it is then."""

    def look() -> Row | None:
        row: Row = http.get(f"/api/v1/jobs/{job}/").json()
        return row if row["status"] in JOB_FINAL else None

    return until(seconds, look) or dict(http.get(f"/api/v1/jobs/{job}/").json())


def ask(http: httpx.Client, question: str, conversation: str | None = None) -> Row:
    """Send a question, in a new conversation where none is named; `{"message", "turn"}`."""
    if conversation is None:
        conversation = http.post("/api/v1/conversations/", json={}).json()["id"]
    body = {"content": question, "client_message_id": uuid.uuid4().hex}
    answer = http.post(f"/api/v1/conversations/{conversation}/messages/", json=body)
    answer.raise_for_status()
    return dict(answer.json())


def everything(http: httpx.Client, path: str, limit: int = 200) -> list[Row]:
    """Return the rows of all pages of a list."""
    rows: list[Row] = []
    address: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    while address:
        page = http.get(address).json()
        rows += page["results"]
        address = page["next"]
    return rows


def told(events: list[Row]) -> str:
    """Return the text that a reader of these events is looking at."""
    text = ""
    for event in events:
        if event["type"] == "answer.delta":
            text += event["text"]
        elif event["type"] == "answer.reset":
            text = ""
    return text


def gaps(events: list[Row], after: int = 0) -> list[int]:
    """Return the numbers at which the events do not follow each other by one."""
    wanted = range(after + 1, after + 1 + len(events))
    return [event["seq"] for event, seq in zip(events, wanted, strict=True) if event["seq"] != seq]


async def sse(http: httpx.AsyncClient, turn: str, after: int = 0, most: int = 10**6) -> list[Row]:
    """Return the events of a turn by server-sent events, at most so many."""
    events: list[Row] = []
    path = f"/api/v1/turns/{turn}/events/?after={after}"
    async with http.stream("GET", path, timeout=120) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
                if events[-1]["type"] in FINAL_EVENTS or len(events) >= most:
                    break
    return events


async def polled(http: httpx.AsyncClient, turn: str, after: int = 0) -> list[Row]:
    """Return the events of a turn by long poll."""
    events: list[Row] = []
    deadline = asyncio.get_running_loop().time() + 120
    while asyncio.get_running_loop().time() < deadline:
        answer = await http.get(f"/api/v1/turns/{turn}/poll/?after={after}&wait=10")
        answer.raise_for_status()
        body = answer.json()
        events += body["events"]
        after = events[-1]["seq"] if events else after
        if body["done"]:
            return events
    return events


async def resumed(socket: Any, turn: str, after: int = 0) -> list[Row]:
    """Return the events of a turn by an open socket."""
    await socket.send(json.dumps({"type": "turn.resume", "turn": turn, "after": after}))
    events: list[Row] = []
    async with asyncio.timeout(120):
        async for raw in socket:
            event = json.loads(raw)
            if event.get("turn") == turn:
                events.append(event)
                if event["type"] in FINAL_EVENTS:
                    break
    return events


class Verdict:
    """The promises of a drill: `check` each, then `finish`."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rows: list[list[str]] = []
        self.broken = 0

    def check(self, promise: str, held: object, seen: object = "") -> bool:
        """Note whether a promise held, with what was seen."""
        self.broken += not held
        shown = " ".join(str(seen).split())
        self.rows.append([promise, "held" if held else "BROKEN", shown[:240]])
        if not held:
            print(f"BROKEN: {promise}: {shown[:1500]}", flush=True)
        return bool(held)

    def finish(self) -> int:
        """Print the table; return the exit status."""
        table(self.title, ["promise", "verdict", "seen"], self.rows)
        print(f"\n{len(self.rows) - self.broken} of {len(self.rows)} held.", flush=True)
        return 1 if self.broken else 0
