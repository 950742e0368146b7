"""The doctor: each fault is found, told and followed by a remedy."""

import io
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from project import heartbeat
from project.aio import sync_redis
from project.embedded.processes import choose_port
from project.inference import minilm
from project.management import doctor_machine, doctor_services
from project.management.findings import Finding
from tests.support.folders import reachable_folder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_old_heartbeats() -> None:
    sync_redis().flushdb()


@pytest.fixture
def data() -> Iterator[Path]:
    folder = reachable_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def free_port(settings: Settings) -> int:
    settings.ACERVO_PORT = choose_port(seed=4242)
    return int(settings.ACERVO_PORT)


@pytest.fixture
def ready_web(free_port: int) -> Iterator[None]:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", free_port), Ready)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def ills(findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.health == "ill"]


@pytest.mark.usefixtures("ready_web")
def test_a_healthy_installation_is_told_so_in_full() -> None:
    for process in heartbeat.PROCESSES:
        heartbeat.beat(process)
    said = io.StringIO()
    try:
        call_command("doctor", stdout=said, no_color=True)
    except SystemExit:
        pytest.fail(said.getvalue(), pytrace=False)
    text = said.getvalue()
    assert text.endswith("All is well.\n")
    for subject in ("Python", "Data folder", "PostgreSQL", "pgvector", "Migrations", "Valkey"):
        assert f"ok    {subject}" in text
    for subject in ("Web", "Agent", "Worker", "Beat", "Embedding"):
        assert f"ok    {subject}" in text


@pytest.mark.usefixtures("free_port")
def test_dead_processes_are_named_with_a_remedy_and_the_status_is_1() -> None:
    heartbeat.beat("worker")
    said = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=said, no_color=True)
    text = said.getvalue()
    assert end.value.code == 1
    for process in ("Web", "Agent", "Beat"):
        assert f"BAD   {process:<15} none has shown its life" in text
    assert "BAD   Worker" not in text
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("BAD"):
            assert "what to do: " in lines[number + 1]


def test_a_database_that_is_away_is_told_at_once(
    settings: Settings, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", str(free_port))
    (finding,) = doctor_services.look_at_database()
    assert finding.health == "ill"
    assert "refused" in finding.text
    assert "DATABASE_URL" in finding.advice


def test_pending_migrations_are_counted() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    (finding,) = ills(doctor_services.look_at_database())
    assert (finding.subject, finding.text) == (
        "Migrations",
        "1 not applied, the first is sessions 0001_initial",
    )


def test_damaged_model_files_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(minilm.SHA256, "tokenizer.json", "0" * 64)
    (finding,) = ills(doctor_services.look_at_embedding_model())
    assert "tokenizer.json is damaged" in finding.text


def test_secrets_that_others_may_read_are_named(settings: Settings, data: Path) -> None:
    settings.ACERVO_DATA = data
    (data / "secrets").mkdir()
    (data / "secrets" / "key").write_text("x")
    (data / "secrets" / "key").chmod(0o644)
    (finding,) = ills(doctor_machine.look_at_data_folder())
    assert "others" not in finding.advice
    assert "key" in finding.text
    (data / "secrets" / "key").chmod(0o600)
    assert ills(doctor_machine.look_at_data_folder()) == []


def test_a_missing_data_folder_is_told(settings: Settings, tmp_path: Path) -> None:
    settings.ACERVO_DATA = tmp_path / "nowhere"
    (finding,) = doctor_machine.look_at_data_folder()
    assert "does not exist" in finding.text


def test_a_look_that_breaks_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look_at_nothing() -> Iterator[Finding]:
        raise ImportError("no module named x")
        yield

    monkeypatch.setattr(
        "project.management.commands.doctor.LOOKS",
        (look_at_nothing, doctor_machine.look_at_python),
    )
    said = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=said, no_color=True)
    assert "BAD   Nothing         could not be examined: ImportError" in said.getvalue()
    assert "ok    Python" in said.getvalue()


def test_a_heartbeat_of_an_ended_process_is_forgotten_and_a_living_ones_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heartbeat.beat("web")
    with monkeypatch.context() as past:
        past.setattr("project.heartbeat.os.getpid", lambda: 2**22 + 1)  # above any real process id
        heartbeat.beat("agent")
    assert [one.process for one in heartbeat.living()] == ["agent", "web"]
    heartbeat.forget_the_dead()
    assert [one.process for one in heartbeat.living()] == ["web"]
    heartbeat.withdraw("web")
    assert heartbeat.living() == []
