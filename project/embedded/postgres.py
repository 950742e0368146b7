"""PostgreSQL with pgvector in `<data>/postgres`."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from project.embedded.binaries import POSTGRES_MAJOR, version_of
from project.embedded.errors import EmbeddedError
from project.embedded.folders import folder_error, make_folder, run_as
from project.embedded.memory import MEGABYTE, memory_of_machine, memory_settings
from project.embedded.processes import die_with_parent, process_command
from project.embedded.server import Server, server_environment
from project.embedded.settings import DATABASE, ROLE, SUPERUSER

MAX_CONNECTIONS = 200
_SPARE_SHARED_MEMORY = 256 * MEGABYTE
"""Beside what a parallel index build takes, which is all of its memory; Docker gives 64 MB."""


class Postgres(Server):
    """The database server. Not `durable`, it is fast and survives no power cut: for tests."""

    name: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # a fast, clean shutdown
    passing_faults: ClassVar[tuple[str, ...]] = (
        "pre-existing shared memory block",  # processes of a killed server are still ending
        "Address already in use",
    )
    durable = True

    @property
    def folder(self) -> Path:
        return self.data / "postgres"

    @property
    def port(self) -> int:
        return self.settings.postgres_port

    def prepare(self) -> None:
        """Make the database at the first start; see that this one fits and is not in use."""
        if not self.folder.exists():
            self._create()
        self._check_version()
        self._remove_stale_pid_file()

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "",
            "log_min_messages": "log",  # what a statement does wrong is told to who sent it
            "log_checkpoints": "off",
        }
        if _shared_memory_is_small():
            settings["dynamic_shared_memory_type"] = "mmap"
        if self.durable:
            settings |= memory_settings(memory_of_machine())
        else:
            settings |= {"shared_buffers": "64MB", "maintenance_work_mem": "128MB"}
            settings |= {"fsync": "off", "full_page_writes": "off"}
            settings |= {"wal_level": "minimal", "max_wal_senders": "0"}
        flags = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.binaries.postgres_bin / "postgres"), "-D", str(self.folder), *flags]

    def is_ready(self) -> bool:
        try:
            status = (self.folder / "postmaster.pid").read_text().splitlines()[7].strip()
        except (OSError, IndexError):
            return False
        if status != "ready":
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def tidy(self, line: str) -> str:
        return line.removeprefix("LOG:  ")

    def _create(self) -> None:
        """Make the database beside its place and rename it, so that a half-made one is never used.

        The application's role is no superuser; `vector` is created here because only a superuser
        may, and also in template1 so that test databases have it.
        """
        unfinished = self.data / "postgres.unfinished"
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            make_folder(unfinished, account=self.account)
            self._initdb(unfinished)
            self._provision(unfinished)
            unfinished.rename(self.folder)
        except OSError as error:
            raise folder_error(unfinished, error) from error

    def _initdb(self, folder: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.data)
        password_file = Path(name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(self.settings.superuser_password)
            if self.account is not None:
                os.chown(password_file, self.account.uid, self.account.gid)
            self._run(
                folder,
                "initdb",
                *("-D", str(folder), "--username", SUPERUSER, "--pwfile", str(password_file)),
                *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *([] if self.durable else ["--no-sync"]),
            )
        finally:
            password_file.unlink()

    def _provision(self, folder: Path) -> None:
        """Roles, database and extension, through single-user mode: no port, no password."""
        statements = (
            "CREATE EXTENSION vector;",
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.settings.postgres_password}';",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};",
        )
        self._run(
            folder,
            "postgres",
            *("--single", "-D", str(folder), "-c", "exit_on_error=true"),
            *("-c", f"dynamic_shared_memory_type={_shared_memory_type()}"),
            *([] if self.durable else ["-c", "fsync=off"]),
            "template1",
            stdin="\n".join(statements) + "\n",
        )

    def _run(self, folder: Path, program: str, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(
            [self.binaries.postgres_bin / program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=server_environment(),
            preexec_fn=die_with_parent(os.getpid()),
            **run_as(self.account),  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            self.tail.extend((done.stdout + done.stderr).splitlines())
            problem = self.explain()
            raise EmbeddedError(
                f"The database could not be made. {problem.problem}", problem.advice
            )

    def _check_version(self) -> None:
        try:
            found = (self.folder / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedError(
                f"{self.folder} is not a PostgreSQL database, or not readable: {error.strerror}.",
                "restore it from a backup, or set ACERVO_DATA to another folder",
            ) from error
        if found != str(POSTGRES_MAJOR):
            ours = version_of(self.binaries.postgres_bin / "postgres")
            raise EmbeddedError(
                f"{self.folder} was made by PostgreSQL {found}; this Acervo brings {ours}, which"
                " cannot read it.",
                "start the Acervo version that made it, save the data with pg_dump, set"
                " ACERVO_DATA to a new folder and load the dump there with pg_restore",
            )

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a server that is gone, though its number may be in use again.

        PostgreSQL itself takes any living process of that number for a server. One that really
        serves this folder (its supervisor was killed) is told to stop, and waited for.
        """
        pid_file = self.folder / "postmaster.pid"
        for patience in range(300):
            try:
                pid = int(pid_file.read_text().split()[0])
            except FileNotFoundError:
                return
            except (ValueError, IndexError):
                pid = 0
            command = process_command(pid) or ""
            if "postgres" not in command or str(self.folder) not in command:
                pid_file.unlink(missing_ok=True)
                return
            if patience % 50 == 0:
                os.kill(pid, signal.SIGINT if patience < 150 else signal.SIGQUIT)
            time.sleep(0.1)
        raise EmbeddedError(
            f"Another PostgreSQL (process {pid}) is running on {self.folder} and does not stop.",
            f"stop it (kill {pid}) and start again",
        )


def _shared_memory_is_small() -> bool:
    """Whether /dev/shm is missing or too small for parallel index builds, as in many containers."""
    if sys.platform != "linux":
        return False
    try:
        free = shutil.disk_usage("/dev/shm").free  # noqa: S108 - only its size is asked
    except OSError:
        return True
    building = memory_settings(memory_of_machine())["maintenance_work_mem"]
    return free < int(building.removesuffix("MB")) * MEGABYTE + _SPARE_SHARED_MEMORY


def _shared_memory_type() -> str:
    return "mmap" if _shared_memory_is_small() else "posix"
