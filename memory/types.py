"""Shapes of memory."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from project.accounts.models import User


@dataclass(frozen=True, slots=True)
class Recollection:
    """Something recalled for a question; `score` orders within one answer only."""

    kind: str
    id: uuid.UUID
    external_id: str | None
    content: str
    session: str
    occurred_at: datetime.datetime
    score: float
    signals: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToldTurn:
    """A finished turn as memory is told of it, of a session of `user`."""

    user: User
    turn_id: uuid.UUID
    session: str
    question: str
    answer: str
    occurred_at: datetime.datetime
    space_id: uuid.UUID | None = None
    trace_id: str = ""
