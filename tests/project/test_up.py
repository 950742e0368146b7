"""`manage.py up`: its faults in words, and one whole life from start to stop."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.embedded import CHECKOUT, EmbeddedError
from project.embedded.processes import choose_port, process_command
from project.inference import minilm
from project.up import open_web_socket
from project.up_programs import children
from tests.support.folders import reachable_folder


@pytest.fixture
def data() -> Iterator[Path]:
    folder = reachable_folder()
    yield folder / "data"
    shutil.rmtree(folder)


def environment(data: Path, port: int, **extra: str) -> dict[str, str]:
    """The environment of a newcomer: nothing of these tests' own servers."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "ACERVO_DATA": str(data), "ACERVO_PORT": str(port), "ACERVO_DEMO": "0", **extra}


def run_up(data: Path, port: int, **extra: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=CHECKOUT,
        env=environment(data, port, **extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output_of(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=60)
    return output


def test_a_taken_web_port_is_told_with_its_holder(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        process = run_up(data, port)
        output = output_of(process)
    assert process.returncode == 1
    assert f"Port {port} is taken by another program (process {os.getpid()}" in output
    assert f"ACERVO_PORT={port + 1} make run" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with (
        pytest.raises(EmbeddedError, match=host) as told,
        open_web_socket(host, choose_port(seed=77)),
    ):
        pass
    assert "ACERVO_HOST" in told.value.advice


def test_a_setting_that_cannot_be_read_is_named(data: Path) -> None:
    process = run_up(data, 8000, ACERVO_WEB_PROCESSES="many", ACERVO_PORT="eight")
    output = output_of(process)
    assert process.returncode == 1
    assert "ACERVO_PORT must be a whole number, not 'eight'." in output
    assert "Traceback" not in output


def test_web_processes_share_one_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACERVO_WEB_PROCESSES", "3")
    monkeypatch.setenv("ACERVO_AGENT_PROCESSES", "2")
    monkeypatch.setenv("ACERVO_WORKER_CONCURRENCY", "5")
    programs = {program.name: program for program in children(web_socket=9)}
    assert list(programs) == ["web-1", "web-2", "web-3", "agent-1", "agent-2", "worker", "beat"]
    assert {programs[f"web-{n}"].pass_fds for n in (1, 2, 3)} == {(9,)}
    worker = programs["worker"].command
    assert worker[worker.index("--concurrency") + 1] == "5"
    assert worker[worker.index("--queues") + 1] == "ingest,embed,memory,webhooks,maintenance"


def wait_for_line(log: Path, text: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while text not in (log.read_text() if log.exists() else ""):
        assert process.poll() is None, output_of(process)
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [int(entry.name), *descendants(int(entry.name))]
    return found


def test_it_serves_survives_kills_refuses_a_second_one_and_leaves_nothing_behind(
    data: Path,
) -> None:
    port = choose_port(seed=8642)
    (data / "models").mkdir(parents=True)
    shutil.copy(minilm.ensure_model_file(), data / "models")  # building it is another test's
    first = run_up(data, port, ACERVO_WEB_PROCESSES="1")
    everybody: list[int] = []
    try:
        log = data / "logs" / "acervo.log"
        wait_for_line(log, f"at http://127.0.0.1:{port}/", first)

        second = run_up(data, choose_port(seed=8643))
        assert "Acervo is already running" in output_of(second)
        assert second.returncode == 1

        web = next(p for p in descendants(first.pid) if "project.web" in (process_command(p) or ""))
        os.kill(web, signal.SIGKILL)
        # The listening socket is the supervisor's: this request waits for the next web process.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=60) as answer:
            assert answer.status == 200
        assert "web ended (killed by SIGKILL)" in log.read_text()

        everybody = descendants(first.pid)
        assert len(everybody) >= 6
    finally:
        first.send_signal(signal.SIGTERM)
        output = output_of(first)
    assert first.returncode == 0, output
    assert [pid for pid in everybody if process_command(pid)] == []
    assert "The first admin is admin with the password" in output
    password = output.partition("with the password ")[2].split()[0]
    assert password not in log.read_text()
    stored = json.loads((data / "secrets" / "servers.json").read_text())
    assert stored["postgres_password"] not in output
