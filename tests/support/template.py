"""The database that all workers of pytest-xdist copy: migrated once, while they collect.

The process of `begin` migrates a database under a name that nobody knows and gives it its real name
at the end, so that a database of that name is whole.
"""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from project.embedded.processes import process_command

NAME = "ACERVO_TEST_TEMPLATE"
_PROCESS = "ACERVO_TEST_TEMPLATE_PROCESS"
VARIABLES = frozenset({NAME, _PROCESS})
WITHIN = 600  # seconds; a machine may be busy


def begin() -> "subprocess.Popen[bytes]":
    """Start making the template; the workers find it by the environment."""
    name = f"acervo_template_{os.getpid()}"
    root = Path(__file__).resolve().parents[2]
    made = subprocess.Popen([sys.executable, "-m", __name__, name], cwd=root)
    os.environ |= {NAME: name, _PROCESS: str(made.pid)}
    return made


def end(made: "subprocess.Popen[bytes]") -> None:
    """Remove the template, finished or not: the server may live longer than this run."""
    made.terminate()
    made.wait()
    with _server() as connection:
        for name in (os.environ[NAME], _draft(os.environ[NAME])):
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def wait() -> str:
    """Return the name of the template once it is made. Raises RuntimeError when it is not."""
    name, process = os.environ[NAME], int(os.environ[_PROCESS])
    deadline = time.monotonic() + WITHIN
    with _server() as connection:
        while time.monotonic() < deadline:
            # First: it may end between the two questions.
            is_running = process_command(process) is not None
            question = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(question, [name]).fetchone() is not None:
                return name
            if not is_running:
                raise RuntimeError("The database for the tests could not be made: see above.")
            time.sleep(0.1)
    raise RuntimeError(f"The database for the tests was not made within {WITHIN} seconds.")


def _server() -> "psycopg.Connection[Any]":
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def _draft(name: str) -> str:
    return f"{name}_draft"


def _make(name: str) -> None:
    draft = _draft(name)
    address = os.environ["DATABASE_URL"]
    with _server() as connection:
        connection.execute(f'CREATE DATABASE "{draft}"')
        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(address)._replace(path=f"/{draft}"))
        _migrate()
        connection.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')


def _migrate() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    gc.disable()  # a migration makes thousands of classes, which are gone with this process
    call_command("migrate", interactive=False, verbosity=0)
    connection.close()
    connection.close_pool()


if __name__ == "__main__":
    _make(sys.argv[1])
