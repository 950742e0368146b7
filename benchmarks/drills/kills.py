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

from benchmarks.drills.acts import Verdict, until
from benchmarks.drills.ledger import Clients, Ledger
from benchmarks.drills.reckoning import SETTLE_SECONDS, settle
from benchmarks.drills.stage import Installation

VICTIMS = ("web", "agent", "worker", "worker-child", "postgres", "valkey")


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
            settle(http, ledger, verdict)
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
