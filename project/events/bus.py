"""The Redis stream that wakes the subscribers. It carries positions only: Postgres has the rest."""

import redis
import structlog

from project.aio import sync_redis

STREAM = "acervo:events"
MAX_LENGTH = 100_000
log = structlog.get_logger(__name__)


def publish(position: int, event_type: str) -> bool:
    """Put an event on the stream; False when Redis is away (the relay will send it)."""
    try:
        sync_redis().xadd(
            STREAM,
            {"position": position, "type": event_type},
            maxlen=MAX_LENGTH,
            approximate=True,
        )
    except redis.RedisError as error:
        log.warning("event_not_sent", position=position, error=type(error).__name__)
        return False
    return True
