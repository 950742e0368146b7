"""How far a migration is. It runs in one transaction, so its rows cannot tell: Redis does.

Lost progress harms nothing: the outcome is on the row.
"""

import uuid

import redis
import structlog

from project.aio import sync_redis

KEPT = 3600  # seconds
_KEY = "acervo:kind-migration:{}:progress"
log = structlog.get_logger(__name__)


def progress_set(migration_id: uuid.UUID, share: float) -> None:
    """Note the share that is done, 0 to 1."""
    try:
        sync_redis().set(_KEY.format(migration_id), f"{share:.3f}", ex=KEPT)
    except redis.RedisError as error:
        log.debug("progress_not_noted", error=type(error).__name__)


def progress_of(migration_id: uuid.UUID) -> float:
    """Return the share that is done of a running migration; 0 where nothing is known."""
    try:
        return float(sync_redis().get(_KEY.format(migration_id)) or 0.0)
    except (redis.RedisError, ValueError):
        return 0.0
