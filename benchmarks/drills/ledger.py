"""Clients that never give up, and the ledger of what was acknowledged to them."""

import asyncio
import json
import os
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

Row = dict[str, Any]
PAUSE = (0.2, 0.8)  # seconds between two requests of a client


def unusual_word(seed: random.Random) -> str:
    """Return a word that no other text holds."""
    letters = "bcdfghjklmnpqrstvwz"
    return "".join(seed.choice(letters) + seed.choice("aeiou") for _ in range(6))


@dataclass
class Ledger:
    """What was acknowledged, by kind: the client's name for it, and the server's answer.

    Every line is on the disk before the client goes on.
    """

    path: Path
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    sent: dict[str, set[str]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)

    def send(self, kind: str, name: str) -> None:
        """Note that something was asked for: it may exist once, acknowledged or not."""
        self.sent.setdefault(kind, set()).add(name)

    def acknowledge(self, kind: str, name: str, answer: Row) -> None:
        """Note an answer."""
        known = self.rows.setdefault(kind, {})
        if name in known and _ids(known[name]) != _ids(answer):
            self.conflicts.append(f"{kind} {name}: {_ids(known[name])} then {_ids(answer)}")
        known[name] = answer
        with self.path.open("a") as file:
            file.write(json.dumps({"kind": kind, "name": name, "ids": _ids(answer)}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def count_error(self, what: str) -> None:
        """Count a failed attempt."""
        self.errors[what] = self.errors.get(what, 0) + 1

    def of(self, kind: str) -> dict[str, Row]:
        """Return what was acknowledged of a kind."""
        return self.rows.get(kind, {})


def _ids(answer: Row) -> Row:
    if "id" in answer:
        return {"id": answer["id"]}
    parts = ("job", "source", "message", "turn")
    return {name: answer[name]["id"] for name in parts if name in answer}


class Clients:
    """Some clients at once, until `stop`."""

    def __init__(self, http: httpx.AsyncClient, ledger: Ledger, seed: int) -> None:
        self.http = http
        self.ledger = ledger
        self.random = random.Random(seed)
        self.stopping = asyncio.Event()
        self.strange: list[str] = []

    async def run(self, writers: int, uploaders: int, askers: int) -> None:
        """Work until `stop`; every request begun is brought to its end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(writers):
                group.create_task(self._writer())
            for _ in range(uploaders):
                group.create_task(self._uploader())
            for _ in range(askers):
                group.create_task(self._asker())

    def stop(self) -> None:
        """Begin nothing more."""
        self.stopping.set()

    async def _pause(self) -> None:
        await asyncio.sleep(self.random.uniform(*PAUSE))

    async def _writer(self) -> None:
        while not self.stopping.is_set():
            word = unusual_word(self.random)
            body = {
                "title": f"Note {word}",
                "content": f"The {word} valve is opened on the first day of each month.",
                "status": "published",
            }
            headers = {"Idempotency-Key": word}
            answer = await self._insist("nodes", word, 201, json=body, headers=headers)
            if answer:
                self.ledger.acknowledge("node", word, answer)
            await self._pause()

    async def _uploader(self) -> None:
        while not self.stopping.is_set():
            word = unusual_word(self.random)
            text = f"# Sheet {word}\n\nThe {word} lamp burns {len(word)} hours.\n" * 3
            files = {"file": (f"{word}.md", text.encode(), "text/markdown")}
            headers = {"Idempotency-Key": word}
            answer = await self._insist("uploads", word, 202, files=files, headers=headers)
            if answer:
                self.ledger.acknowledge("upload", word, answer)
            await self._pause()

    async def _asker(self) -> None:
        made = await self._insist("conversations", uuid.uuid4().hex, 201, json={})
        if not made:
            return
        self.ledger.acknowledge("conversation", made["id"], made)
        while not self.stopping.is_set():
            client_id = uuid.uuid4().hex
            known = list(self.ledger.of("node"))
            word = self.random.choice(known) if known else "harbour"
            body = {"content": f"When is the {word} valve opened?", "client_message_id": client_id}
            path = f"conversations/{made['id']}/messages"
            answer = await self._insist(path, client_id, 202, json=body)
            if answer:
                self.ledger.acknowledge("message", client_id, answer)
            await self._pause()

    async def _insist(self, path: str, name: str, wanted: int, **request: Any) -> Row | None:
        """Send the same request until it is acknowledged, as a careful client does."""
        self.ledger.send(path.partition("/")[0], name)
        while True:
            try:
                answer = await self.http.post(f"/api/v1/{path}/", **request)
            except httpx.HTTPError as error:
                self.ledger.count_error(type(error).__name__)
                await asyncio.sleep(0.3)
                continue
            if answer.status_code == wanted:
                return dict(answer.json())
            self.ledger.count_error(str(answer.status_code))
            in_progress = "idempotency_in_progress" in answer.text
            if answer.status_code not in {429, 503} and not in_progress:
                self.strange.append(f"{path}: {answer.status_code} {answer.text[:300]}")
                if answer.status_code < 500:
                    return None
            await asyncio.sleep(float(answer.headers.get("Retry-After", 0.3)))
