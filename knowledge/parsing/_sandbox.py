"""What the process that parses may not do: use much memory, write files, reach the network, look
around.

Everything holds for the program that it starts (tesseract), too, and none of it can be taken back:

- resource limits: address space, processor seconds, files of no size, few of them open;
- a system call filter (seccomp, Linux on x86-64 and ARM64): no sockets, no look into other
  processes;
- a view of files (Landlock, Linux 5.13 and later): programs and libraries can be read and run;
  the data folder, its secrets and what other processes were started with cannot.

Where the kernel has not these two, the limits hold alone; :func:`confine` says what is in force.
"""

import ctypes
import functools
import os
import resource
import struct
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EACCES = 13
# Architecture, and its numbers of: socket, ptrace, process_vm_readv, process_vm_writev.
_CALLS = {
    "x86_64": (0xC000003E, (41, 101, 310, 311)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271)),
}
_CALLS_EVERYWHERE = (425, 438)  # io_uring_setup, pidfd_getfd: the same number on both
_X32 = 0x40000000  # x86-64's calls with other numbers
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS = (1 << 13) - 1  # those of Landlock's first edition
_READABLE = (
    "/usr", "/lib", "/lib64", "/bin", "/opt/homebrew", "/nix/store", "/proc/self", "/dev/null",
    "/dev/urandom", "/etc/ld.so.cache", "/etc/mime.types", "/etc/localtime",
)  # fmt: skip

# Loaded at import: a forked process must not run the dynamic loader.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """``memory`` in bytes of address space, ``seconds`` of processor time."""

    memory: int
    seconds: int


def confine(bounds: Bounds, readable: Iterable[str] = ()) -> list[str]:
    """Give up for good what parsing does not need; return what is in force.

    ``readable``: further folders whose files may be read. Call it in a process of one thread.
    """
    _set_limit(resource.RLIMIT_AS, bounds.memory)
    _set_limit(resource.RLIMIT_CPU, bounds.seconds)
    _set_limit(resource.RLIMIT_FSIZE, 0)
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_NOFILE, 128)
    in_force = ["limits"]
    if _libc is None or _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return in_force
    if _files_restrict([*_READABLE, *program_folders(), *readable]):
        in_force.append("files")
    if _calls_filter():
        in_force.append("network")
    return in_force


def _set_limit(which: int, value: int) -> None:
    _soft, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(which, (value, value))
    except (OSError, ValueError):
        if which != resource.RLIMIT_AS:  # macOS has no limit of address space
            raise


@functools.cache
def program_folders() -> tuple[str, ...]:
    """Where Python, its packages and Acervo's own modules are; not the data folder beside them."""
    base = Path(__file__).resolve().parents[2]
    paths = sysconfig.get_paths()
    return (
        sys.prefix, sys.base_prefix, paths["stdlib"], paths["purelib"], paths["platlib"],
        str(Path(sys.executable).resolve().parent), str(base / "knowledge"), str(base / "project"),
    )  # fmt: skip


def _calls_filter() -> bool:
    """Refuse sockets and looks into other processes. Whether the kernel took the filter."""
    known = _CALLS.get(os.uname().machine)
    if known is None or _libc is None:
        return False
    architecture, calls = known
    refused = (*calls, *_CALLS_EVERYWHERE)
    count = len(refused)
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),  # calls of another architecture have other numbers
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, count + 1, 0, _X32),
        *((_EQUAL, count - at, 0, call) for at, call in enumerate(refused)),  # steps to skip
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | _EACCES),
    ]
    program = _program(steps)
    return not _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def _program(steps: Sequence[tuple[int, int, int, int]]) -> _Filter:
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Filter(len(steps), ctypes.addressof(buffer))
    program.keep = buffer
    return program


def _files_restrict(folders: Iterable[str]) -> bool:
    """Hide all files but those in ``folders``, which can be read and run. Whether it took hold."""
    if _libc is None:
        return False
    attribute = struct.pack("=Q", _FILE_RIGHTS)
    rules = _libc.syscall(_LANDLOCK_CREATE, attribute, len(attribute), 0)
    if rules < 0:
        return False
    try:
        for folder in dict.fromkeys(folders):
            _files_allow(rules, folder)
        return not _libc.syscall(_LANDLOCK_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _files_allow(rules: int, path: str) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # there is none
    try:
        rights = _EXECUTE | _READ_FILE
        if Path(path).is_dir():
            rights |= _READ_FOLDER
        rule = struct.pack("=Qi", rights, handle)
        if _libc is not None:
            _libc.syscall(_LANDLOCK_ADD, rules, 1, rule, 0)
    finally:
        os.close(handle)
