"""Starting processes that cannot outlive their parent, and recognising them later."""

import ctypes
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_HAS_PROC = Path("/proc/self/stat").exists()

# Loaded at import: a forked child of a threaded parent must not run the dynamic loader.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int, death_signal: int = signal.SIGKILL) -> Callable[[], None]:
    """Return a function for the child, to run before exec: it dies when process `parent` does.

    The kernel ties this to the parent *thread* that forked, so fork from the main thread.
    Outside Linux the returned function does nothing.
    """
    death_signal = int(death_signal)

    def in_child() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return in_child


def adopt_orphans() -> None:
    """Make orphaned grandchildren the children of this process, so that it can end them."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def process_command(pid: int) -> str | None:
    """The command line of a living process, or None when there is no such process."""
    if _HAS_PROC:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
            if stat.rpartition(")")[2].split()[0] == "Z":
                return None
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return b" ".join(words).decode(errors="replace").strip() or None
    return _ask_ps("command", pid) or None


def process_start(pid: int) -> str:
    """A mark that tells a process from a later one with the same id; empty when not running."""
    if not _HAS_PROC:
        return _ask_ps("lstart", pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if stat[0] == "Z" else stat[19]


def _ask_ps(what: str, pid: int) -> str:
    found = subprocess.run(
        ["/bin/ps", "-o", f"{what}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def describe_status(status: int | None) -> str:
    """An exit status in words: `status 1`, `killed by SIGKILL`."""
    if status is not None and status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"status {status}"


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_port(seed: int, avoid: frozenset[int] = frozenset()) -> int:
    """A free local port below the range from which the kernel takes outgoing ones.

    `seed` spreads copies on one machine, so that two of them seldom try the same port first.
    """
    for step in range(10_000):
        port = 20_000 + (seed + step) % 10_000
        if port not in avoid and port_is_free(port):
            return port
    raise OSError("no free port between 20000 and 30000")


def port_holder(port: int) -> str:
    """Who listens on `port`, as far as this user may know: ` (process 12, nginx)` or nothing."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                match = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
                if match and match[1] in inodes:
                    return f" (process {process.name}, {(process / 'comm').read_text().strip()})"
        except OSError:
            continue
    return ""


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


@contextmanager
def file_lock(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold an flock on `path` for the block; yields whether it was obtained.

    The kernel lets go of it when the process dies, however it dies.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
