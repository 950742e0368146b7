"""Telling whoever follows a handoff that something is new; what it is, they read themselves.

The rows are the truth. With Redis away everybody looks by themselves, only later.
"""

import json
import uuid
from typing import Any

import redis
from django.db import transaction

from project.quick_redis import quick

CHANNEL = "acervo:handoff:{}"
PATTERN = "acervo:handoff:*"
DESK = "desk"
"""In the place of an id: the queues have changed."""

LOOK: dict[str, Any] = {"type": "look"}


def tell_after_commit(handoff_id: uuid.UUID) -> None:
    """Wake whoever follows the handoff or the queues, once the change is there to be seen."""

    def tell(client: redis.Redis) -> None:
        pipe = client.pipeline(transaction=False)
        for name in (handoff_id, DESK):
            pipe.publish(CHANNEL.format(name), json.dumps(LOOK))
        pipe.execute()

    transaction.on_commit(lambda: quick(tell), robust=True)
