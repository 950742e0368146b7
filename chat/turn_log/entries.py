"""How an event is written down. The type comes first, so that a reader need not parse it."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from chat.types import FINAL_EVENTS

TTL_RUNNING = 6 * 3600  # seconds
TTL_FINISHED = 120
"""Longer than a reader stays away; who comes later is told the stored answer. A log is some 10 kB:
kept for an hour, those of thirty turns a second would take a gigabyte.
"""

_FINAL_PREFIXES = tuple(f'{{"type":"{name}"' for name in sorted(FINAL_EVENTS))


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of a turn; `raw` is its JSON, as every transport sends it."""

    seq: int
    raw: str

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self.raw.startswith(_FINAL_PREFIXES)


def log_key(turn_id: uuid.UUID) -> str:
    """Return the name of a turn's stream."""
    return f"turn:{turn_id}"


def encode(turn_id: uuid.UUID, seq: int, fields: dict[str, Any]) -> LoggedEvent:
    """Return an event with its turn and number; `fields` begin with the type."""
    head = {"type": fields["type"], "turn": str(turn_id), "seq": seq}
    raw = json.dumps({**head, **fields}, ensure_ascii=False, separators=(",", ":"))
    return LoggedEvent(seq, raw)


def seq_of(entry_id: str) -> int:
    """Return the number in an entry's id."""
    return int(entry_id.partition("-")[0])
