"""Names of those who hold work, from which can be told whether a holder of this machine is dead."""

import functools
import os
import socket
import uuid
from pathlib import Path


@functools.cache
def _machine() -> str:
    """Name the set of process ids that this process's id belongs to."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot[:8]}{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - not a real file
    except OSError:
        return socket.gethostname()[:24]


def holder_name() -> str:
    """Return a name for one holding by this process, that no other holding ever has."""
    return f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def worker_name() -> str:
    """Return how people are told of this process: where it runs and its number."""
    return f"{socket.gethostname()[:48]}:{os.getpid()}"


def holder_is_dead(owner: str) -> bool:
    """Return whether a holder was a process of this machine that is gone."""
    machine, _colon, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if machine != _machine() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
