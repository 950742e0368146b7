"""What PostgreSQL's planner knows of the tables that search reads, kept up where much came at once.

Autovacuum looks at a table again when a tenth of it has changed. A space that is filled among
larger ones is less than that: the planner takes it for empty, and joins thousands of rows as if
they were one (measured: a search among 1,000 new documents took 1.4 s instead of 0.1). Searches
without filters have one plan whatever the planner knows; the others need to be told.
"""

import threading
import time

import structlog
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)

MUCH = 100
"""Passages that come at once, from which on the planner is told."""
EVERY = 60.0  # seconds, of a process
_ANALYZE = (
    "ANALYZE knowledge_node (space_id, status), knowledge_chunk (space_id, node_id), "
    "knowledge_embedding (generation_id, node_id)"
)
"""The columns that say how much a space has; the others are read by no estimate of a search."""

_lock = threading.Lock()
_last = float("-inf")


def passages_arrived(count: int) -> None:
    """Tell the planner after a commit that brought so many passages, no more than once a minute.

    What comes later in that minute is told with the next folding of statistics.
    """
    global _last  # noqa: PLW0603 - one clock a process
    with _lock:
        now = time.monotonic()
        if count < MUCH or now - _last < EVERY:
            return
        _last = now
    planner_tell()


def planner_tell() -> None:
    """Have PostgreSQL count again what the spaces have. A failure is logged: it costs time only."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ANALYZE)
    except DatabaseError as error:
        log.warning("planner_not_told", error=type(error).__name__)
