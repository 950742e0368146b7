"""Use the servers of a data folder: start them when nobody has, share them when somebody has."""

import atexit
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from project.embedded.errors import EmbeddedError
from project.embedded.folders import choose_data_folder, prepare_data_folder
from project.embedded.keeper import Options
from project.embedded.processes import file_lock
from project.embedded.settings import load_settings, read_settings
from project.embedded.state import State, keeper_lock, read_state, state_path, users_lock

CHECKOUT = Path(__file__).resolve().parents[2]
_SAY_AFTER = 5.0  # seconds of waiting before it is worth a line


@dataclass(frozen=True)
class Addresses:
    """Where the servers are; None for one that is not kept."""

    database_url: str | None
    redis_url: str | None


class KeeperGone(EmbeddedError):
    """The keeper ended without a word."""


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"{line}\n")


class EmbeddedServers:
    """The servers of `data`, in use between `start()` and `stop()`.

    They run in a keeper process of their own, shared by everybody who uses the same folder, and
    end with its last user. Servers that are not `durable` are
    faster and survive no power cut; `throwaway` ones delete their folder at the end.
    """

    def __init__(
        self,
        data: Path,
        *,
        postgres: bool = True,
        valkey: bool = True,
        durable: bool = True,
        throwaway: bool = False,
        say: Callable[[str], None] = say,
    ) -> None:
        self.data = data
        self.options = Options(
            data=str(data),
            postgres=postgres,
            valkey=valkey,
            durable=durable,
            throwaway=throwaway,
        )
        self.say = say
        self.keeper: subprocess.Popen[bytes] | None = None
        self._lease: int | None = None

    def start(self) -> Addresses:
        """Wait until the servers are ready; raises EmbeddedError when they cannot be."""
        self.join()
        if self._keeper_is_missing():
            self.keeper = self._start_keeper()
        try:
            return self.wait()
        except KeeperGone:
            if self.keeper is not None:
                raise
        # A keeper that had stopped its servers lets go of the users first, and was taken for one
        # that goes on: it ended in the moment between.
        self.join()
        self.keeper = self._start_keeper()
        return self.wait()

    def join(self) -> None:
        """Become a user of the servers: a keeper keeps them from now on until `stop()`."""
        prepare_data_folder(self.data)
        if self._lease is None:
            self._lease = os.open(users_lock(self.data), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lease, fcntl.LOCK_SH)  # waits for a keeper that is just stopping

    def keeper_command(self, *, relay: bool) -> list[str]:
        options = Options(**{**vars(self.options), "relay": relay})
        return [sys.executable, "-m", "project.embedded", options.as_argument()]

    def wait(self, *, keeper_lives: Callable[[], bool] | None = None) -> Addresses:
        """Wait for the keeper's word; raises EmbeddedError when it says no or dies."""
        keeper_lives = keeper_lives or self._keeper_lives
        began = last_said = time.monotonic()
        while True:
            is_alive = keeper_lives()
            state = read_state(self.data)
            if state is not None and state.status == "ready":
                return self._addresses(state)
            if not is_alive:
                self.stop()
                if state is not None and state.status == "failed":
                    raise EmbeddedError(state.message, state.advice)
                raise KeeperGone(
                    "The process that keeps the servers ended unexpectedly.",
                    f"read {self.data / 'logs' / 'servers.log'} and start again",
                )
            now = time.monotonic()
            if now - last_said > _SAY_AFTER:
                last_said = now
                doing = state.message if state and state.message else "the servers are starting"
                self.say(f"{doing[0].upper()}{doing[1:]} ({now - began:.0f} s)")
            time.sleep(0.02)

    def stop(self, patience: float = 30.0) -> None:
        """Stop using the servers; waits until they have ended unless others use them."""
        if self._lease is None:
            return
        os.close(self._lease)
        self._lease = None
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self._is_ending():
            time.sleep(0.02)

    def _is_ending(self) -> bool:
        if self.keeper is not None:
            if self.keeper.poll() is not None:
                return False
        elif self._keeper_is_missing():
            return False
        state = read_state(self.data)
        if state is None or state.status != "ready":
            return True
        # Ready: the keeper has not looked yet, has just taken the lock to stop, or others use them.
        path = users_lock(self.data)
        with file_lock(path, wait=False) as is_unused:
            if is_unused:
                return True
        with file_lock(path, shared=True, wait=False) as is_shared:
            return not is_shared

    def _addresses(self, state: State) -> Addresses:
        settings = load_settings(self.data)
        for wanted, name in (
            (self.options.postgres, "PostgreSQL"),
            (self.options.valkey, "Valkey"),
        ):
            if wanted and name not in state.servers:
                self.stop()
                raise EmbeddedError(
                    f"The servers of {self.data} were started without {name}, by a command that"
                    " had DATABASE_URL or REDIS_URL set.",
                    "end that command, or set the same variables here",
                )
        return Addresses(
            database_url=settings.database_url if self.options.postgres else None,
            redis_url=settings.redis_url if self.options.valkey else None,
        )

    def _keeper_is_missing(self) -> bool:
        path = keeper_lock(self.data)
        if not path.exists():
            return True
        with file_lock(path, wait=False) as is_free:
            return is_free

    def _keeper_lives(self) -> bool:
        if self.keeper is not None and self.keeper.poll() is None:
            return True
        return not self._keeper_is_missing()

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        state_path(self.data).unlink(missing_ok=True)  # an old failure is not this one
        log = self.data / "logs" / "servers.log"
        with log.open("ab") as errors:
            return subprocess.Popen(
                self.keeper_command(relay=False),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=CHECKOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for its users
            )


def find(environ: MutableMapping[str, str] | None = None) -> None:
    """Like `ensure`, but only looks: the addresses are set if the servers have been made."""
    environ = os.environ if environ is None else environ
    data, _note = choose_data_folder(CHECKOUT, environ)
    environ["ACERVO_DATA"] = str(data)
    settings = read_settings(data)
    if settings is not None:
        environ.setdefault("DATABASE_URL", settings.database_url)
        environ.setdefault("REDIS_URL", settings.redis_url)


def ensure(environ: MutableMapping[str, str] | None = None) -> EmbeddedServers | None:
    """Give this process its data folder and servers, through the environment.

    Sets ACERVO_DATA, and DATABASE_URL and REDIS_URL unless both are set already; the servers stay
    for the life of the process. Returns them, or None when none are needed.
    """
    environ = os.environ if environ is None else environ
    needs_postgres = not environ.get("DATABASE_URL")
    needs_valkey = not environ.get("REDIS_URL")
    if not needs_postgres and not needs_valkey:
        return None
    data, note = choose_data_folder(CHECKOUT, environ)
    if note:
        say(note)
    environ["ACERVO_DATA"] = str(data)
    servers = EmbeddedServers(data, postgres=needs_postgres, valkey=needs_valkey)
    atexit.register(servers.stop)
    addresses = servers.start()
    if addresses.database_url:
        environ["DATABASE_URL"] = addresses.database_url
    if addresses.redis_url:
        environ["REDIS_URL"] = addresses.redis_url
    return servers
