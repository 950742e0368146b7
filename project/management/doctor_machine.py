"""The doctor's look at the machine: Python, packages, data folder, disk, shared memory, port."""

import json
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from django.conf import settings

from project.embedded.binaries import POSTGRES_WHEEL, VALKEY_WHEEL
from project.embedded.folders import can_enter, server_account, user_name
from project.embedded.processes import port_holder, port_is_free
from project.management.findings import Finding, ill, note, well

_LITTLE_SPACE = 2 * 1024**3  # bytes
_TOO_LITTLE_SPACE = 300 * 1024**2
_LITTLE_SHARED_MEMORY = 512 * 1024**2


def look_at_python() -> Iterator[Finding]:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 14):
        yield well("Python", f"{text}, {os.cpu_count()} processors")
    else:
        yield ill("Python", text, "install Python 3.11 to 3.14, delete .venv and run `make setup`")
    for wheel in (POSTGRES_WHEEL, VALKEY_WHEEL):
        try:
            yield well("Package", f"{wheel} {metadata.version(wheel)}")
        except metadata.PackageNotFoundError:
            yield note(
                "Package",
                f"{wheel} is not installed",
                "run `make setup`; servers of your own (DATABASE_URL, REDIS_URL) need it not",
            )


def look_at_data_folder() -> Iterator[Finding]:
    data = Path(settings.ACERVO_DATA)
    subject = "Data folder"
    if not data.exists():
        yield ill(subject, f"{data} does not exist", "run `make run`, which makes it")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield ill(
            subject,
            f"{data} cannot be written by {user_name()}",
            "run as the user who owns it, or set ACERVO_DATA to another folder",
        )
        return
    account = server_account(data)
    if account is not None and not can_enter(account, data):
        yield ill(
            subject,
            f"{data} cannot be entered by {account.name}, as whom the servers run",
            "set ACERVO_DATA to a folder that everybody can enter, such as /var/lib/acervo",
        )
        return
    free = shutil.disk_usage(data).free
    text = f"{data}, {_size(free)} free"
    if free < _TOO_LITTLE_SPACE:
        yield ill(subject, text, "free some space: below this the servers do not start")
    elif free < _LITTLE_SPACE:
        yield note(subject, text, "free some space soon")
    else:
        yield well(subject, text)
    yield from _look_at_secrets(data / "secrets")


def _look_at_secrets(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        return
    open_ones = [p.name for p in folder.iterdir() if p.is_file() and p.stat().st_mode & 0o077]
    if open_ones:
        yield ill(
            "Secrets",
            f"other users may read {', '.join(sorted(open_ones))} in {folder}",
            f"chmod 600 {folder}/*",
        )


def look_at_shared_memory() -> Iterator[Finding]:
    shared = Path("/dev/shm")  # noqa: S108 - only its size is asked
    if not shared.exists():
        return
    size = shutil.disk_usage(shared).total
    if size < _LITTLE_SHARED_MEMORY:
        yield note(
            "Shared memory",
            f"{shared} has {_size(size)}: PostgreSQL uses files instead, which is slower",
            "in Docker, run the container with --shm-size=1g",
        )


def look_at_web() -> Iterator[Finding]:
    """Whether something answers on the port, and whether it is a ready Acervo."""
    host, port = settings.ACERVO_HOST, settings.ACERVO_PORT
    subject = "Web"
    local = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    if port_is_free(port, local):
        yield ill(subject, f"nothing listens on {local}:{port}", "start Acervo: `make run`")
        return
    request = urllib.request.Request(f"http://{local}:{port}/health/ready")
    if settings.ALLOWED_HOSTS and settings.ALLOWED_HOSTS[0] != "*":
        request.add_header("Host", settings.ALLOWED_HOSTS[0].lstrip("."))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5):
            yield well(subject, f"ready at http://{local}:{port}/")
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(2000).decode(errors="replace")
        if error.code == 503 and _is_json(body):
            yield ill(subject, f"not ready: {body}", "see the findings here and the log of `up`")
        else:
            yield ill(
                subject,
                f"{local}:{port} answers {error.code}: another program?{port_holder(port)}",
                "stop that program, or set ACERVO_PORT to another port",
            )
    except OSError as error:
        yield ill(
            subject,
            f"{local}:{port} is open but does not answer ({error}){port_holder(port)}",
            "wait a moment if Acervo is just starting; otherwise restart it",
        )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GB" if count >= 1024**3 else f"{count // 1024**2} MB"
