"""A running installation, its processes, and clients for it."""

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
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import websockets

from benchmarks.stage import free_port, machine

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 300.0
STOP_SECONDS = 60.0


class Installation:
    """One `manage.py up` in a folder of its own; `with Installation() as acervo:`.

    Embeddings are hashed unless `environment` says otherwise: most drills are not about them.
    The folder, with the log, is deleted at the end unless DRILL_KEEP is set or the drill crashed.
    """

    def __init__(self, *, demo: bool = False, **environment: str) -> None:
        parent = "/tmp" if os.geteuid() == 0 else None  # servers run as somebody else then
        self.data = Path(tempfile.mkdtemp(prefix="acervo-drill-", dir=parent))
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
        if kind is None and not os.environ.get("DRILL_KEEP"):
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

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command against the installation, as its owner would."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

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
