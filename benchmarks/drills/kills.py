"""`kill -9` of a random process twenty times under light load: nothing lost, nothing doubled.

`--kills 20 --seed 1 --embedding hashing`.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.drills.ledger import Clients, Ledger
from benchmarks.drills.stage import (
    FINAL,
    JOB_FINAL,
    Installation,
    Verdict,
    everything,
    until,
)

VICTIMS = ("web", "agent", "worker", "worker-child", "postgres", "valkey")
SETTLE_SECONDS = 240.0


def main() -> int:
    """Run the drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--embedding", default="hashing")
    options = parser.parse_args()
    verdict = Verdict(f"{options.kills} x kill -9, seed {options.seed}")
    with Installation(ACERVO_EMBEDDING=options.embedding) as acervo:
        ledger = Ledger(acervo.data / "ledger.jsonl")
        killed, slowest, strange = asyncio.run(_under_fire(acervo, ledger, options))
        verdict.check(
            "all come back after each kill",
            slowest < 60,
            f"slowest {slowest:.0f} s; {dict(killed)}",
        )
        verdict.check("only 429 and 503 while something is away", not strange, strange[:3])
        verdict.check("no answer changed when repeated", not ledger.conflicts, ledger.conflicts)
        print(f"errors met and retried: {ledger.errors}", flush=True)
        with acervo.client() as http:
            _turns(http, ledger, verdict)
            _jobs(http, ledger, verdict)
            _nodes(http, ledger, verdict)
            _episodes(http, ledger, verdict)
        faults = acervo.log_lines("request_failed", "turn_failed", "loop_failed", "_run_failed")
        verdict.check("no fault of ours in the log", not faults, faults[:3])
        acervo.close()
        left = _left_behind(acervo.data)
        verdict.check("no process is left behind", not left, left)
        if verdict.broken:
            raise SystemExit(verdict.finish())
    return verdict.finish()


async def _under_fire(
    acervo: Installation, ledger: Ledger, options: argparse.Namespace
) -> tuple[Counter[str], float, list[str]]:
    async with acervo.async_client(seconds=40) as http:
        clients = Clients(http, ledger, options.seed)
        load = asyncio.create_task(clients.run(writers=2, uploaders=1, askers=3))
        killed, slowest = await asyncio.to_thread(_kill, acervo, options)
        clients.stop()
        await asyncio.wait_for(load, SETTLE_SECONDS)
        return killed, slowest, clients.strange


def _kill(acervo: Installation, options: argparse.Namespace) -> tuple[Counter[str], float]:
    chance = random.Random(options.seed)
    killed: Counter[str] = Counter()
    slowest = 0.0
    time.sleep(3)
    bag: list[str] = []  # every kind of process in its turn, in random order
    while killed.total() < options.kills:
        bag = bag or chance.sample(VICTIMS, len(VICTIMS))
        name = bag.pop()
        pid = until(30, lambda: _victim(acervo, name, chance))  # noqa: B023 - called at once
        if pid is None:
            sys.exit(f"There is no {name} to be killed.")
        print(f"{time.strftime('%H:%M:%S')} kill -9 {name} ({pid})", flush=True)
        os.kill(pid, signal.SIGKILL)
        killed[name] += 1
        time.sleep(chance.uniform(0.5, 3.0))
        slowest = max(slowest, acervo.wait_ready(120))
    return killed, slowest


def _victim(acervo: Installation, name: str, chance: random.Random) -> int | None:
    children = acervo.children()
    if name != "worker-child":
        return children.get(name)
    worker = children.get("worker")
    if worker is None:
        return None
    try:
        listed = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    except OSError:
        return None
    return int(chance.choice(listed)) if listed else None


def _turns(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    sent = ledger.of("message")
    unfinished = {answer["turn"]["id"] for answer in sent.values()}
    ends: Counter[str] = Counter()

    def look() -> bool:
        for turn in list(unfinished):
            row = http.get(f"/api/v1/turns/{turn}/").json()
            if row.get("status") in FINAL:
                unfinished.discard(turn)
                ends[row["status"]] += 1
        return not unfinished

    until(SETTLE_SECONDS, look, every=1.0)
    verdict.check("every turn ends", not unfinished, f"{dict(ends)}, hanging: {unfinished}")
    verdict.check("no turn was stopped by itself", not ends["stopped"], dict(ends))
    found: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for conversation in everything(http, "/api/v1/conversations/"):
        for row in everything(http, f"/api/v1/conversations/{conversation['id']}/messages/"):
            if row["role"] == "user":
                found[row["client_message_id"]] += 1
            else:
                answers[row["parent"]] += 1
    lost = [name for name in sent if not found[name]]
    doubled = [name for name, count in found.items() if count > 1]
    verdict.check("every acknowledged message is there", not lost, f"{len(sent)} sent, {lost}")
    verdict.check("no message twice", not doubled, doubled)
    verdict.check("no question has two answers", not [n for n in answers.values() if n > 1])


def _jobs(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    uploads = ledger.of("upload")
    unfinished = {answer["job"]["id"] for answer in uploads.values()}
    bad: list[str] = []

    def look() -> bool:
        for job in list(unfinished):
            row = http.get(f"/api/v1/jobs/{job}/").json()
            if row.get("status") in JOB_FINAL:
                unfinished.discard(job)
                if row["status"] != "completed":
                    bad.append(f"{job}: {row['status']} {row['error']}")
        return not unfinished

    until(SETTLE_SECONDS, look, every=1.0)
    verdict.check("every job ends", not unfinished, f"{len(uploads)} uploads, {unfinished}")
    verdict.check("every job completed", not bad, bad[:3])
    files = Counter(row["filename"] for row in everything(http, "/api/v1/sources/"))
    lost = [word for word in uploads if not files[f"{word}.md"]]
    verdict.check("every acknowledged source is there", not lost, lost)
    doubled = [name for name, count in files.items() if count > 1]
    verdict.check("no source twice", not doubled, doubled)


def _nodes(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    rows = everything(http, "/api/v1/nodes/")
    titles = Counter(row["title"] for row in rows)
    ids = {row["id"] for row in rows}
    written = ledger.of("node")
    lost = [word for word, answer in written.items() if answer["id"] not in ids]
    doubled = [title for title, count in titles.items() if count > 1]
    verdict.check("every acknowledged node is there", not lost, f"{len(written)} made, {lost}")
    verdict.check("no node twice", not doubled, doubled)
    unsearched = {*written, *ledger.of("upload")}

    def look() -> bool:
        for word in sorted(unsearched):
            body = {"query": word, "mode": "keyword", "limit": 5}
            results = http.post("/api/v1/search/", json=body).json().get("results", [])
            if [each for each in results if word in each["title"] + each["snippet"]]:
                unsearched.discard(word)
        return not unsearched

    until(SETTLE_SECONDS, look, every=2.0)
    verdict.check("search finds every node", not unsearched, sorted(unsearched)[:5])


def _episodes(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    completed = {
        answer["turn"]["id"]
        for answer in ledger.of("message").values()
        if http.get(f"/api/v1/turns/{answer['turn']['id']}/").json()["status"] == "completed"
    }

    def look() -> Counter[str] | None:
        episodes = Counter(row["turn_id"] for row in everything(http, "/api/v1/episodes/"))
        return episodes if completed <= set(episodes) else None

    until(SETTLE_SECONDS, look, every=2.0)
    episodes = Counter(row["turn_id"] for row in everything(http, "/api/v1/episodes/"))
    missing = completed - set(episodes)
    verdict.check(
        "an episode of every completed turn",
        not missing,
        f"{len(completed)} turns, {len(episodes)} episodes, without: {sorted(missing)[:3]}",
    )
    doubled = [turn for turn, count in episodes.items() if count > 1]
    verdict.check("no episode twice", not doubled, doubled)


def _left_behind(data: Path) -> list[str]:
    time.sleep(1)
    left = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if str(data).encode() in environment or str(data) in command:
            left.append(f"{folder.name} {command[:80]}")
    return left


if __name__ == "__main__":
    sys.exit(main())
