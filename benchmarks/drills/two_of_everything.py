"""Two web processes, two agents, two workers on the same servers: it works, nothing doubles."""

import asyncio
import json
import re
import subprocess
import sys
import time

import httpx

from benchmarks.drills.acts import Verdict, until
from benchmarks.drills.ledger import Clients, Ledger
from benchmarks.drills.reckoning import settle
from benchmarks.drills.stage import CHECKOUT, Installation

LOAD_SECONDS = 30.0
CALLS = 60


def main() -> int:
    """Run the drill."""
    verdict = Verdict("Two of everything")
    with Installation(ACERVO_WEB_PROCESSES="2", ACERVO_AGENT_PROCESSES="1") as acervo:
        _second_agent_and_worker(acervo)
        ledger = Ledger(acervo.data / "ledger.jsonl")
        strange = asyncio.run(_load(acervo, ledger))
        verdict.check(
            "no error at all", not ledger.errors and not strange, [ledger.errors, strange]
        )
        with acervo.client() as http:
            settle(http, ledger, verdict)
            _shared_work(acervo, verdict)
            _metrics(http, verdict, len(ledger.of("message")))
        ended = [each.args[-1] for each in acervo.extra if each.poll() is not None]
        verdict.check("the second ones are still there", not ended, ended)
        faults = acervo.log_lines("request_failed", "turn_failed", "loop_failed", "_run_failed")
        verdict.check("no fault of ours in the log", not faults, faults[:3])
    return verdict.finish()


def _second_agent_and_worker(acervo: Installation) -> None:
    environment = acervo.environment | {
        "DATABASE_URL": acervo.database_url(),
        "REDIS_URL": acervo.redis_url(),
        "PROMETHEUS_MULTIPROC_DIR": str(acervo.data / "run" / "prometheus"),
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }
    queues = "ingest,embed,memory,webhooks,maintenance"
    commands = {
        "agent": ["manage.py", "agent"],
        "worker": ["-m", "celery", "-A", "project", "worker", "-Q", queues, "-c", "2", "-n", "two"],
    }
    for name, command in commands.items():
        with (acervo.data / f"second-{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=CHECKOUT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        acervo.extra.append(process)
    time.sleep(8)


async def _load(acervo: Installation, ledger: Ledger) -> list[str]:
    async with acervo.async_client(seconds=40) as http:
        clients = Clients(http, ledger, seed=11)
        load = asyncio.create_task(clients.run(writers=2, uploaders=2, askers=5))
        await asyncio.sleep(LOAD_SECONDS)
        clients.stop()
        await asyncio.wait_for(load, 120)
        return clients.strange


def _shared_work(acervo: Installation, verdict: Verdict) -> None:
    told = acervo.run(
        "import json\n"
        "from project.celery import app\n"
        "stats = app.control.inspect(timeout=5).stats() or {}\n"
        "print(json.dumps({name: sum(each['total'].values()) for name, each in stats.items()}))"
    )
    tasks = json.loads(told.splitlines()[-1])
    verdict.check("both workers took a share", len(tasks) == 2 and all(tasks.values()), tasks)
    counters = acervo.data / "run" / "prometheus" / f"counter_{acervo.extra[0].pid}.db"
    shared = counters.exists() and b"acervo_turns_total" in counters.read_bytes()
    verdict.check("the second agent took a share", shared)
    owners = acervo.run(
        "from project.inference.models import UsageRecord\n"
        "from chat.models import Turn\n"
        "print(Turn.objects.filter(attempts__gt=1).count())"
    )
    verdict.check("no turn was begun twice", owners.splitlines()[-1] == "0", owners)


def _metrics(http: httpx.Client, verdict: Verdict, turns: int) -> None:
    def total(name: str, **labels: str) -> float:
        """Return the sum of a counter, from any of the processes."""
        lines = http.get("/metrics").text.splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [line for line in lines if re.match(rf"{name}(\{{|\s)", line)]
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in found if all(each in line for each in wanted)
        )

    counted = until(15, lambda: total("acervo_turns_total") == turns)
    seen = f"{total('acervo_turns_total'):.0f} of {turns}"
    verdict.check("turns of both agents add up", counted, seen)
    name = "django_http_requests_total_by_view_transport_method_total"
    before = total(name, view="space-list")
    for _ in range(CALLS):
        # A connection each: otherwise one process would answer them all.
        httpx.get(f"{http.base_url}/api/v1/spaces/".replace("//api", "/api"), headers=http.headers)
    after = [total(name, view="space-list") for _ in range(10)]
    verdict.check("calls of both web processes add up", set(after) == {before + CALLS}, after)
    agents = total("acervo_processes", process="agent")
    verdict.check("both agents are counted", agents == 2, agents)


if __name__ == "__main__":
    sys.exit(main())
