"""What callers of events hand in."""

import uuid
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something to be told: its type, what it carries, and which space and row it is about.

    `trace_id`: that of the running work when empty.
    """

    type: str
    payload: dict[str, Any]
    space_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    trace_id: str = ""
