"""What the keeper tells about the servers: `<data>/run/servers.json`, and the two locks beside it.

`servers.keeper` is locked by the one keeper. Every process that needs the servers holds a shared
lock on `servers.users`; the keeper stops the servers once nobody does. The kernel drops the locks
of a process that died, however it died.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from project.embedded.processes import process_start
from project.embedded.settings import write_private

Status = Literal["starting", "ready", "stopping", "failed"]


@dataclass(frozen=True)
class State:
    """`servers` maps the names of the kept servers to their process ids (0: not running now)."""

    status: Status
    keeper: int
    keeper_start: str
    servers: dict[str, int] = field(default_factory=dict)
    message: str = ""
    advice: str = ""


def keeper_lock(data: Path) -> Path:
    return data / "run" / "servers.keeper"


def users_lock(data: Path) -> Path:
    return data / "run" / "servers.users"


def state_path(data: Path) -> Path:
    return data / "run" / "servers.json"


def write_state(data: Path, state: State) -> None:
    write_private(state_path(data), json.dumps(asdict(state)))


def read_state(data: Path) -> State | None:
    """The keeper's last word, or None when no keeper is running (a failed one has ended)."""
    try:
        state = State(**json.loads(state_path(data).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    alive = process_start(state.keeper) == state.keeper_start != ""
    return state if alive or state.status == "failed" else None
