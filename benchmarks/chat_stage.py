"""What the benchmarks of chat share: a site with people in it, its processes, and their load.

Two web processes on one listening socket and two agents, as `up` starts them, over a stub model;
the people are a process of their own (`chat_clients.py`).
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes
import stage

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
WEB = AGENTS = 2
NODES = 300
TOPICS = ("ferry", "berth", "tide", "ticket", "refund", "pilot", "crane", "customs", "radio")


@dataclass
class Site:
    """A running Acervo, and who is in it: each a conversation and the cookie of a session."""

    url: str
    origin: str
    people: list[list[str]]
    listener: socket.socket
    environment: dict[str, str]
    web: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    agents: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    others: dict[int, str] = field(default_factory=dict)

    def start_web(self) -> None:
        """Start the web processes."""
        number = self.listener.fileno()
        command = [sys.executable, "-m", "project.web", "--fd", str(number)]
        for _ in range(WEB):
            self.web.append(
                subprocess.Popen(command, cwd=ROOT, env=self.environment, pass_fds=(number,))
            )

    def kill_web(self) -> None:
        """End the web processes as a crash would."""
        for each in self.web:
            each.send_signal(signal.SIGKILL)
            each.wait()
        self.web.clear()

    def stop(self) -> None:
        """End what was started here."""
        running = [*self.web, *self.agents]
        for each in running:
            each.terminate()
        for each in running:
            try:
                each.wait(15)
            except subprocess.TimeoutExpired:
                each.kill()

    def watched(self) -> dict[int, str]:
        """Return the processes by number, with what each is."""
        ours = {each.pid: "web" for each in self.web} | {each.pid: "agents" for each in self.agents}
        return {**ours, **self.others, **processes.postgres_processes()}


class People:
    """The process that plays the people."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "chat_clients.py")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stage.at_end(self.process.kill)

    def begin(self, **command: Any) -> None:
        """Have something done."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for what came of it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit("The process of the people ended.")
        found: dict[str, Any] = json.loads(line)
        return found

    def do(self, **command: Any) -> dict[str, Any]:
        """Have something done and wait for what came of it."""
        self.begin(**command)
        return self.result()


def start(people: int) -> tuple[Site, People]:
    """Start servers, site and people; all of it ends with the program, also when it is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before its time."))
    stage.begin()
    port, stub_port = stage.free_port(), stage.free_port()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2048)
    site = Site(
        url=f"ws://127.0.0.1:{port}",
        origin=f"http://127.0.0.1:{port}",
        people=_people(people),
        listener=listener,
        environment=_environment(port),
    )
    _knowledge(stub_port)
    stage.at_end(site.stop)
    stub = subprocess.Popen(
        [sys.executable, str(FOLDER / "stub_model.py"), str(stub_port)], cwd=ROOT
    )
    stage.at_end(stub.kill)
    stage.wait_for_port(stub_port, stub)
    site.start_web()
    agent = [sys.executable, "manage.py", "agent"]
    site.agents = [subprocess.Popen(agent, cwd=ROOT, env=site.environment) for _ in range(AGENTS)]
    crowd = People()
    site.others = {stub.pid: "stub model", crowd.process.pid: "people", **_valkey()}
    _wait_until_answered(site, crowd)
    return site, crowd


def _environment(port: int) -> dict[str, str]:
    """Limits on single people are off, and so is what spares the model: all of it is asked."""
    return {
        **os.environ,
        "ACERVO_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "MALLOC_ARENA_MAX": "4",
        "ACERVO_RATE_MESSAGES": "",
        "ACERVO_RATE_API": "",
        "ACERVO_RATE_ANONYMOUS": "",
        "ACERVO_ANSWER_CACHE": os.environ.get("ACERVO_ANSWER_CACHE", "0"),
        "ACERVO_CONFIDENCE": "0",
        "ACERVO_LOG_LEVEL": "ERROR",
    }


def _knowledge(stub_port: int) -> None:
    from project.inference.models import ModelEndpoint

    chance = random.Random(7)
    rows = []
    for number in range(NODES):
        topic = TOPICS[number % len(TOPICS)]
        words = " ".join(chance.choice(TOPICS) for _ in range(30))
        text = f"The {topic} service number {number} runs daily. Notes: {words}.\n\n" * 4
        rows.append((str(number), f"{topic.title()} {number}", text))
    stage.index(stage.make_nodes(stage.make_space("bench"), rows))
    ModelEndpoint.objects.create(
        name="stub", model_name="stub", base_url=f"http://127.0.0.1:{stub_port}/v1"
    )


def _people(count: int) -> list[list[str]]:
    """Store people who are signed in, each with a conversation."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.cached_db import SessionStore

    from chat.models import Conversation
    from project.accounts.models import User

    names = [User(username=f"person-{number}", password="!") for number in range(count)]
    users = User.objects.bulk_create(names)
    talks = Conversation.objects.bulk_create([Conversation(user=each) for each in users])
    found = []
    for user, talk in zip(users, talks, strict=True):
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        found.append([str(talk.pk), f"{settings.SESSION_COOKIE_NAME}={session.session_key}"])
    return found


def _valkey() -> dict[int, str]:
    folder = os.environ["ACERVO_DATA"]
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            name = command.split("\0")[0]
            if "valkey-server" in name and _works_in(entry, folder, command):
                found[int(entry.name)] = "Valkey"
    return found


def _works_in(entry: Path, folder: str, command: str) -> bool:
    try:
        return folder in command or str((entry / "cwd").readlink()).startswith(folder)
    except OSError:
        return False


def _wait_until_answered(site: Site, crowd: People) -> None:
    """Let the first ones ask until answers come: then every process serves."""
    until = time.monotonic() + 120
    crowd.do(do="open", url=site.url, origin=site.origin, clients=site.people[:8], a_second=50)
    while True:
        tried = crowd.do(do="load", rate=8, seconds=2)
        if not tried["faults"]:
            break
        if time.monotonic() > until:
            sys.exit(f"No answers: {tried['faults']}")


def processor_shares(before: dict[str, float], site: Site, seconds: float) -> dict[str, float]:
    """Return how many processors each kind of process has used since `before`."""
    after = processes.processor_seconds(site.watched())
    return {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}
