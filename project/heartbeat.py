"""Signs of life: every process renews a Redis key, and whoever asks counts the keys.

`acervo:heartbeat:{process}:{host}:{pid}` holds JSON and lives for `TTL` seconds.
"""

import asyncio
import json
import os
import socket
import threading
import time
from dataclasses import asdict, dataclass

import psutil
import redis
import structlog
from celery import signals

from project.aio import redis_client, sync_redis

TTL = 15  # seconds
INTERVAL = 5.0
PROCESSES = ("web", "agent", "worker", "beat")
_PREFIX = "acervo:heartbeat:"

logger = structlog.get_logger(__name__)
_started_at = time.time()


@dataclass(frozen=True)
class Heartbeat:
    """What a living process says of itself; times are Unix seconds."""

    process: str
    pid: int
    host: str
    started_at: float
    at: float


def _entry(process: str) -> tuple[str, str]:
    own = Heartbeat(process, os.getpid(), socket.gethostname(), _started_at, time.time())
    return f"{_PREFIX}{process}:{own.host}:{own.pid}", json.dumps(asdict(own))


def beat(process: str) -> None:
    """Renew this process's key; raises redis.RedisError."""
    key, value = _entry(process)
    sync_redis().set(key, value, ex=TTL)


def withdraw(process: str) -> None:
    """Remove the key at a clean end, so that nobody counts on this process; raises RedisError."""
    sync_redis().delete(_entry(process)[0])


async def pulse(process: str) -> None:
    """Beat until cancelled. Redis being away is logged once, and is no reason to stop."""
    was_down = False
    while True:
        key, value = _entry(process)
        try:
            await (await redis_client()).set(key, value, ex=TTL)
        except (redis.RedisError, OSError) as error:
            if not was_down:
                logger.warning("heartbeat_lost", process=process, error=str(error))
            was_down = True
        else:
            was_down = False
        await asyncio.sleep(INTERVAL)


def start_thread(process: str) -> threading.Event:
    """Beat from a thread until the returned event is set."""
    ending = threading.Event()

    def run() -> None:
        was_down = False
        while True:
            try:
                beat(process)
            except (redis.RedisError, OSError) as error:
                if not was_down:
                    logger.warning("heartbeat_lost", process=process, error=str(error))
                was_down = True
            else:
                was_down = False
            if ending.wait(INTERVAL):
                return

    threading.Thread(target=run, name="heartbeat", daemon=True).start()
    return ending


def living() -> list[Heartbeat]:
    """All processes that beat within the last `TTL` seconds; raises redis.RedisError."""
    client = sync_redis()
    keys = list(client.scan_iter(match=f"{_PREFIX}*", count=500))
    values = client.mget(keys) if keys else []
    found = [Heartbeat(**json.loads(value)) for value in values if value]
    return sorted(found, key=lambda one: (one.process, one.pid))


def forget_the_dead() -> None:
    """Remove the keys of processes of this host that have ended; raises redis.RedisError.

    After a quick restart nobody takes the former processes' last beats for life.
    """
    for one in living():
        if one.host == socket.gethostname() and not psutil.pid_exists(one.pid):
            sync_redis().delete(f"{_PREFIX}{one.process}:{one.host}:{one.pid}")


def connect_celery() -> None:
    """Let Celery workers and beat show their life."""
    signals.worker_ready.connect(_worker_ready, weak=False)
    signals.beat_init.connect(_beat_ready, weak=False)


def _worker_ready(**_: object) -> None:
    start_thread("worker")


def _beat_ready(**_: object) -> None:
    start_thread("beat")
