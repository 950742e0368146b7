"""Shapes of memory."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any


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
