"""Searches in a loop while all below them changes: never an error, never fewer right answers.

Several clients ask, over HTTP and in three modes, for texts that are there, while every node is
written anew, another embedding model's index is built, takes over and is rolled back, the first is
built anew and the retired ones are deleted, and a bulk import comes in. Right is: the node whose
words were asked for is among the first five, with every leg taking part. What an import brought is
never gone again once it was found.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.drills.acts import Row, Verdict, job_ended, until
from benchmarks.drills.stage import Installation
from benchmarks.stage import Writer

MODES = ("hybrid", "keyword", "vector")
FIRST = 5
KEPT_AGO = (
    "import datetime\nfrom django.utils import timezone\n"
    "from knowledge.models import IndexGeneration\n"
    "past = timezone.now() - datetime.timedelta(hours=1)\n"
    "IndexGeneration.objects.filter(status='retired').update(retired_at=past)\n"
)
ENDPOINT = (
    "from project.inference.models import ModelEndpoint\n"
    "row = ModelEndpoint.objects.create("
    "name='Built in', purpose='embedding', backend='builtin')\n"
    "print(row.pk)\n"
)


@dataclass
class Watch:
    """What the clients saw. `phase` names what happens below them at the moment."""

    queries: list[tuple[str, str]]
    phase: str = "quiet"
    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    imported: list[tuple[str, str]] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    is_over: bool = False


def main() -> int:
    """Run the drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--imported", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    verdict = Verdict(f"{options.clients} clients search, {options.nodes} nodes change below them")
    with Installation() as acervo, acervo.client(seconds=60) as http:
        watch = Watch(_nodes_made(http, options))
        endpoint = acervo.run(ENDPOINT).splitlines()[-1]
        asyncio.run(_under_change(acervo, http, watch, options, endpoint, verdict))
        for phase, seconds in watch.seconds.items():
            ordered = sorted(seconds)
            late = ordered[int(0.95 * (len(ordered) - 1))] * 1000
            told = f"{len(ordered)} searches, P95 {late:.0f} ms"
            verdict.check(f"searches go on: {phase}", len(ordered) >= options.clients, told)
        told = f"{sum(watch.asked.values())} searches {dict(watch.asked)}"
        verdict.check("never an error, never fewer right answers", not watch.wrong, told)
        for each in watch.wrong[:5]:
            print(f"WRONG {each}", flush=True)
        faults = acervo.log_lines("request_failed", "loop_failed")
        verdict.check("no fault of ours in the log", not faults, faults[:2])
    return verdict.finish()


def _nodes_made(http: httpx.Client, options: argparse.Namespace) -> list[tuple[str, str]]:
    """Store and index the nodes; return each one's id with words that only it holds."""
    writer = Writer(seed=options.seed)
    texts = [writer.text(14) for _ in range(options.nodes)]
    rows = [
        {"title": f"Note {number}", "content": text, "status": "published"}
        for number, text in enumerate(texts)
    ]
    answer = http.post("/api/v1/nodes/bulk/", json={"nodes": rows})
    answer.raise_for_status()
    job = job_ended(http, answer.json()["job"]["id"], 300)
    if job["status"] != "completed":
        sys.exit(f"The nodes could not be stored: {job}")
    return list(zip(job["nodes"], texts, strict=True))


async def _under_change(
    acervo: Installation,
    http: httpx.Client,
    watch: Watch,
    options: argparse.Namespace,
    endpoint: str,
    verdict: Verdict,
) -> None:
    async with acervo.async_client(seconds=60) as client:
        await _baseline(client, watch)
        verdict.check("all is found before", not watch.wrong, watch.wrong[:2])
        clients = [
            asyncio.create_task(_search(client, watch, random.Random(options.seed + number)))
            for number in range(options.clients)
        ]
        try:
            await asyncio.to_thread(_change, acervo, http, watch, options, endpoint, verdict)
        finally:
            watch.is_over = True
            await asyncio.gather(*clients)
        await _baseline(client, watch)


async def _baseline(client: httpx.AsyncClient, watch: Watch) -> None:
    """Ask for every node once, in every mode."""
    watch.phase = "quiet"
    for node, text in watch.queries:
        for mode in MODES:
            await _ask(client, watch, node, text, mode)


async def _search(client: httpx.AsyncClient, watch: Watch, chance: random.Random) -> None:
    while not watch.is_over:
        if watch.imported and chance.random() < 0.3:
            node, text = chance.choice(watch.imported)
            known = node in watch.met
            if await _ask(client, watch, node, text, "hybrid", must=known):
                watch.met.add(node)
            continue
        node, text = chance.choice(watch.queries)
        await _ask(client, watch, node, text, chance.choice(MODES))


async def _ask(
    client: httpx.AsyncClient, watch: Watch, node: str, text: str, mode: str, *, must: bool = True
) -> bool:
    """Search for a text; note an answer that is not right if it has to be."""
    phase, began = watch.phase, time.monotonic()
    body = {"query": text, "mode": mode, "limit": FIRST}
    try:
        answer = await client.post("/api/v1/search/", json=body)
        found: Row = answer.json() if answer.status_code == 200 else {}
        problem = "" if found else f"{answer.status_code} {answer.text[:200]}"
    except httpx.HTTPError as error:
        found, problem = {}, repr(error)
    watch.seconds[phase].append(time.monotonic() - began)
    watch.asked[phase] += 1
    nodes = [each["node"] for each in found.get("results", ())]
    is_right = node in nodes and not found.get("degraded")
    if not is_right and (must or problem):
        seen = problem or f"degraded {found['degraded']}, found {len(nodes)}"
        watch.wrong.append(f"{phase} ({mode}): {node}: {seen}")
    return is_right


def _change(
    acervo: Installation,
    http: httpx.Client,
    watch: Watch,
    options: argparse.Namespace,
    endpoint: str,
    verdict: Verdict,
) -> None:
    space = http.get(f"/api/v1/nodes/{watch.queries[0][0]}/").json()["space"]
    body = {"space": space, "endpoint": endpoint}

    watch.phase = "every node is written anew"
    for number, (node, text) in enumerate(watch.queries):
        changed = {"content": f"{text}\n\nSeen again, as number {number}."}
        http.patch(f"/api/v1/nodes/{node}/", json=changed).raise_for_status()
    behind = until(120, lambda: _is_caught_up(acervo), every=1.0)
    verdict.check("the index catches up", behind)

    watch.phase = "another model's index is built"
    new = _built(http, {**body, "switching": "manual"}, verdict)
    watch.phase = "a switch"
    for path in ("activate", "roll-back", "activate"):
        _switched(http, new, path, verdict)
        time.sleep(2)
    old = http.get(f"/api/v1/index-generations/?space={space}&status=retired").json()["results"]
    watch.phase = "a node is written between two switches"
    node, text = watch.queries[0]
    http.patch(f"/api/v1/nodes/{node}/", json={"content": f"{text}\n\nOnce more."})
    _switched(http, new, "roll-back", verdict)
    _switched(http, old[0]["id"], "roll-back", verdict)

    watch.phase = "a bulk import"
    watch.imported = _imported(http, options)
    until(60, lambda: len(watch.met) >= 0.5 * len(watch.imported), every=0.5)
    verdict.check("what is imported is found", watch.met, f"{len(watch.met)} met")

    watch.phase = "the index is built anew and takes over at once"
    again = _built(http, {**body, "switching": "at_once"}, verdict, wanted="active")
    watch.phase = "retired indexes are deleted"
    acervo.run(KEPT_AGO)
    rows = http.get(f"/api/v1/index-generations/?space={space}&status=retired").json()["results"]
    for row in rows:
        job = http.delete(f"/api/v1/index-generations/{row['id']}/").json()
        verdict.check("a retired index goes", job_ended(http, job["id"])["status"] == "completed")
    left = http.get(f"/api/v1/index-generations/?space={space}").json()["results"]
    verdict.check("one index is left", [row["id"] for row in left] == [again], len(left))


def _is_caught_up(acervo: Installation) -> bool:
    code = (
        "from django.db.models import F\nfrom knowledge.models import Node\n"
        "print(Node.objects.exclude(indexed_version=F('version')).count())"
    )
    return acervo.run(code).splitlines()[-1] == "0"


def _built(
    http: httpx.Client, body: dict[str, Any], verdict: Verdict, wanted: str = "ready"
) -> str:
    """Build a generation and return its id."""
    made = http.post("/api/v1/index-generations/", json=body)
    made.raise_for_status()
    generation: str = made.json()["id"]
    job = job_ended(http, made.json()["job"]["id"], 300)
    row = http.get(f"/api/v1/index-generations/{generation}/").json()
    whole = row["status"] == wanted and row["progress"] == 1.0
    verdict.check("a build comes to its end", whole, f"{row['status']} {job['error']}")
    return generation


def _switched(http: httpx.Client, generation: str, path: str, verdict: Verdict) -> None:
    """Switch, and wait until the switch is done."""
    began = time.monotonic()
    answer = http.post(f"/api/v1/index-generations/{generation}/{path}/", json={"reason": "drill"})
    row = answer.json()
    target = row.get("id", "")

    def look() -> bool:
        seen = http.get(f"/api/v1/index-generations/{target}/").json()
        return bool(seen.get("status") == "active")

    done = until(60, look)
    told = f"{answer.status_code} in {time.monotonic() - began:.1f} s {row.get('error', '')}"
    verdict.check(f"a switch is done ({path})", done, told)


def _imported(http: httpx.Client, options: argparse.Namespace) -> list[tuple[str, str]]:
    writer = Writer(seed=options.seed + 1000)
    texts = [writer.text(14) for _ in range(options.imported)]
    rows = [
        {"title": f"Import {number}", "content": text, "status": "published"}
        for number, text in enumerate(texts)
    ]
    answer = http.post("/api/v1/nodes/bulk/", json={"nodes": rows})
    answer.raise_for_status()
    job = job_ended(http, answer.json()["job"]["id"], 300)
    return list(zip(job["nodes"], texts, strict=True))


if __name__ == "__main__":
    sys.exit(main())
