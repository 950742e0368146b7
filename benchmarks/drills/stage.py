"""What the drills share: a running installation, clients for it, and the table of the verdict."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import websockets

from benchmarks.stage import free_port, machine, table

CHECKOUT = Path(__file__).resolve().parents[2]
FINAL = {"completed", "failed", "stopped"}
FINAL_EVENTS = {"turn.completed", "turn.failed", "turn.stopped"}
JOB_FINAL = {"completed", "failed", "cancelled"}
START_SECONDS = 300.0
STOP_SECONDS = 60.0
T = TypeVar("T")
Row = dict[str, Any]


class Installation:
    """One `manage.py up` in a folder of its own; `with Installation() as acervo:`.

    Embeddings are hashed unless `environment` says otherwise: most drills are not about them.
    """

    def __init__(self, *, demo: bool = False, **environment: str) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="acervo-drill-", dir="/tmp"))
        self.data.chmod(0o755)
        self.port = free_port()
        self.key = "drill-" + secrets.token_urlsafe(24)
        self.password = secrets.token_urlsafe(12)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ACERVO")},
            "ACERVO_DATA": str(self.data),
            "ACERVO_PORT": str(self.port),
            "ACERVO_BOOTSTRAP_API_KEY": self.key,
            "ACERVO_ADMIN_USERNAME": "admin",
            "ACERVO_ADMIN_PASSWORD": self.password,
            "ACERVO_DEMO": "1" if demo else "0",
            "ACERVO_EMBEDDING": "hashing",
            "ACERVO_RATE_API": "",
            "ACERVO_RATE_MESSAGES": "",
            "ACERVO_RATE_UPLOADS": "",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.extra: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Installation":
        print(machine(), flush=True)
        began = time.monotonic()
        with (self.data / "drill.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_ready(START_SECONDS)
        except BaseException:
            self.close()
            raise
        print(f"ready after {time.monotonic() - began:.0f} s in {self.data}", flush=True)
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        self.close()
        if kind is None:
            shutil.rmtree(self.data, ignore_errors=True)
        else:
            print(f"the folder is kept: {self.data}", flush=True)

    def close(self) -> None:
        """Stop the installation as a person does."""
        for process in [*self.extra, self.process]:
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                print("it did not stop when asked to", flush=True)

    def wait_ready(self, seconds: float) -> float:
        """Wait until `/health/ready` says 200; return how long that took, or exit."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process is not None and self.process.poll() is not None:
                sys.exit(f"Acervo ended: {self.log_tail()}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
                    return time.monotonic() - began
            time.sleep(0.25)
        sys.exit(f"Acervo was not ready after {seconds:.0f} s: {self.log_tail()}")

    def log_tail(self, lines: int = 15) -> str:
        """Return the end of what `up` wrote."""
        text = (self.data / "drill.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def log_lines(self, *needles: str) -> list[str]:
        """Return the lines of the log that hold one of these."""
        text = (self.data / "drill.log").read_text(errors="replace")
        return [line for line in text.splitlines() if any(each in line for each in needles)]

    # -- processes -----------------------------------------------------------------------------

    def servers(self) -> dict[str, int]:
        """Return the process ids of the embedded servers that run now."""
        try:
            state = json.loads((self.data / "run" / "servers.json").read_text())
        except (OSError, ValueError):
            return {}
        running = {name.lower(): pid for name, pid in state["servers"].items() if pid}
        return {"postgres" if "postgres" in name else name: pid for name, pid in running.items()}

    def children(self) -> dict[str, int]:
        """Return the process ids of what `up` runs now, by web, agent, worker, beat and servers."""
        assert self.process
        marks = {"project.web": "web", "celery": "worker", " agent": "agent", " beat": "beat"}
        found: dict[str, int] = {}
        for pid, command in _children_of(self.process.pid):
            for mark, name in marks.items():
                if mark in command:
                    found[name if name not in found else f"{name}-{pid}"] = pid
                    break
        return found | self.servers()

    def run(self, code: str) -> str:
        """Run Python in `manage.py shell` of this installation and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            sys.exit(f"manage.py shell failed: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def redis_url(self) -> str:
        """Return the address of the embedded Valkey."""
        return self.run("from django.conf import settings; print(settings.REDIS_URL)").splitlines()[
            -1
        ]

    def database_url(self) -> str:
        """Return the address of the embedded Postgres."""
        return self.run("import os; print(os.environ['DATABASE_URL'])").splitlines()[-1]

    def flush(self) -> None:
        """Empty Valkey."""
        import redis

        client = redis.Redis.from_url(self.redis_url())
        client.flushall()
        client.close()

    # -- clients -------------------------------------------------------------------------------

    def client(self, key: str | None = None, *, seconds: float = 30.0) -> httpx.Client:
        """Return a client of the REST API."""
        return httpx.Client(base_url=self.url, headers=_headers(key or self.key), timeout=seconds)

    def async_client(self, key: str | None = None, *, seconds: float = 30.0) -> httpx.AsyncClient:
        """Return an asynchronous client of the REST API."""
        limits = httpx.Limits(max_connections=200)
        return httpx.AsyncClient(
            base_url=self.url,
            headers=_headers(key or self.key),
            timeout=seconds,
            limits=limits,
        )

    def make_user(self, name: str) -> str:
        """Make a user without any role; return an API key of theirs with every scope."""
        secret = f"drill-{name}-{secrets.token_urlsafe(20)}"
        self.run(
            "from project.accounts.models import User, ApiKey\n"
            "from project.accounts.choices import Scope\n"
            "from project.accounts.services import api_key_create\n"
            f"user = User.objects.create_user({name!r}, password={self.password!r})\n"
            "scopes = [each for each in Scope.values if each not in ('admin', 'memory:any')]\n"
            f"api_key_create(acting_user=user, name='drill', scopes=scopes, secret={secret!r})\n"
        )
        return secret

    @contextlib.asynccontextmanager
    async def socket(self, path: str, key: str | None = None) -> AsyncIterator[Any]:
        """Open a socket with a fresh token."""
        async with self.async_client(key) as http:
            token = (await http.post("/api/v1/ws-tokens/", json={})).json()["token"]
        address = f"ws://127.0.0.1:{self.port}{path}?token={token}"
        async with websockets.connect(address, proxy=None, open_timeout=30) as socket:
            yield socket


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _children_of(parent: int) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            stat = (folder / "stat").read_text()
            state, ppid = stat.rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(folder.name), command.decode(errors="replace")


# -- what clients do ----------------------------------------------------------------------------


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
