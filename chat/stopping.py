"""Telling the agents that a turn is to stop, and its readers that a queued one has.

The turn's row is the truth (`stop_requested_at`); these are the quick ways. Agents also look at
the rows of what they run whenever they renew their leases.
"""

import uuid
from typing import Any

import redis
import structlog

from chat.turn_log.entries import TTL_FINISHED, encode, log_key
from project.aio import sync_redis

STREAM = "acervo:chat:stops"
MAX_LENGTH = 1000
log = structlog.get_logger(__name__)


def signal_stop(turn_id: uuid.UUID) -> None:
    """Tell every agent; a Redis that is away is no error."""
    try:
        sync_redis().xadd(STREAM, {"turn": str(turn_id)}, maxlen=MAX_LENGTH, approximate=True)
    except (redis.RedisError, OSError) as error:
        log.warning("stop_not_sent", turn=str(turn_id), error=type(error).__name__)


def log_final(turn_id: uuid.UUID, seq: int, fields: dict[str, Any]) -> None:
    """Write the last event of a turn that no agent has; readers also find it in the row."""
    event = encode(turn_id, seq, fields)
    try:
        pipe = sync_redis().pipeline(transaction=True)
        pipe.xadd(log_key(turn_id), {"e": event.raw, "w": "stop"}, id=f"{seq}-0")
        pipe.expire(log_key(turn_id), TTL_FINISHED)
        pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("stop_not_logged", turn=str(turn_id), error=type(error).__name__)
