"""What the servers of one data folder keep between starts: ports and passwords."""

import json
import os
import secrets
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from project.embedded.errors import EmbeddedError
from project.embedded.folders import folder_error
from project.embedded.processes import choose_port

DATABASE = "acervo"
ROLE = "acervo"
SUPERUSER = "acervo_admin"


@dataclass(frozen=True)
class ServerSettings:
    """Ports on 127.0.0.1 and generated passwords (hexadecimal: they need no quoting anywhere)."""

    postgres_port: int
    valkey_port: int
    postgres_password: str
    superuser_password: str
    valkey_password: str

    @property
    def database_url(self) -> str:
        return (
            f"postgres://{ROLE}:{self.postgres_password}@127.0.0.1:{self.postgres_port}/{DATABASE}"
        )

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.valkey_password}@127.0.0.1:{self.valkey_port}/0"


def _path(data: Path) -> Path:
    return data / "secrets" / "servers.json"


def read_settings(data: Path) -> ServerSettings | None:
    """The stored settings, or None before the first start."""
    path = _path(data)
    try:
        return ServerSettings(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise EmbeddedError(
            f"{path}, which holds the servers' passwords, is damaged.",
            "restore it from a backup; without one, set ACERVO_DATA to a new folder",
        ) from error
    except OSError as error:
        raise folder_error(path, error) from error


def load_settings(data: Path) -> ServerSettings:
    """The stored settings; chosen and stored at the first start. Raises EmbeddedError."""
    found = read_settings(data)
    if found is not None:
        return found
    if (data / "postgres" / "PG_VERSION").exists():
        raise EmbeddedError(
            f"{data} holds a database, but the file with its passwords, {_path(data)}, is gone.",
            "restore that file from a backup; without one, set ACERVO_DATA to a new folder",
        )
    seed = zlib.crc32(str(data).encode())
    postgres_port = choose_port(seed)
    settings = ServerSettings(
        postgres_port=postgres_port,
        valkey_port=choose_port(seed + 1, frozenset({postgres_port})),
        postgres_password=secrets.token_hex(24),
        superuser_password=secrets.token_hex(24),
        valkey_password=secrets.token_hex(24),
    )
    save_settings(data, settings)
    return settings


def save_settings(data: Path, settings: ServerSettings) -> None:
    write_private(_path(data), json.dumps(asdict(settings), indent=2))


def write_private(path: Path, text: str) -> None:
    """Replace `path` whole or not at all, readable by its owner only; raises EmbeddedError."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(path)
    except OSError as error:
        raise folder_error(path, error) from error
