"""The supervisor, with small programs in the places of web, agent and worker."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from project.embedded import CHECKOUT
from project.embedded.backoff import Backoff
from project.embedded.processes import describe_status, process_command
from project.logbook import LogBook
from project.supervisor import Child, Program, StopRequested, Supervisor

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).wait()"


def python(name: str, code: str, **extra: object) -> Program:
    return Program(name, [sys.executable, "-c", code], **extra)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> LogBook:
    return LogBook(tmp_path / "acervo.log", terminal=io.StringIO())


@pytest.fixture
def supervisor(log: LogBook) -> Iterator[Supervisor]:
    one = Supervisor(log)
    yield one
    one.stop_requests = 2
    one.stop()


def tend_until(supervisor: Supervisor, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        supervisor.tend(0.01)


def logged(supervisor: Supervisor) -> str:
    path = supervisor.log.path
    return path.read_text() if path.exists() else ""


def pid_of(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


def test_a_killed_child_is_started_again_and_the_log_says_why(supervisor: Supervisor) -> None:
    child = supervisor.start(python("web", SLEEP))
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)
    tend_until(supervisor, lambda: child.process is not None and child.process.pid != first)
    assert "web ended (killed by SIGKILL); starting it again in 0.2 s" in logged(supervisor)


def test_a_child_that_keeps_failing_is_tried_ever_more_slowly_and_never_given_up(
    supervisor: Supervisor,
) -> None:
    child = supervisor.start(python("agent", "raise SystemExit(3)"))
    child.backoff.wait = 6.4
    child.deaths_in_a_row = 4
    tend_until(supervisor, lambda: child.process is None)
    text = logged(supervisor)
    assert "agent ended (status 3); starting it again in 12.8 s" in text
    assert "agent has ended 5 times in a row" in text
    assert child.restarts


def test_the_wait_doubles_up_to_a_limit_and_a_long_life_resets_it() -> None:
    backoff = Backoff()
    waits = []
    for _ in range(9):
        backoff.started(0.0)
        waits.append(backoff.died(1.0))
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
    backoff.started(100.0)
    assert backoff.died(161.0) == 0.2


def test_what_a_child_started_ends_with_it(supervisor: Supervisor) -> None:
    child = supervisor.start(python("worker", PARENT))
    group = pid_of(child)
    tend_until(supervisor, lambda: " | " in logged(supervisor) and "up" in logged(supervisor))
    os.kill(group, signal.SIGKILL)
    tend_until(supervisor, lambda: child.process is None or child.process.pid != group)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and members_of_group(group):
        time.sleep(0.02)
    assert members_of_group(group) == []


def members_of_group(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[2]) == group and stat[0] != "Z":
                found.append(int(entry.name))
    return found


def test_a_stop_is_polite_first_and_then_certain(supervisor: Supervisor) -> None:
    steps = ((0.0, signal.SIGTERM), (0.5, signal.SIGKILL))
    polite = supervisor.start(python("web", SLEEP, stop_steps=steps))
    stubborn = supervisor.start(python("worker", STUBBORN, stop_steps=steps))
    tend_until(supervisor, lambda: logged(supervisor).count("up") == 2)
    supervisor.stop()
    assert (polite.status, stubborn.status) == (-signal.SIGTERM, -signal.SIGKILL)
    assert "starting it again" not in logged(supervisor)


def test_a_stop_request_interrupts_waiting(supervisor: Supervisor) -> None:
    supervisor.start(python("prepare", SLEEP), restarts=False)
    supervisor.stop_requests = 1
    with pytest.raises(StopRequested):
        supervisor.run_to_end(python("again", SLEEP))


def test_a_program_that_runs_once_gives_its_status_and_is_not_started_again(
    supervisor: Supervisor,
) -> None:
    assert supervisor.run_to_end(python("prepare", "raise SystemExit(4)")) == 4
    assert supervisor.children == []


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys, pathlib
from project.logbook import LogBook
from project.supervisor import Program, Supervisor
supervisor = Supervisor(LogBook(pathlib.Path(sys.argv[1]) / "log"))
child = supervisor.start(Program("web", [sys.executable, "-c", {SLEEP!r}]))
print("child", child.process.pid, flush=True)
while True:
    supervisor.tend()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    pid = int(next(line for line in process.stdout if line.startswith(b"child")).split()[1])
    assert process_command(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while process_command(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process_command(pid) is None


def test_lines_of_a_relay_carry_the_names_it_gives(supervisor: Supervisor) -> None:
    code = "print('valkey\\tready'); print('no name')"
    supervisor.run_to_end(python("servers", code, is_relay=True))
    deadline = time.monotonic() + 5
    while "no name" not in logged(supervisor) and time.monotonic() < deadline:
        time.sleep(0.01)
    first, second = logged(supervisor).splitlines()
    assert (first.split()[0], first.split()[-1]) == ("valkey", "ready")
    assert second.startswith("servers    | ")


def test_statuses_are_told_in_words() -> None:
    assert describe_status(-9) == "killed by SIGKILL"
    assert describe_status(2) == "status 2"


def test_the_log_file_is_rotated_and_has_no_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("project.logbook.LARGEST_FILE", 200)
    book = LogBook(tmp_path / "acervo.log", terminal=Terminal())
    for number in range(40):
        book.write("web", f"line {number}")
    book.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["acervo.log", *(f"acervo.log.{n}" for n in range(1, 6))]
    assert "\x1b" not in "".join(path.read_text() for path in tmp_path.iterdir())
    assert "\x1b[36mweb" in book.terminal.getvalue()  # type: ignore[attr-defined]


def test_a_json_log_names_the_process_in_every_line(tmp_path: Path) -> None:
    terminal = io.StringIO()
    book = LogBook(tmp_path / "acervo.log", terminal=terminal, as_json=True)
    book.write("web", '{"event": "request", "status": 200}')
    book.write("valkey", 'said "hello"')
    first, second = map(json.loads, terminal.getvalue().splitlines())
    assert first == {"process": "web", "event": "request", "status": 200}
    assert (second["process"], second["event"]) == ("valkey", 'said "hello"')


def test_a_password_shown_on_the_terminal_is_not_kept(tmp_path: Path) -> None:
    terminal = io.StringIO()
    book = LogBook(tmp_path / "acervo.log", terminal=terminal)
    book.show("the password is x")
    book.write("up", "ready")
    assert "password" in terminal.getvalue()
    assert "password" not in book.path.read_text()
