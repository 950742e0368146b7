"""The Redis stream that wakes the readers of events.

An entry carries the position, the type and the subject of an event: enough to know whom it
concerns. Everything else is in Postgres, so a flushed Redis loses nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
import structlog

from project.quick_redis import quick

STREAM = "acervo:events"
MAX_LENGTH = 100_000
"""Entries that are kept while a group does not read; what all have finished with goes at once."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream."""

    id: str
    position: int
    type: str
    subject_id: uuid.UUID | None


def publish(position: int, event_type: str, subject_id: uuid.UUID | None = None) -> bool:
    """Put an event on the stream; False when Redis is away (the relay will send it)."""
    return publish_many([(position, event_type, subject_id)])


def publish_many(entries: Sequence[tuple[int, str, uuid.UUID | None]]) -> bool:
    """Put events on the stream in order: position, type and subject of each; False as above.

    Whoever made the event waits for this, so a Redis that hangs is not waited for.
    """

    def send(client: redis.Redis) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for position, event_type, subject_id in entries:
            fields = {
                "position": position,
                "type": event_type,
                "subject": str(subject_id) if subject_id else "",
            }
            pipeline.xadd(STREAM, fields, maxlen=MAX_LENGTH, approximate=True)  # type: ignore[arg-type]
        return pipeline.execute()

    if quick(send) is None:
        log.warning("event_not_sent", position=entries[0][0] if entries else None)
        return False
    return True


async def read_group(
    client: redis.asyncio.Redis,
    group: str,
    reader: str,
    *,
    count: int,
    block_ms: int,
    acknowledge: bool = False,
) -> list[Entry]:
    """Return the next entries for `reader` of `group`, waiting up to `block_ms` for the first.

    A missing group (first start, flushed Redis) is made from the stream's first entry on.
    `acknowledge` takes the entries off at once: for readers that find lost work by another way.
    """
    try:
        answer: Any = await client.xreadgroup(
            group, reader, {STREAM: ">"}, count=count, block=block_ms, noack=acknowledge
        )
    except redis.ResponseError as error:
        if "NOGROUP" not in str(error):
            raise
        await make_group(client, group)
        return []
    return [entry for _stream, rows in answer or [] for entry in parse(rows)]


async def make_group(client: redis.asyncio.Redis, group: str) -> None:
    """Make the consumer group, and the stream, unless it is there."""
    try:
        await client.xgroup_create(STREAM, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


async def claim_abandoned(
    client: redis.asyncio.Redis, group: str, reader: str, *, idle_ms: int, count: int
) -> list[Entry]:
    """Take over entries that another reader took and left unfinished for `idle_ms`."""
    try:
        answer: Any = await client.xautoclaim(STREAM, group, reader, idle_ms, "0-0", count=count)
    except redis.ResponseError as error:
        if "NOGROUP" not in str(error):
            raise
        return []
    return parse(answer[1])


async def forget_dead_readers(client: redis.asyncio.Redis, group: str, *, idle_ms: int) -> None:
    """Take readers off the group that have been silent for `idle_ms` and have nothing in hand."""
    try:
        readers: list[dict[str, Any]] = await client.xinfo_consumers(STREAM, group)
    except redis.ResponseError:
        return  # no stream or no group: nothing to tidy
    for reader in readers:
        if reader["idle"] > idle_ms and not reader["pending"]:
            await client.xgroup_delconsumer(STREAM, group, reader["name"])


async def forget_finished(client: redis.asyncio.Redis) -> None:
    """Take off the stream what every group has read and finished with, a hundred at a time."""
    try:
        groups: list[dict[str, Any]] = await client.xinfo_groups(STREAM)
    except redis.ResponseError:
        return  # no stream
    needed = []
    for group in groups:
        pending = await client.xpending(STREAM, group["name"])
        needed.append(str(pending["min"] or group["last-delivered-id"]))
    if needed:
        await client.xtrim(STREAM, minid=min(needed, key=_place), approximate=True)


def _place(entry_id: str) -> tuple[int, int]:
    time, _dash, number = entry_id.partition("-")
    return int(time), int(number)


def parse(rows: list[tuple[str, dict[str, str]]]) -> list[Entry]:
    """Return the entries of a reply; what was trimmed away while pending has no fields."""
    return [
        Entry(
            entry_id,
            int(fields["position"]),
            fields["type"],
            uuid.UUID(fields["subject"]) if fields.get("subject") else None,
        )
        for entry_id, fields in rows
        if fields
    ]
