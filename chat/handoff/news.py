"""Telling whoever follows a handoff that something is new; what it is, they read themselves.

The rows are the truth. With Redis away everybody looks by themselves, only later.
"""

import json
import uuid
from typing import Any

import redis
import structlog
from django.db import transaction

from project.aio import sync_redis

CHANNEL = "acervo:handoff:{}"
PATTERN = "acervo:handoff:*"
DESK = "desk"
"""In the place of an id: the queues have changed."""

LOOK: dict[str, Any] = {"type": "look"}
log = structlog.get_logger(__name__)


def tell_after_commit(handoff_id: uuid.UUID) -> None:
    """Wake whoever follows the handoff or the queues, once the change is there to be seen."""

    def tell() -> None:
        try:
            pipe = sync_redis().pipeline(transaction=False)
            for name in (handoff_id, DESK):
                pipe.publish(CHANNEL.format(name), json.dumps(LOOK))
            pipe.execute()
        except (redis.RedisError, OSError) as error:
            log.warning("handoff_not_told", handoff=str(handoff_id), error=type(error).__name__)

    transaction.on_commit(tell, robust=True)
