"""The process that keeps the servers of one data folder running while somebody uses them.

    python -m project.embedded '{"data": "/path", ...}'

1. It takes the keeper's lock; while another keeper has it, it stands by.
2. It starts the servers, and tells in the state file when they are ready or why they are not.
3. A server that dies is started again, after a growing wait, for as long as anybody uses it.
4. When the last user has gone, it stops them and ends. If it is killed itself, the kernel ends
   the servers cleanly, and a standby or the next user starts over.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from project.embedded.backoff import Backoff
from project.embedded.binaries import find_binaries
from project.embedded.errors import EmbeddedError
from project.embedded.folders import prepare_data_folder
from project.embedded.postgres import Postgres
from project.embedded.processes import (
    choose_port,
    file_lock,
    port_holder,
    port_is_free,
    process_start,
)
from project.embedded.server import Server
from project.embedded.settings import load_settings, save_settings
from project.embedded.state import (
    State,
    Status,
    keeper_lock,
    state_path,
    users_lock,
    write_state,
)
from project.embedded.valkey import Valkey

CLEAN_STOP = 15.0  # seconds a server has to stop before it is told to do so at once
_LARGEST_LOG = 5 * 1024**2  # bytes


@dataclass(frozen=True)
class Options:
    """What to keep. `relay`: write the log to standard output instead of the log file;
    not `durable`: speed before safety; `throwaway`: the folder is deleted at the end."""

    data: str
    postgres: bool = True
    valkey: bool = True
    relay: bool = False
    durable: bool = True
    throwaway: bool = False

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Kept:
    """A server with what its keeping needs."""

    server: Server
    backoff: Backoff
    ready: bool = False
    unfinished_line: bytes = b""


class Keeper:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.data = Path(options.data)
        self.kept: list[Kept] = []
        self.selector = selectors.DefaultSelector()
        self.was_ready = False
        self.is_stopping = False
        self.reported: State | None = None
        self.last_progress = time.monotonic()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        while not self.is_stopping:
            with file_lock(keeper_lock(self.data), wait=False) as is_mine:
                if is_mine:
                    return self._keep()
            with file_lock(users_lock(self.data), wait=False) as is_unused:
                if is_unused:
                    break
            time.sleep(0.1)
        return 0

    def _stop_soon(self, *_: object) -> None:
        self.is_stopping = True

    def _keep(self) -> int:
        try:
            self._report("starting")
            self._prepare()
            while not self.is_stopping:
                self._tend()
                with file_lock(users_lock(self.data), wait=False) as is_unused:
                    if is_unused:
                        # Held until the end: a new user waits for it and finds no keeper then.
                        return self._stop()
            return self._stop()
        except EmbeddedError as error:
            self._stop()
            self._report("failed", error.problem, error.advice)
            return 1

    def _prepare(self) -> None:
        account = prepare_data_folder(self.data)
        settings = load_settings(self.data)
        binaries = find_binaries(self.data, account)
        kinds: list[type[Server]] = []
        if self.options.postgres:
            kinds.append(Postgres)
        if self.options.valkey:
            kinds.append(Valkey)
        for kind in kinds:
            server = kind(self.data, settings, binaries, account)
            if isinstance(server, Postgres):
                server.durable = self.options.durable
            self.kept.append(Kept(server, Backoff()))

    def _tend(self) -> None:
        """One round: start what is down, read what they write, note who is ready."""
        now = time.monotonic()
        for kept in self.kept:
            process = kept.server.process
            if process is None:
                if now >= kept.backoff.not_before:
                    self._start(kept)
            elif process.poll() is not None:
                self._bury(kept)
            elif not kept.ready:
                kept.ready = kept.server.is_ready()
        all_ready = all(kept.ready for kept in self.kept)
        if all_ready:
            self.was_ready = True
            self._report("ready")
        else:
            waiting = " and ".join(k.server.name for k in self.kept if not k.ready)
            self._report("starting", f"waiting for {waiting}")
            self._say_progress(waiting, now)
        self._read_output(0.25 if all_ready else 0.02)

    def _say_progress(self, waiting: str, now: float) -> None:
        if now - self.last_progress > 10:
            self.last_progress = now
            self._log("servers", f"still waiting for {waiting} (after a crash it may recover long)")

    def _start(self, kept: Kept) -> None:
        server = kept.server
        try:
            self._settle_port(server)
            server.prepare()
            process = server.start()
        except EmbeddedError as error:
            if not self.was_ready:
                raise
            wait = kept.backoff.died(time.monotonic())
            self._log("servers", f"{error.problem} {error.advice}. Next try in {wait:.0f} s.")
            return
        kept.backoff.started(time.monotonic())
        self.last_progress = time.monotonic()
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self.selector.register(process.stdout, selectors.EVENT_READ, kept)

    def _settle_port(self, server: Server) -> None:
        """Take another port when somebody else has ours. Once in use it cannot change."""
        if port_is_free(server.port):
            return
        holder = port_holder(server.port)
        if self.was_ready:
            raise EmbeddedError(
                f"{server.name}'s port {server.port} is taken by another program{holder}.",
                "stop that program, or restart Acervo to choose another port",
            )
        settings = server.settings
        used = frozenset({settings.postgres_port, settings.valkey_port})
        port = choose_port(server.port, used)
        if isinstance(server, Postgres):
            settings = replace(settings, postgres_port=port)
        else:
            settings = replace(settings, valkey_port=port)
        self._log(
            "servers",
            f"port {server.port} is taken by another program{holder};"
            f" {server.name} listens on {port} from now on",
        )
        save_settings(self.data, settings)
        for kept in self.kept:
            kept.server.settings = settings

    def _bury(self, kept: Kept) -> None:
        """After a server's end: note its last words; at the first start they may be final."""
        server = kept.server
        self._read_output(0)
        process = server.process
        if process is not None and process.stdout is not None:
            with contextlib.suppress(KeyError):
                self.selector.unregister(process.stdout)
            process.stdout.close()
        reason = server.explain()
        server.process = None
        kept.ready = False
        self.last_progress = time.monotonic()
        wait = kept.backoff.died(time.monotonic())
        if not self.was_ready and not server.may_try_again():
            raise reason
        self._log("servers", f"{reason.problem} Starting it again in {wait:.1f} s.")

    def _stop(self) -> int:
        self.is_stopping = True
        self._report("stopping")
        started = time.monotonic()
        running = [k for k in self.kept if k.server.process is not None]
        for kept in running:
            self._signal(kept, kept.server.stop_signal)
        while any(k.server.process and k.server.process.poll() is None for k in running):
            late = time.monotonic() - started - CLEAN_STOP
            if late > 0:
                for kept in running:
                    self._signal(kept, signal.SIGQUIT if late < 3 else signal.SIGKILL)
            self._read_output(0.02 if late < 0 else 0.5)
        self._read_output(0)
        for kept in self.kept:
            kept.server.process = None
        state_path(self.data).unlink(missing_ok=True)
        if self.options.throwaway:
            shutil.rmtree(self.data, ignore_errors=True)
        return 0

    def _signal(self, kept: Kept, number: signal.Signals) -> None:
        process = kept.server.process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def _read_output(self, patience: float) -> None:
        for key, _ in self.selector.select(patience):
            kept: Kept = key.data
            part = os.read(key.fd, 65536)
            if not part:
                self.selector.unregister(key.fileobj)
            *lines, kept.unfinished_line = (kept.unfinished_line + part).split(b"\n")
            for raw in lines:
                line = raw.decode(errors="replace").rstrip()
                kept.server.tail.append(line)
                if tidy := kept.server.tidy(line):
                    self._log(kept.server.name.lower(), tidy)
        if not self.selector.get_map():
            time.sleep(patience)

    def _log(self, source: str, line: str) -> None:
        if self.options.relay:
            try:
                sys.stdout.write(f"{source}\t{line}\n")
                sys.stdout.flush()
            except OSError:
                self.options = replace(self.options, relay=False)
            else:
                return
        path = self.data / "logs" / "servers.log"
        with contextlib.suppress(OSError):  # a full disk must not take the keeper down
            if path.exists() and path.stat().st_size > _LARGEST_LOG:
                path.replace(path.with_suffix(".log.1"))
            with path.open("a") as file:
                file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {source:10} {line}\n")

    def _report(self, status: Status, message: str = "", advice: str = "") -> None:
        pids = {k.server.name: k.server.process.pid if k.server.process else 0 for k in self.kept}
        own = os.getpid()
        state = State(status, own, process_start(own), pids, message, advice)
        if state != self.reported:
            self.reported = state
            write_state(self.data, state)
