"""The job socket: `/ws/jobs/{job}/` sends a job as it is, and again whenever it changes."""

import asyncio
import contextlib
import json
import time
import uuid
from typing import Any

import redis
import structlog

from knowledge.job_news import CHANNEL
from knowledge.models import IngestJob
from knowledge.representation import job_body
from project.accounts.choices import Scope
from project.accounts.ws import SocketCaller, user_of
from project.aio import in_thread, redis_client
from project.http.ids import uuid_or_none
from project.http.sockets import Socket

NOT_SIGNED_IN, NOT_YOURS = 4401, 4403
LOOK_EVERY = 2.0  # seconds, where no wake-up comes: Redis may be away
PAUSE = 0.2  # seconds between two messages, however often the job changes
MAX_FRAME = 1024
log = structlog.get_logger(__name__)


class JobConsumer(Socket):
    """Sends `job.updated {job}`; closes with 1000 after the last one, when the job has ended."""

    async def connect(self) -> None:
        """Accept; then close with the reason when there is one, which a refusal could not tell."""
        self._task: asyncio.Task[None] | None = None
        await self.accept()
        caller: SocketCaller | None = self.scope["caller"]
        if caller is None:
            await self.close(NOT_SIGNED_IN)
            return
        job_id = uuid_or_none(self.scope["url_route"]["kwargs"]["job"])
        if job_id is None or not caller.has_scope(Scope.KNOWLEDGE_READ):
            await self.close(NOT_YOURS)
            return
        self._task = asyncio.create_task(self._follow(caller, job_id))

    async def disconnect(self, code: int) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer a ping; there is nothing else to say here."""
        if text_data is None or len(text_data) > MAX_FRAME:
            await self.close(1009 if text_data else 1003)
            return
        with contextlib.suppress(ValueError):
            message = json.loads(text_data)
            if isinstance(message, dict) and message.get("type") == "ping":
                await self._send({"type": "pong"})

    async def _follow(self, caller: SocketCaller, job_id: uuid.UUID) -> None:
        try:
            async with contextlib.aclosing(_wake_ups(job_id)) as wake_ups:
                last: dict[str, Any] | None = None
                async for _ in wake_ups:
                    body, has_ended = await in_thread(_look, caller, job_id)
                    if body is None:
                        await self.close(NOT_YOURS)
                        return
                    if body != last:
                        await self._send({"type": "job.updated", "job": body})
                    if has_ended:
                        await self.close(1000)
                        return
                    last = body
                    await asyncio.sleep(PAUSE)
        except Exception:
            log.exception("job_socket_failed", job=str(job_id))
            await self.close(1011)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(message))


def _look(caller: SocketCaller, job_id: uuid.UUID) -> tuple[dict[str, Any] | None, bool]:
    """Return the job as the caller may see it now, and whether it has ended."""
    user = user_of(caller)
    job = IngestJob.objects.visible_to(user).filter(pk=job_id).first() if user else None
    return (job_body(job), job.has_ended) if job is not None else (None, False)


async def _wake_ups(job_id: uuid.UUID) -> Any:
    """Yield when it is time to look at a job: at once, at its changes, and every LOOK_EVERY."""
    yield
    pubsub = (await redis_client()).pubsub(ignore_subscribe_messages=True)
    try:
        while True:
            began = time.monotonic()
            try:
                if not pubsub.subscribed:
                    await pubsub.subscribe(CHANNEL.format(job_id))
                    yield
                await pubsub.get_message(timeout=LOOK_EVERY)
            except (redis.RedisError, OSError):
                await asyncio.sleep(max(0.0, LOOK_EVERY - (time.monotonic() - began)))
            yield
    finally:
        with contextlib.suppress(redis.RedisError, OSError):
            await pubsub.aclose()  # type: ignore[no-untyped-call]
