"""The embedded servers: real ones, in folders of their own."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from project.embedded import CHECKOUT, Addresses, EmbeddedServers
from project.embedded.processes import file_lock, process_command
from project.embedded.state import State, keeper_lock, read_state
from tests.support.folders import reachable_folder

Make = Callable[[], EmbeddedServers]


@pytest.fixture
def data() -> Iterator[Path]:
    folder = reachable_folder()
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def make(data: Path) -> Iterator[Make]:
    made: list[EmbeddedServers] = []

    def make_one() -> EmbeddedServers:
        made.append(EmbeddedServers(data, durable=False, say=lambda _line: None))
        return made[-1]

    yield make_one
    for one in made:
        one.stop()
    assert read_state(data) is None, "the keeper outlived its users"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Addresses, Path]]:
    """Servers for the tests that only look."""
    folder = reachable_folder()
    servers = EmbeddedServers(folder / "data", durable=False, say=lambda _line: None)
    yield servers.start(), folder / "data"
    servers.stop()
    shutil.rmtree(folder)


def query(addresses: Addresses, sql: str) -> object:
    assert addresses.database_url
    with psycopg.connect(addresses.database_url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def valkey(addresses: Addresses) -> redis.Redis:
    assert addresses.redis_url
    return redis.Redis.from_url(addresses.redis_url, decode_responses=True)


def wait_for_state(data: Path, holds: Callable[[State], bool]) -> State:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = read_state(data)
        if state is not None and holds(state):
            return state
        time.sleep(0.02)
    pytest.fail(f"the servers' state stayed {read_state(data)}")


def test_the_servers_keep_their_data_and_addresses_between_starts(make: Make) -> None:
    servers = make()
    first = servers.start()
    query(first, "CREATE TABLE kept AS SELECT 7 AS number")
    valkey(first).set("kept", "yes")
    servers.stop()
    second = make().start()
    assert second == first
    assert query(second, "SELECT number FROM kept") == 7
    assert valkey(second).get("kept") == "yes"


def test_the_application_is_no_superuser_and_new_databases_have_vectors(
    running: tuple[Addresses, Path],
) -> None:
    addresses, _ = running
    assert query(addresses, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert query(addresses, "SELECT '[1,2]'::vector <-> '[1,4]'::vector") == 2.0
    query(addresses, "CREATE DATABASE another")
    assert addresses.database_url
    another = Addresses(addresses.database_url.removesuffix("acervo") + "another", None)
    assert query(another, "SELECT vector_dims('[1,2,3]'::vector)") == 3


def test_text_is_compared_the_same_way_under_every_locale(
    running: tuple[Addresses, Path],
) -> None:
    assert query(running[0], "SELECT lower('ÉÄß Ж')") == "éäß ж"


def test_strangers_are_refused_and_secrets_are_private(running: tuple[Addresses, Path]) -> None:
    addresses, data = running
    assert addresses.database_url
    assert addresses.redis_url
    user, _, rest = addresses.database_url.partition("@")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{user[:-4]}0000@{rest}")
    port = addresses.redis_url.rpartition(":")[2].partition("/")[0]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=int(port), retry=None).ping()
    private = [data / "secrets", data / "secrets" / "servers.json", data / "postgres"]
    private += [data / "valkey", data / "valkey" / "valkey.conf"]
    assert [p for p in private if stat.S_IMODE(p.stat().st_mode) & 0o077] == []
    passwords = json.loads((data / "secrets" / "servers.json").read_text()).values()
    state = read_state(data)
    assert state is not None
    for pid in state.servers.values():
        command = process_command(pid) or ""
        assert not [word for word in passwords if isinstance(word, str) and word in command]


def test_several_users_share_the_servers_and_the_last_one_ends_them(make: Make, data: Path) -> None:
    first, second = make(), make()
    assert first.start() == second.start()
    before = read_state(data)
    first.stop()
    assert read_state(data) == before
    second.stop()
    assert read_state(data) is None
    assert before is not None
    assert [process_command(pid) for pid in before.servers.values()] == [None, None]


def test_the_servers_end_when_their_only_user_is_killed(data: Path) -> None:
    program = (
        "import pathlib, sys, time; from project.embedded import EmbeddedServers;"
        "EmbeddedServers(pathlib.Path(sys.argv[1])).start(); print('up', flush=True);"
        "time.sleep(60)"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", program, str(data)], cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    assert user.stdout is not None
    assert user.stdout.readline() == b"up\n"
    state = read_state(data)
    assert state is not None
    user.kill()
    user.wait()
    user.stdout.close()
    deadline = time.monotonic() + 30
    pids = [state.keeper, *state.servers.values()]
    while any(process_command(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [process_command(pid) for pid in pids] == [None, None, None]


@pytest.mark.parametrize("name", ["PostgreSQL", "Valkey"])
def test_a_killed_server_comes_back_with_everything_it_had(
    make: Make, data: Path, name: str
) -> None:
    addresses = make().start()
    query(addresses, "CREATE TABLE kept AS SELECT 7 AS number")
    valkey(addresses).set("kept", "yes")
    state = read_state(data)
    assert state is not None
    os.kill(state.servers[name], signal.SIGKILL)
    wait_for_state(
        data, lambda now: now.status == "ready" and now.servers[name] != state.servers[name]
    )
    assert query(addresses, "SELECT number FROM kept") == 7
    assert valkey(addresses).get("kept") == "yes"


def test_a_killed_keeper_leaves_nothing_in_the_way_of_the_next(make: Make, data: Path) -> None:
    addresses = make().start()
    query(addresses, "CREATE TABLE kept AS SELECT 7 AS number")
    state = read_state(data)
    assert state is not None
    os.kill(state.keeper, signal.SIGKILL)
    # A signal is not the end: until it has gone, the keeper holds its lock and is taken for alive.
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with file_lock(keeper_lock(data), wait=False) as is_free:
            if is_free:
                break
        time.sleep(0.01)
    assert query(make().start(), "SELECT number FROM kept") == 7
    assert [process_command(pid) for pid in state.servers.values()] == [None, None]
