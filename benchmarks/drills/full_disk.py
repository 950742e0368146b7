"""No room for a file: refused with 507, and nothing of it is left.

The limit is one on the size of the files that the web process and the workers may write, put on the
running processes (`prlimit`); where that is not allowed, the check is left out and says so.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.drills.acts import Verdict, job_ended
from benchmarks.drills.stage import Installation

LIMIT = 64 * 1024  # bytes a file


def full_disk(acervo: Installation, http: httpx.Client, verdict: Verdict, space: str) -> None:
    """Try an upload that does not fit, and the reading of one that leaves no room."""
    fits = b"# Small\n\n" + b"The narrow pier is closed.\n\n" * 900
    large = b"# Large\n\n" + b"The wide pier is open.\n\n" * 60_000
    before = _files(acervo)
    try:
        with _limited(_pids(acervo, "web"), LIMIT):
            answer = _upload(http, space, "large.md", large)
    except PermissionError as error:
        print(f"left out: a full disk cannot be had here ({error})", flush=True)
        return
    refused = answer.status_code == 507 and "error" in answer.json()
    verdict.check("an upload without room is 507", refused, f"{answer.status_code}")
    left = _files(acervo) - before
    verdict.check("nothing of it is left", not left, sorted(left)[:3])
    verdict.check("room again, and it goes", _upload(http, space, "l.md", large).status_code == 202)
    with _limited(_workers(acervo), 4 * 1024):
        job = _upload(http, space, "small.md", fits).json()["job"]["id"]
        time.sleep(4)
    ended = job_ended(http, job, seconds=240)
    seen = f"{ended['status']} {ended['error']}"
    verdict.check("a worker without room ends its job well", ended["status"] == "completed", seen)


def _upload(http: httpx.Client, space: str, name: str, content: bytes) -> httpx.Response:
    files = {"file": (name, content, "text/markdown")}
    return http.post("/api/v1/uploads/", files=files, data={"space": space})


def _files(acervo: Installation) -> set[str]:
    return {str(path) for path in (acervo.data / "uploads" / "sources").glob("*/*")}


def _pids(acervo: Installation, kind: str) -> list[int]:
    return [pid for name, pid in acervo.children().items() if name.startswith(kind)]


def _workers(acervo: Installation) -> list[int]:
    (worker,) = _pids(acervo, "worker")[:1]
    listed = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return [int(pid) for pid in listed]


@contextmanager
def _limited(pids: list[int], size: int) -> Iterator[None]:
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    try:
        for pid, (_soft, hard) in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        yield
    finally:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
