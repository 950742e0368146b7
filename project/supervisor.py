"""Keeps a handful of processes running, and ends all of them when it ends, however it ends.

Each child leads a session of its own (Ctrl-C in the terminal reaches only the supervisor) and is
killed by the kernel when the supervisor dies. When a child ends, what is left of its process group
is killed too; orphans of deeper generations become children of the supervisor and are buried here.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType

from project.embedded.backoff import Backoff
from project.embedded.processes import adopt_orphans, describe_status, die_with_parent
from project.logbook import LogBook

_ROUND = 0.1  # seconds between two looks at the children
_WORRYING = 5  # deaths in a row after which the log says what to do

# How a child is asked to stop: (seconds after the first request, signal).
StopSteps = tuple[tuple[float, signal.Signals], ...]
POLITE: StopSteps = ((0.0, signal.SIGTERM), (12.0, signal.SIGKILL))


class StopRequested(Exception):
    """Somebody asked the supervisor to stop while it was waiting for something."""


@dataclass(frozen=True)
class Program:
    """What to run. `is_relay`: its lines are `source<TAB>text`. `is_left_alone`: not ended here."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_steps: StopSteps = POLITE
    pass_fds: tuple[int, ...] = ()
    is_relay: bool = False
    is_left_alone: bool = False


@dataclass
class Child:
    """A program and its present process; `process` is None while it waits to start again."""

    program: Program
    restarts: bool
    process: subprocess.Popen[bytes] | None = None
    backoff: Backoff = field(default_factory=Backoff)
    deaths_in_a_row: int = 0
    status: int | None = None


class Supervisor:
    """Starts programs and tends them from the main thread: `tend()` is one round."""

    def __init__(
        self, log: LogBook, *, after_death: Callable[[str, int], None] | None = None
    ) -> None:
        self.log = log
        self.children: list[Child] = []
        self.stop_requests = 0
        self._after_death = after_death

    def take_charge(self) -> None:
        """Handle SIGINT and SIGTERM from now on, and become the parent of orphans."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_stop_request)
        adopt_orphans()

    def start(self, program: Program, *, restarts: bool = True) -> Child:
        child = Child(program, restarts)
        self.children.append(child)
        self._start(child)
        return child

    def run_to_end(self, program: Program) -> int:
        """Run a program once while tending the others; its exit status. Raises StopRequested."""
        child = self.start(program, restarts=False)
        while child.status is None:
            self.tend()
        self.children.remove(child)
        return child.status

    def tend(self, patience: float = _ROUND) -> None:
        """Bury and restart what died, then wait a little. Raises StopRequested."""
        self._bury_the_dead()
        now = time.monotonic()
        for child in self.children:
            if child.process is None and child.restarts and now >= child.backoff.not_before:
                self._start(child)
        self.check_stop()
        time.sleep(patience)
        self.check_stop()

    def check_stop(self) -> None:
        if self.stop_requests:
            raise StopRequested

    def stop(self) -> None:
        """End all children that are not left alone, politely until a second request comes."""
        began = time.monotonic()
        leaving = [c for c in self.children if not c.program.is_left_alone]
        for child in self.children:
            child.restarts = False
        sent: dict[str, int] = {}
        last_said = began
        while any(c.process is not None for c in leaving):
            now = time.monotonic()
            for child in leaving:
                self._ask_to_stop(child, now - began, sent)
            if now - last_said > 3:
                last_said = now
                waiting = ", ".join(c.program.name for c in leaving if c.process)
                self.log.write("up", f"waiting for {waiting} to finish (Ctrl-C again to end now)")
            time.sleep(0.02)
            self._bury_the_dead()

    def bury_all(self, patience: float) -> None:
        """Wait, for `patience` seconds at most, until those left alone have ended by themselves."""
        deadline = time.monotonic() + patience
        while any(c.process for c in self.children) and time.monotonic() < deadline:
            time.sleep(0.02)
            self._bury_the_dead()

    def _ask_to_stop(self, child: Child, elapsed: float, sent: dict[str, int]) -> None:
        steps = child.program.stop_steps
        if self.stop_requests > 1:
            elapsed = float("inf")
        due = sum(1 for after, _ in steps if elapsed >= after)
        if child.process is not None and due > sent.get(child.program.name, 0):
            sent[child.program.name] = due
            number = steps[due - 1][1]
            with contextlib.suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(child.process.pid, number)
                else:
                    child.process.send_signal(number)

    def _on_stop_request(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1

    def _start(self, child: Child) -> None:
        program = child.program
        now = time.monotonic()
        try:
            process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment},
                pass_fds=program.pass_fds,
                start_new_session=True,
                preexec_fn=None if program.is_left_alone else die_with_parent(os.getpid()),
            )
        except OSError as error:  # no memory or no process table entry left: later there may be
            wait = child.backoff.died(now)
            self.log.write(
                "up", f"{program.name} cannot be started: {error}; next try in {wait:.0f} s"
            )
            return
        child.process = process
        child.backoff.started(now)
        threading.Thread(
            target=self._read, args=(program, process), name=f"log-{program.name}", daemon=True
        ).start()

    def _read(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            source = program.name
            if program.is_relay and "\t" in line:
                source, _, line = line.partition("\t")
            if line:
                self.log.write(source, line)
        process.stdout.close()

    def _bury_the_dead(self) -> None:
        known = {c.process.pid: c for c in self.children if c.process is not None}
        if sys.platform == "linux":
            # Left as zombies for the moment, so that their group ids cannot be in use again.
            while (pid := _dead_child()) is not None:
                child = known.get(pid)
                if child is None:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, 0)
                    continue
                self._bury(child)
                del known[pid]
        for child in known.values():
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)

    def _bury(self, child: Child) -> None:
        process, program = child.process, child.program
        if process is None:
            return
        if not program.is_left_alone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        child.status = process.wait()
        child.process = None
        if self._after_death is not None:
            self._after_death(program.name, process.pid)
        if child.restarts:
            self._plan_restart(child)

    def _plan_restart(self, child: Child) -> None:
        program = child.program
        wait = child.backoff.died(time.monotonic())
        child.deaths_in_a_row = child.deaths_in_a_row + 1 if wait > 0.2 else 1
        reason = describe_status(child.status)
        self.log.write("up", f"{program.name} ended ({reason}); starting it again in {wait:.1f} s")
        if child.deaths_in_a_row >= _WORRYING:
            self.log.write(
                "up",
                f"{program.name} has ended {child.deaths_in_a_row} times in a row: read its lines"
                " above, and see what `manage.py doctor` says",
            )


def _dead_child() -> int | None:
    """The id of a child that has ended and is not buried yet."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found is not None else None
