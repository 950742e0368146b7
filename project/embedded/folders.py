"""Where the data lives, and as which account the servers run on it."""

import errno
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from project.embedded.errors import EmbeddedError

SYSTEM_DATA = Path("/var/lib/acervo")
NEEDED_SPACE = 300 * 1024**2  # bytes: a new database takes 50 MB, its log may take as much again


@dataclass(frozen=True)
class Account:
    """The account that the servers switch to when root starts them."""

    name: str
    uid: int
    gid: int


def server_account(data: Path | None = None) -> Account | None:
    """The account for the servers; None when they run as whoever starts them (not root).

    PostgreSQL refuses to run as root and insists on owning its folder, so an existing database
    decides; otherwise it is `nobody`.
    """
    if os.geteuid() != 0:
        return None
    uid = 0
    if data is not None:
        try:
            uid = (data / "postgres").stat().st_uid
        except OSError:
            uid = 0
    try:
        entry = pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody")
    except KeyError:
        return Account(name=f"user {uid or 65534}", uid=uid or 65534, gid=uid or 65534)
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def run_as(account: Account | None) -> dict[str, object]:
    """Keyword arguments of `subprocess.Popen` that switch to `account`."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def can_enter(account: Account | None, path: Path) -> bool:
    """Whether `account` can reach `path` through every folder above it (asked of the kernel)."""
    existing = path
    while not existing.exists():
        existing = existing.parent
    if account is None:
        return os.access(existing, os.X_OK)
    try:
        answer = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(existing)],
            cwd="/",
            check=False,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(
            f"The servers must not run as root, and switching to {account.name} failed: {error}",
            "start Acervo as an ordinary user, or set DATABASE_URL and REDIS_URL"
            " to servers of your own",
        ) from error
    return answer.returncode == 0


def choose_data_folder(checkout: Path, environ: Mapping[str, str]) -> tuple[Path, str]:
    """The data folder, and a sentence to show when it is not where one would look for it."""
    named = environ.get("ACERVO_DATA", "").strip()
    if named:
        return Path(named).expanduser().absolute(), ""
    default = checkout / "var"
    if environ.get("DATABASE_URL") and environ.get("REDIS_URL"):
        return default, ""  # nobody but this process needs to reach it
    account = server_account(default)
    if account is None or can_enter(account, checkout):
        return default, ""
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    elsewhere = SYSTEM_DATA / name
    return elsewhere, (
        f"{checkout} is in a folder that only root can enter, and the servers do not run as root:"
        f" the data is kept in {elsewhere} (set ACERVO_DATA to choose another place)."
    )


def make_folder(path: Path, *, account: Account | None = None, mode: int = 0o700) -> None:
    """Make `path` (parents too), owned by `account`; raises EmbeddedError with the reason.

    A folder that is there already keeps its mode: it may be somebody's choice.
    """
    try:
        new = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        if account is not None and path.stat().st_uid != account.uid:
            os.chown(path, account.uid, account.gid)
        for folder in new:
            folder.chmod(mode)  # whatever the umask made of it
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise folder_error(path, error) from error


def folder_error(path: Path, error: OSError) -> EmbeddedError:
    """Turn an operating system error about `path` into plain words."""

    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return EmbeddedError(
            f"The disk that holds {path} is full.",
            "free some space, or set ACERVO_DATA to a folder on another disk",
        )
    if error.errno == errno.EROFS:
        return EmbeddedError(
            f"{path} is on a read-only file system.",
            "set ACERVO_DATA to a folder that can be written",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        closed = next(folder for folder in (path, *path.parents) if folder.exists())
        return EmbeddedError(
            f"{closed} cannot be written by {user_name()}.",
            f"set ACERVO_DATA to a folder of {user_name()}, start Acervo as the user who owns"
            f" this one, or give it to {user_name()}",
        )
    return EmbeddedError(
        f"The folder {path} cannot be used: {error.strerror or error}.",
        "look at this path, or set ACERVO_DATA to another folder",
    )


def user_name() -> str:
    """The name of the user this process runs as; its number when it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def check_space(data: Path) -> None:
    """Raise when the disk has too little room for a database to live in."""
    free = shutil.disk_usage(data).free
    if free < NEEDED_SPACE:
        raise EmbeddedError(
            f"Only {free // 1024**2} MB are free on the disk that holds {data};"
            f" the servers need {NEEDED_SPACE // 1024**2} MB to start safely.",
            "free some space, or set ACERVO_DATA to a folder on another disk",
        )


def make_data_folder(data: Path) -> None:
    """Make the data folder and its parts, closed to others; raises EmbeddedError.

    Root's may be passed through, for the servers have their folders inside and another account.
    """
    make_folder(data, mode=0o711 if os.geteuid() == 0 else 0o700)
    for part in ("run", "logs", "secrets", "static", "uploads"):
        make_folder(data / part)


def prepare_data_folder(data: Path) -> Account | None:
    """Make the data folder and its parts; return the account the servers run as.

    Raises EmbeddedError when it cannot be made, written or reached, or its disk is full.
    """
    account = server_account(data)
    make_data_folder(data)
    if account is not None and not can_enter(account, data):
        raise EmbeddedError(
            f"{account.name} cannot enter the data folder {data} or a folder above it, and the"
            " servers run as that account because PostgreSQL refuses to run as root.",
            "set ACERVO_DATA to a folder that everybody can enter"
            " (for example /var/lib/acervo), or start Acervo as an ordinary user",
        )
    check_space(data)
    return account
