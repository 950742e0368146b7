"""`manage.py up`: all of Acervo on this machine, from one command, until Ctrl-C.

1. Take the data folder (one `up` a folder) and the web port.
2. Start the embedded servers, unless others are named.
3. Prepare: migrations, first admin, demo.
4. Start web, agent, worker and beat; wait until they can serve; say where.
5. Keep everything running. On SIGINT or SIGTERM end all of it, the servers last.

Django is not imported here: the supervisor stays small and its children start at once.
"""

import errno
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from project.embedded import CHECKOUT, EmbeddedError, EmbeddedServers
from project.embedded.folders import choose_data_folder, folder_error, make_data_folder
from project.embedded.processes import file_lock, port_holder
from project.embedded.state import read_state
from project.env import env_int, env_str
from project.logbook import LogBook
from project.supervisor import Program, StopRequested, Supervisor
from project.up_programs import children, preparation, shared_environment

_READY_ROUND = 0.5  # seconds
_SAY_EVERY = 10.0


def main() -> int:
    """Run Acervo; the exit status. Faults are told in words, never as a traceback."""
    try:
        return Up().run()
    except (EmbeddedError, ImproperlyConfigured) as error:
        sys.stderr.write(f"\nAcervo cannot start: {error}\n")
        return 1


class Up:
    """One run of `up`."""

    def __init__(self) -> None:
        self.host = env_str("ACERVO_HOST", "127.0.0.1")
        self.port = env_int("ACERVO_PORT", 8000, minimum=1)
        self.data, self.note = choose_data_folder(CHECKOUT, os.environ)
        os.environ["ACERVO_DATA"] = str(self.data)
        self.servers: EmbeddedServers | None = None
        self.supervisor: Supervisor

    def run(self) -> int:
        make_data_folder(self.data)
        log = LogBook(
            self.data / "logs" / "acervo.log",
            as_json=env_str("ACERVO_LOG_FORMAT", "console") == "json",
        )
        with self._only_one(), open_web_socket(self.host, self.port) as web_socket:
            self.supervisor = Supervisor(log, after_death=self._forget_metrics)
            self.supervisor.take_charge()
            if self.note:
                log.write("up", self.note)
            log.write("up", f"starting; the data folder is {self.data}")
            try:
                self._start(web_socket)
                while True:
                    self.supervisor.tend()
            except StopRequested:
                log.write("up", "stopping")
                return 0
            finally:
                self._stop()
                log.close()

    def _start(self, web_socket: socket.socket) -> None:
        began = time.monotonic()
        log = self.supervisor.log
        os.environ.update(shared_environment(self.data))
        self._start_servers()
        with self._told_by_preparation():
            for program in children(web_socket.fileno()):
                self.supervisor.start(program)
            self._wait_until_ready(began)
        log.write("up", f"ready after {time.monotonic() - began:.1f} s at {self._address()}")
        log.show(f"\n  Acervo is ready: {self._address()}   (stop it with Ctrl-C)\n")

    def _start_servers(self) -> None:
        needs_postgres = not os.environ.get("DATABASE_URL")
        needs_valkey = not os.environ.get("REDIS_URL")
        if not needs_postgres and not needs_valkey:
            return
        log = self.supervisor.log
        self.servers = EmbeddedServers(
            self.data,
            postgres=needs_postgres,
            valkey=needs_valkey,
            say=lambda line: log.write("up", line),
        )
        self.servers.join()
        command = self.servers.keeper_command(relay=True)
        child = self.supervisor.start(
            Program("servers", command, is_relay=True, is_left_alone=True)
        )

        def keeper_lives() -> bool:
            self.supervisor.check_stop()
            return child.process is not None and child.process.poll() is None

        addresses = self.servers.wait(keeper_lives=keeper_lives)
        if addresses.database_url:
            os.environ["DATABASE_URL"] = addresses.database_url
        if addresses.redis_url:
            os.environ["REDIS_URL"] = addresses.redis_url

    @contextmanager
    def _told_by_preparation(self) -> Iterator[None]:
        """Bring the database up to date, and show what the first admin must know after the block.

        It is shown whatever happens in between, for it is told only once.
        """
        reader, writer = os.pipe()
        with os.fdopen(reader) as message:
            try:
                self._prepare(writer)
                yield
            finally:
                os.close(writer)
                if told := message.read().strip():
                    self.supervisor.log.show(f"\n{told}")

    def _prepare(self, message_fd: int) -> None:
        if self.supervisor.run_to_end(preparation(message_fd)) != 0:
            raise EmbeddedError(
                "The database could not be prepared; the reason is in the lines above.",
                "correct it and start again; `manage.py prepare` does this step alone",
            )

    def _wait_until_ready(self, began: float) -> None:
        last_said = time.monotonic()
        while True:
            self.supervisor.tend(_READY_ROUND)
            missing = self._ask_readiness()
            if missing is None:
                return
            now = time.monotonic()
            if now - last_said > _SAY_EVERY:
                last_said = now
                self.supervisor.log.write("up", f"not ready after {now - began:.0f} s: {missing}")

    def _ask_readiness(self) -> str | None:
        """None when every process can serve; otherwise what is missing."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        request = urllib.request.Request(f"http://{host}:{self.port}/health/ready")
        request.add_header("Host", os.environ.get("ACERVO_ALLOWED_HOSTS", host).split(",")[0])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=2):
                return None
        except urllib.error.HTTPError as error:
            with error:
                return _missing_parts(error)
        except OSError:
            return "the web process does not answer yet"

    def _address(self) -> str:
        public = env_str("ACERVO_PUBLIC_URL")
        host = "localhost" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return public or f"http://{host}:{self.port}/"

    def _stop(self) -> None:
        self.supervisor.stop()
        if self.servers is not None:
            self.servers.stop()
            if read_state(self.data) is None:
                self.supervisor.bury_all(patience=5)
            else:
                self.supervisor.log.write("up", "another command uses the servers: they stay")
        self.supervisor.log.write("up", "stopped")

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        path = self.data / "run" / "up.lock"
        try:
            with file_lock(path, wait=False) as is_mine:
                if not is_mine:
                    raise EmbeddedError(
                        f"Acervo is already running on {self.data}: {path.read_text().strip()}.",
                        "use that one, stop it first, or set ACERVO_DATA and ACERVO_PORT to run"
                        " a second copy",
                    )
                path.write_text(f"process {os.getpid()}, {self._address()}\n")
                yield
        except OSError as error:
            raise folder_error(path, error) from error

    def _forget_metrics(self, _name: str, pid: int) -> None:
        """Remove the live gauges of a process that ended, or they would be counted for ever."""
        for left in (self.data / "run" / "prometheus").glob(f"gauge_live*_{pid}.db"):
            left.unlink(missing_ok=True)


def _missing_parts(error: urllib.error.HTTPError) -> str:
    try:
        body = json.loads(error.read(20_000))
    except ValueError:
        return f"the web process answers {error.code}"
    return f"the web process answers {error.code}: {json.dumps(body)[:500]}"


@contextmanager
def open_web_socket(host: str, port: int) -> Iterator[socket.socket]:
    """Listen for the web processes; raises EmbeddedError when the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise EmbeddedError(
            f"ACERVO_HOST is {host!r}, which is no address of this machine.",
            "set ACERVO_HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (every network)",
        ) from error
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except PermissionError as error:
            raise EmbeddedError(
                f"Port {port} may be opened by root only.",
                "set ACERVO_PORT to a number above 1023 and put a proxy before it",
            ) from error
        except OSError as error:
            raise _port_error(host, port, error) from error
        yield listener


def _port_error(host: str, port: int, error: OSError) -> EmbeddedError:
    if error.errno == errno.EADDRINUSE:
        return EmbeddedError(
            f"Port {port} is taken by another program{port_holder(port)}.",
            f"stop that program, or choose another port: ACERVO_PORT={port + 1} make run",
        )
    return EmbeddedError(
        f"The address {host}:{port} cannot be opened: {error.strerror}.",
        "set ACERVO_HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (every network)",
    )
