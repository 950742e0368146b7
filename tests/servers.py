"""Pytest plugin: a real PostgreSQL and Valkey for this run, gone when it ends, however it ends.

Loaded by `-p tests.servers`, before Django reads its settings. The environment of the developer
is kept out, except ACERVO_TEST_DATABASE_URL, ACERVO_TEST_REDIS_URL and ACERVO_SKIP_BROWSER. With
pytest-xdist all workers share the PostgreSQL of the controller (each has its own test database)
and have a Valkey each.
"""

import atexit
import os
import sys
import tempfile
from pathlib import Path

from project.embedded import EmbeddedError, EmbeddedServers

_KEPT = frozenset({"ACERVO_TEST_DATABASE_URL", "ACERVO_TEST_REDIS_URL", "ACERVO_SKIP_BROWSER"})


def _temporary_folder() -> Path:
    """A folder that the servers' account can enter even when TMPDIR is below /root."""
    parent = "/tmp" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="acervo-tests-", dir=parent))
    folder.chmod(0o755)
    return folder


def _start() -> None:
    is_xdist_worker = "PYTEST_XDIST_WORKER" in os.environ
    database_url = os.environ.get("ACERVO_TEST_DATABASE_URL")
    if is_xdist_worker:
        database_url = os.environ["DATABASE_URL"]
    redis_url = os.environ.get("ACERVO_TEST_REDIS_URL")
    for name in list(os.environ):
        if name.startswith("ACERVO_") and name not in _KEPT:
            del os.environ[name]
    data = _temporary_folder()
    os.environ["ACERVO_DATA"] = str(data)
    servers = EmbeddedServers(
        data, postgres=database_url is None, valkey=redis_url is None, throwaway=True
    )
    try:
        addresses = servers.start()
    except EmbeddedError as error:
        sys.exit(f"The servers for the tests cannot be started. {error}")
    atexit.register(servers.stop)
    os.environ["DATABASE_URL"] = database_url or addresses.database_url or ""
    os.environ["REDIS_URL"] = redis_url or addresses.redis_url or ""


_start()
