"""The server that forks parsers (``_server``), as the process that started it sees it.

It ends with that process. Its environment holds nothing but the search path and a time zone.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from knowledge.parsing._frames import HINT

_BASE = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys, socket; sys.path[:] = {path!r}; sys.path.insert(0, {base!r}); "
    "from knowledge.parsing._server import serve; serve(socket.socket(fileno={handle}))"
)
KEPT = ("PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TESSDATA_PREFIX", "LD_LIBRARY_PATH")


class ForkingServer:
    """The process that forks, as this process sees it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        boot = _BOOT.format(path=sys.path, base=str(_BASE), handle=theirs.fileno())
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-I", "-c", boot],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can take orders."""
        return self._process.poll() is None

    def order(self, hint: str, handles: list[int]) -> None:
        """Have a process forked. Raises OSError."""
        with self._lock:
            socket.send_fds(
                self._control, [hint.encode("ascii", "replace")[:HINT].ljust(HINT)], handles
            )

    def abandon(self) -> None:
        """Let go of a parent's server, which goes on for that."""
        self._control.close()

    def end(self) -> None:
        """Close the connection, on which it ends."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)


_servers: list[ForkingServer] = []
_starting = threading.Lock()


def forking_server() -> ForkingServer:
    """Return this process's server; one that ended, or is a parent's, is replaced."""
    with _starting:
        if _servers and _servers[0].owner == os.getpid() and _servers[0].is_alive:
            return _servers[0]
        if _servers and _servers[0].owner == os.getpid():
            _servers[0].end()
        _servers[:] = [ForkingServer()]
        return _servers[0]


def _forget_after_fork() -> None:
    """In a fork of this process: its server is the parent's, and so are its locks."""
    global _starting  # noqa: PLW0603 - a lock that another thread held is held for ever here
    _starting = threading.Lock()
    for server in _servers:
        server.abandon()
    _servers.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
