"""How long a person waits: send → first event and send → first token, over a stub model.

Usage: python benchmarks/chat_latency.py [CONCURRENT ...]

Starts Postgres, Valkey, one web process, as many agents as `up` does, and a stub model server, asks
questions over WebSockets as a browser does, and prints one table. The stub waits FIRST_TOKEN before
its first token; "our part" is send → first token minus that wait. Each person asks, reads the
answer to its end, and asks again within a second: nearly all have a turn running at any time.
"""

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import stage

ROOT = Path(__file__).resolve().parent.parent
FIRST_TOKEN = 0.300  # seconds
TOKEN_DELAY = 0.033
THINK = (0.0, 1.0)
QUESTIONS = {1: 12, 50: 5}  # a person
AGENTS = min(2, os.cpu_count() or 1)  # as `up` starts
NODES = 300
TOPICS = (
    "ferry",
    "berth",
    "tide",
    "ticket",
    "refund",
    "pilot",
    "crane",
    "customs",
    "radio",
    "fuel",
)
ANSWER = (  # some 150 tokens
    "The timetable says that this service runs every day except on public holidays [1]. "
    "Tickets are sold at the counter and on board [2].\n\n- Bring an identity card.\n"
    "- Be there twenty minutes before.\n\nFor groups, write to the office a week ahead [1]. " * 3
)


@dataclass
class Times:
    """Milliseconds from sending, one a question."""

    accepted: list[float] = field(default_factory=list)
    first_event: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def processes(port: int, stub_port: int) -> Iterator[dict[str, int]]:
    """Run web, agent and stub until the block ends; yield the process ids of ours."""
    environment = {
        **os.environ,
        "ACERVO_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "ACERVO_RATE_MESSAGES": "",
        "ACERVO_RATE_API": "",
    }
    stub = [sys.executable, "-m", "tests.support.model_server", "--port", str(stub_port)]
    stub += ["--first-token", str(FIRST_TOKEN), "--token-delay", str(TOKEN_DELAY)]
    commands = [
        [*stub, "--answer", ANSWER],
        [sys.executable, "-m", "project.web"],
        *([[sys.executable, "manage.py", "agent"]] * AGENTS),
    ]
    running = [subprocess.Popen(each, cwd=ROOT, env=environment) for each in commands]
    try:
        agents = {f"agent {number}": each.pid for number, each in enumerate(running[2:], 1)}
        yield {"web": running[1].pid, **agents}
    finally:
        for each in running:
            each.terminate()
        for each in running:
            try:
                each.wait(15)
            except subprocess.TimeoutExpired:
                each.kill()


def prepare(stub_port: int) -> str:
    """Fill the knowledge base; return the secret of an API key."""
    from project.accounts.models import ApiKey, User
    from project.inference.models import ModelEndpoint

    space = stage.make_space("bench")
    chance = random.Random(7)
    rows = []
    for number in range(NODES):
        topic = TOPICS[number % len(TOPICS)]
        words = " ".join(chance.choice(TOPICS) for _ in range(30))
        text = f"The {topic} service number {number} runs daily. Notes: {words}.\n\n" * 4
        rows.append((str(number), f"{topic.title()} {number}", text))
    stage.index(stage.make_nodes(space, rows))
    user = User.objects.create_superuser("bench", password=None)
    secret = ApiKey.new_secret()
    ApiKey.objects.create(user=user, name="bench", hash=ApiKey.hash_of(secret), scopes=["chat"])
    ModelEndpoint.objects.create(
        name="stub", model_name="stub", base_url=f"http://127.0.0.1:{stub_port}/v1"
    )
    return secret


def call(port: int, secret: str, path: str, body: dict) -> dict:
    """POST to the API."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


async def person(port: int, secret: str, questions: int, times: Times, number: int) -> None:
    """Ask questions in a conversation of one's own, one after the other."""
    import websockets

    made = await asyncio.to_thread(call, port, secret, "conversations/", {})
    token = (await asyncio.to_thread(call, port, secret, "ws-tokens/", {}))["token"]
    address = f"ws://127.0.0.1:{port}/ws/chat/{made['id']}/?token={token}"
    chance = random.Random(number)
    async with websockets.connect(address, compression=None, max_size=None) as connection:
        await asyncio.sleep(chance.uniform(0, len(ANSWER.split()) * TOKEN_DELAY))
        for _ in range(questions):
            await ask(connection, f"When does the {chance.choice(TOPICS)} service run?", times)
            await asyncio.sleep(chance.uniform(*THINK))


async def ask(connection: object, question: str, times: Times) -> None:
    """Ask one question and read the answer to its end."""
    message = {"type": "message.send", "client_message_id": str(uuid.uuid4()), "content": question}
    sent = time.perf_counter()
    await connection.send(json.dumps(message))
    seen: set[str] = set()
    while True:
        event = json.loads(await connection.recv())
        now = (time.perf_counter() - sent) * 1000
        kind = event["type"]
        if kind == "message.accepted":
            times.accepted.append(now)
        elif "event" not in seen:
            seen.add("event")
            times.first_event.append(now)
        if kind == "answer.delta" and "token" not in seen:
            seen.add("token")
            times.first_token.append(now)
        if kind == "turn.completed":
            if event["route"] != "ai" or event["partial"]:
                raise RuntimeError(event)
            times.total.append(now)
            return
        if kind in {"turn.failed", "turn.stopped", "error"}:
            raise RuntimeError(event)


def wait_until_ready(port: int, secret: str) -> None:
    """Ask until the first answer has come: then every process serves."""

    async def once() -> None:
        await person(port, secret, 1, Times(), 0)

    deadline = time.monotonic() + 90
    while True:
        try:
            asyncio.run(asyncio.wait_for(once(), 60))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


async def crowd(port: int, secret: str, people: int) -> Times:
    """Let so many people ask at once."""
    times = Times()
    questions = QUESTIONS.get(people, max(3, 300 // people))
    async with asyncio.TaskGroup() as group:
        for number in range(people):
            group.create_task(person(port, secret, questions, times, number))
    return times


def processor_ms(pid: int) -> float:
    """Return the processor time that a process has used, in milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1000


def row(name: str, values: list[float]) -> str:
    """Return a line of the table."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"| {name} | {len(values)} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} |"


def main() -> None:
    """Measure and print."""
    people = [int(each) for each in sys.argv[1:]] or [1, 50]
    machine = stage.machine()
    stage.begin()
    port, stub_port = free_port(), free_port()
    secret = prepare(stub_port)
    lines: list[str] = []
    costs: list[str] = []
    with processes(port, stub_port) as ours_running:
        wait_until_ready(port, secret)
        for count in people:
            before = {name: processor_ms(pid) for name, pid in ours_running.items()}
            times = asyncio.run(crowd(port, secret, count))
            for name, pid in ours_running.items():
                used = (processor_ms(pid) - before[name]) / len(times.total)
                costs.append(f"{count} at once, {name}: {used:.0f} ms of processor time a question")
            ours = [each - FIRST_TOKEN * 1000 for each in times.first_token]
            lines += [
                row(f"{count} at once: send → accepted", times.accepted),
                row(f"{count} at once: send → first event", times.first_event),
                row(f"{count} at once: send → first token", times.first_token),
                row(f"{count} at once: our part of the first token", ours),
                row(f"{count} at once: send → end", times.total),
            ]
    tokens = len(ANSWER.split())
    print(
        f"\nChat over a stub model: {FIRST_TOKEN * 1000:.0f} ms to its first token, then {tokens}"
    )
    print(f"tokens {TOKEN_DELAY * 1000:.0f} ms apart. Client, stub and servers on one machine:")
    print(machine)
    print(f"\n| milliseconds ({NODES} nodes) | n | P50 | P95 | P99 |\n|---|---|---|---|---|")
    print("\n".join([*lines, "", *costs]))


if __name__ == "__main__":
    main()
