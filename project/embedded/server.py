"""One server process: what PostgreSQL and Valkey have in common."""

import os
import signal
import subprocess
from collections import deque
from pathlib import Path
from typing import ClassVar

from project.embedded.binaries import Binaries
from project.embedded.errors import EmbeddedError
from project.embedded.folders import Account, run_as
from project.embedded.processes import describe_status, die_with_parent
from project.embedded.settings import ServerSettings

# Messages of either server, and what they mean: (words in its log, what is wrong, what to do).
_KNOWN_FAULTS = (
    (
        "No space left on device",
        "the disk is full",
        "free some space, or set ACERVO_DATA to a folder on another disk",
    ),
    (
        "Cannot allocate memory",
        "the machine has too little free memory",
        "close other programs or give this machine more memory",
    ),
    (
        "Permission denied",
        "files in its folder belong to another user",
        "start Acervo as the user who started it first, or give the data folder to this one",
    ),
    (
        "Operation not permitted",
        "this machine does not let it start processes as another user",
        "start Acervo as an ordinary user",
    ),
)


class Server:
    """Starts one server in its folder and tells how it is; stopping is a signal."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    passing_faults: ClassVar[tuple[str, ...]]

    def __init__(
        self, data: Path, settings: ServerSettings, binaries: Binaries, account: Account | None
    ) -> None:
        self.data = data
        self.settings = settings
        self.binaries = binaries
        self.account = account
        self.process: subprocess.Popen[bytes] | None = None
        self.tail: deque[str] = deque(maxlen=30)

    @property
    def folder(self) -> Path:
        raise NotImplementedError

    @property
    def port(self) -> int:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the folder ready for a start; raises EmbeddedError."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process with its output on a pipe; it dies when this process does."""
        self.tail.clear()
        try:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=server_environment(),
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid(), self.stop_signal),
                **run_as(self.account),  # type: ignore[call-overload]
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(
                f"{self.name} cannot be started: {error}.", "run `manage.py doctor`"
            ) from error
        return self.process

    def tidy(self, line: str) -> str:
        """A line of its log without what the whole log says anyway; empty to leave it out."""
        return line

    def may_try_again(self) -> bool:
        """Whether a first start that failed may succeed when tried again."""
        return any(words in line for line in self.tail for words in self.passing_faults)

    def explain(self) -> EmbeddedError:
        """Why the process ended, from the last lines it wrote."""
        log = "\n".join(self.tail)
        for words, meaning, advice in _KNOWN_FAULTS:
            if words in log:
                return EmbeddedError(f"{self.name} stopped: {meaning}.", advice)
        status = self.process.returncode if self.process else None
        if status is not None and status < 0:
            return EmbeddedError(
                f"{self.name} was {describe_status(status)}.",
                "look whether the machine has run out of memory (dmesg), or who did it",
            )
        last = next((line for line in reversed(self.tail) if line.strip()), "it wrote nothing")
        return EmbeddedError(
            f"{self.name} stopped (status {status}). Its last words: {last}",
            f"read the lines before that in {self.data / 'logs'}",
        )


def server_environment() -> dict[str, str]:
    """The whole environment of a server: nothing of the caller's, so its locale cannot matter."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
