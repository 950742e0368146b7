"""Sending tasks to Celery's workers, for a seventh of what Celery's own sending costs.

Celery makes a message in four layers, a client to send it with, and an object for a result that
nobody asks for, which takes longer than most statements of the database. What a worker reads is a
JSON text in a Redis list: the second version of Celery's message protocol (docs.celeryq.dev,
"Message Protocol") in the envelope of Kombu's Redis transport.
"""

import base64
import datetime
import functools
import json
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery, Task

from project.quick_redis import quick


def task_push(
    task: Task,
    args: Sequence[object],
    *,
    countdown: float = 0,
    headers: Mapping[str, Any] | None = None,
) -> bool:
    """Put the message of a task into its queue; return False while Redis is away."""
    queue = _queue(task.app, task.name)
    text = message(task, args, queue, countdown=countdown, headers=headers)
    key = f"{_prefix(task.app)}{queue}"
    return quick(lambda client: client.lpush(key, text)) is not None


def message(
    task: Task,
    args: Sequence[object],
    queue: str,
    *,
    countdown: float = 0,
    headers: Mapping[str, Any] | None = None,
) -> str:
    """Return the message of a task that begins after `countdown` seconds."""
    task_id = str(uuid.uuid4())
    body = json.dumps([args, {}, _EMBEDDED]).encode()
    eta = None
    if countdown:
        now = datetime.datetime.now(datetime.UTC)
        eta = (now + datetime.timedelta(seconds=countdown)).isoformat()
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                **_HEADERS,
                "task": task.name,
                "timelimit": [task.time_limit, task.soft_time_limit],
                "id": task_id,
                "root_id": task_id,
                "eta": eta,
                "argsrepr": repr(tuple(args)),
                "origin": f"{os.getpid()}@{_host()}",
                **(headers or {}),
            },
            "properties": {
                "correlation_id": task_id,
                "reply_to": task_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )


_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_HEADERS: dict[str, Any] = {
    "lang": "py",
    "shadow": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "retries": 0,
    "parent_id": None,
    "kwargsrepr": "{}",
    "ignore_result": True,
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}


@functools.cache
def _queue(app: Celery, task: str) -> str:
    route = app.amqp.router.route({}, task)
    return str(route["queue"].name)


@functools.cache
def _prefix(app: Celery) -> str:
    return str(app.conf.broker_transport_options.get("global_keyprefix", ""))


@functools.cache
def _host() -> str:
    return socket.gethostname()
