"""A hundred mixed files at once while everything breaks: nothing lost, doubled or half there.

By seed: `kill -9` of the worker (its children and itself) at ten moments, an immediate restart of
Postgres, an emptied Valkey, cancelled jobs, deleted nodes, a space deleted while its files are
read, a full disk. Then the installation is reckoned from outside: rows, files, passages, vectors,
statistics, REST (`recount`).

`--seed 1 --files 100 --kills 10 --embedding hashing --words 600 --accept-seconds 2`.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from benchmarks.drills.acts import JOB_FINAL, Row, Verdict, everything, until
from benchmarks.drills.full_disk import full_disk
from benchmarks.drills.mixed_files import Sheet, mixed_files
from benchmarks.drills.stage import Installation

SETTLE_SECONDS = 900.0
FAULTS = ("request_failed", "loop_failed", "_run_failed", "subscriber_failed", "webhook_not_sent")


def main() -> int:
    """Run the drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--words", type=int, default=600)
    parser.add_argument("--embedding", default="hashing")
    parser.add_argument("--accept-seconds", type=float, default=2.0)
    options = parser.parse_args()
    verdict = Verdict(f"{options.files} uploads at once, seed {options.seed}")
    sheets = mixed_files(options.files, options.seed, options.words)
    with Installation(ACERVO_EMBEDDING=options.embedding) as acervo:
        with acervo.client(seconds=60) as http:
            spaces = [_space(http, name) for name in ("Kept", "Doomed")]
            sent = asyncio.run(_send(acervo, sheets, spaces[0]["id"]))
            _check_accepted(verdict, sheets, sent, options.accept_seconds)
            trouble = Trouble(acervo, http, options, spaces, sent)
            trouble.run()
            print(f"done to it: {dict(trouble.done)}", flush=True)
            _settle(http, verdict, sent, trouble)
            _check_documents(http, verdict, sheets, sent, trouble)
            full_disk(acervo, http, verdict, spaces[0]["id"])
            _check_everything(acervo, verdict)
        faults = acervo.log_lines(*FAULTS)
        verdict.check("no fault of ours in the log", not faults, faults[:3])
        if verdict.broken:
            raise SystemExit(verdict.finish())
    return verdict.finish()


def _space(http: httpx.Client, name: str) -> Row:
    answer = http.post("/api/v1/spaces/", json={"name": name, "visibility": "members"})
    answer.raise_for_status()
    return dict(answer.json())


async def _send(acervo: Installation, sheets: list[Sheet], space: str) -> dict[str, Row]:
    """Send every file at the same moment; return by name the status, seconds and answer."""
    async with acervo.async_client(seconds=120) as http:

        async def one(sheet: Sheet) -> tuple[str, Row]:
            began, tries = time.monotonic(), 0
            while True:
                tries += 1
                answer = await http.post(
                    "/api/v1/uploads/",
                    files={"file": (sheet.name, sheet.content)},
                    data={"space": space},
                    headers={"Idempotency-Key": sheet.name},
                )
                if answer.status_code not in {429, 503} or tries == 10:
                    break
                await asyncio.sleep(float(answer.headers.get("Retry-After", 0.3)))
            took = time.monotonic() - began
            return sheet.name, {
                "status": answer.status_code,
                "took": took,
                "tries": tries,
                **answer.json(),
            }

        return dict(await asyncio.gather(*map(one, sheets)))


def _check_accepted(
    verdict: Verdict, sheets: list[Sheet], sent: dict[str, Row], limit: float
) -> None:
    refused = [
        f"{each.name}: {sent[each.name]['status']}"
        for each in sheets
        if sent[each.name]["status"] != 202
    ]
    verdict.check("every file is accepted", not refused, refused[:5])
    times = sorted(row["took"] for row in sent.values())
    seen = f"median {times[len(times) // 2]:.2f} s, last {times[-1]:.2f} s"
    again = sum(row["tries"] > 1 for row in sent.values())
    seen += f", {again} were asked to come again"
    verdict.check(f"each in {limit:g} s", times[-1] < limit, seen)


class Trouble:
    """What is done to the installation while it reads, in an order that follows from the seed."""

    def __init__(
        self,
        acervo: Installation,
        http: httpx.Client,
        options: argparse.Namespace,
        spaces: list[Row],
        sent: dict[str, Row],
    ) -> None:
        self.acervo, self.http, self.spaces, self.sent = acervo, http, spaces, sent
        self.chance = random.Random(options.seed)
        self.done: Counter[str] = Counter()
        self.cancelled: set[str] = set()
        self.deleted: set[str] = set()
        self.doomed: list[str] = []
        self.acts = [self.kill_child, self.kill_worker] * ((options.kills + 1) // 2)
        self.acts = self.acts[: options.kills]
        self.acts += [self.restart_postgres, self.flush, self.lose_a_space]
        self.acts += [self.cancel, self.delete_node] * 3
        self.chance.shuffle(self.acts)

    def run(self) -> None:
        """Do all of it, a moment apart."""
        for act in self.acts:
            time.sleep(self.chance.uniform(0.3, 3.0))
            name = act.__name__
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            if act():
                self.done[name] += 1

    def kill_worker(self) -> bool:
        """Kill the worker itself; its children are left without it."""
        pid = until(60, lambda: self.acervo.children().get("worker"))
        if pid is None:
            sys.exit("There is no worker to be killed.")
        os.kill(pid, signal.SIGKILL)
        return True

    def kill_child(self) -> bool:
        """Kill a process in which the worker works."""
        pid = until(60, self._child)
        if pid is None:
            sys.exit("The worker has no children.")
        os.kill(pid, signal.SIGKILL)
        return True

    def _child(self) -> int | None:
        worker = self.acervo.children().get("worker")
        try:
            listed = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
        except OSError:
            return None
        return int(self.chance.choice(listed)) if listed else None

    def restart_postgres(self) -> bool:
        """Let Postgres stop as by `pg_ctl -m immediate`; it is started again by itself."""
        os.kill(self.acervo.servers()["postgres"], signal.SIGQUIT)
        time.sleep(1)
        self.acervo.wait_ready(120)
        return True

    def flush(self) -> bool:
        """Empty Valkey: queues and all."""
        self.acervo.flush()
        return True

    def cancel(self) -> bool:
        """Cancel a job that has not ended."""
        for job in self.chance.sample(sorted(self._unfinished()), k=len(self._unfinished())):
            answer = self.http.post(f"/api/v1/jobs/{job}/cancel/")
            if answer.status_code == 200 and answer.json()["status"] != "completed":
                self.cancelled.add(job)
                return True
        return False

    def _unfinished(self) -> list[str]:
        rows = everything(self.http, f"/api/v1/jobs/?space={self.spaces[0]['id']}")
        return [row["id"] for row in rows if row["status"] in {"queued", "processing"}]

    def delete_node(self) -> bool:
        """Delete a node; others of its job may still be on their way."""
        chosen = until(60, self._deleted, every=0.5)
        return chosen is not None

    def _deleted(self) -> str | None:
        rows = everything(self.http, f"/api/v1/nodes/?space={self.spaces[0]['id']}")
        known = sorted(row["id"] for row in rows if row["id"] not in self.deleted)
        if not known:
            return None
        chosen = self.chance.choice(known)
        if self.http.delete(f"/api/v1/nodes/{chosen}/").status_code != 204:
            return None
        self.deleted.add(chosen)
        return chosen

    def lose_a_space(self) -> bool:
        """Delete a space while its files are read."""
        space = self.spaces[1]["id"]
        for number in range(6):
            text = "\n\n".join(f"## Part {part}\n\n{'sand and rope ' * 80}" for part in range(20))
            answer = self.http.post(
                "/api/v1/uploads/",
                files={"file": (f"doomed-{number}.md", f"# Doomed {number}\n\n{text}".encode())},
                data={"space": space},
            )
            self.doomed.append(answer.json()["job"]["id"])
        time.sleep(self.chance.uniform(0.2, 2.0))
        return self.http.delete(f"/api/v1/spaces/{space}/").status_code == 204


def _settle(http: httpx.Client, verdict: Verdict, sent: dict[str, Row], trouble: Trouble) -> None:
    unfinished = {row["job"]["id"] for row in sent.values() if row["status"] == 202}
    total, began = len(unfinished), time.monotonic()

    def look() -> bool:
        rows = everything(http, "/api/v1/jobs/")
        unfinished.difference_update(row["id"] for row in rows if row["status"] in JOB_FINAL)
        return not unfinished

    until(SETTLE_SECONDS, look, every=2.0)
    took = time.monotonic() - began
    verdict.check("every job ends", not unfinished, f"{total} jobs, {took:.0f} s after the last")
    gone = [job for job in trouble.doomed if http.get(f"/api/v1/jobs/{job}/").status_code != 404]
    verdict.check("the jobs of the deleted space are gone", not gone, gone)


def _check_documents(
    http: httpx.Client,
    verdict: Verdict,
    sheets: list[Sheet],
    sent: dict[str, Row],
    trouble: Trouble,
) -> None:
    """Compare what became of each file with what was to become of it."""
    odd, ends = [], Counter()
    jobs = {row["id"]: row for row in everything(http, "/api/v1/jobs/")}
    files: dict[bytes, set[str]] = {}
    for sheet in sheets:
        if "job" not in sent[sheet.name]:
            continue
        job = jobs[sent[sheet.name]["job"]["id"]]
        ends[job["status"]] += 1
        if job["id"] in trouble.cancelled and job["status"] in {"cancelled", "completed"}:
            continue
        wanted = "failed" if sheet.fate == "broken" else "completed"
        if job["status"] != wanted:
            odd.append(f"{sheet.name}: {job['status']} {job['error']}")
        elif wanted == "failed" and (job["error"] or {}).get("code") in {"internal", "gave_up"}:
            odd.append(f"{sheet.name}: {job['error']}")
        elif wanted == "completed":
            files.setdefault(sheet.content, set()).update(job["nodes"])
    verdict.check("each ends as it should, with a reason", not odd, f"{dict(ends)} {odd[:3]}")
    _check_search(http, verdict, sheets, sent, jobs, trouble)


def _check_search(
    http: httpx.Client,
    verdict: Verdict,
    sheets: list[Sheet],
    sent: dict[str, Row],
    jobs: dict[str, Row],
    trouble: Trouble,
) -> None:
    unseen, doubled = [], []
    for sheet in sheets:
        if "job" not in sent[sheet.name]:
            continue
        job = jobs[sent[sheet.name]["job"]["id"]]
        nodes = [node for node in job["nodes"] if node not in trouble.deleted]
        if sheet.fate != "whole" or job["status"] != "completed" or not nodes:
            continue
        body = {"query": sheet.word, "mode": "keyword", "limit": 20}
        found = http.post("/api/v1/search/", json=body).json()["results"]
        hits = Counter(row["node"] for row in found if row["node"] in nodes)
        if not hits and len(nodes) == len(job["nodes"]):
            unseen.append(sheet.name)
        doubled += [sheet.name for count in hits.values() if count > 1]
    verdict.check("search finds every document", not unseen, unseen[:5])
    verdict.check("no document twice in an answer", not doubled, doubled[:5])


def _check_everything(acervo: Installation, verdict: Verdict) -> None:
    """Let the sweeps do what they would do in an hour, then compare rows, index and files."""
    acervo.run(
        "import time; from knowledge import recovery; recovery.files_sweep(now=time.time() + 7200)"
    )
    found: dict[str, Any] = {}

    def clean() -> bool:
        code = "from benchmarks.drills import recount; recount.main()"
        found.update(json.loads(acervo.run(code).splitlines()[-1]))
        return not found["wrong"]

    until(120, clean, every=5.0)  # the sweep for what the index is behind with comes every 30 s
    verdict.check("rows, index, statistics and files agree", not found["wrong"], found["wrong"])
    print(f"looked at: {found['seen']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
