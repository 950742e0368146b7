"""Writing deliveries beside the events that they tell of, in the same transaction."""

import datetime
import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import redis
import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from project.aio import sync_redis
from project.events.models import Event, WebhookDelivery

TASK = "project.events.tasks.webhooks_send"
GATHER = 0.3  # seconds in which news is gathered before it is sent
BATCH = 500
OLDEST = datetime.timedelta(hours=72)  # of a delivery that is still tried
WANTING = """
SELECT jsonb_agg(jsonb_build_array(id, types, spaces)) FROM events_webhook
WHERE is_enabled AND types && %s::varchar[]
"""
"""The webhooks that send and want one of these types, for `wanting_of`."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanting:
    """A webhook that sends, and what it wants: types, and spaces or, where there are none, all."""

    id: uuid.UUID
    types: frozenset[str]
    spaces: frozenset[uuid.UUID]


def wanting_of(found: str | None) -> list[Wanting]:
    """Return the webhooks of an answer of `WANTING`."""
    return [
        Wanting(uuid.UUID(pk), frozenset(types), frozenset(map(uuid.UUID, spaces)))
        for pk, types, spaces in json.loads(found or "[]")
    ]


def deliveries_write(events: Sequence[Event], webhooks: Sequence[Wanting]) -> None:
    """Write a delivery of each event for each of these webhooks that wants it.

    Part of the transaction that writes the events: what it tells is delivered if, and only if, it
    happened. Who may know of it is asked when it is sent.
    """
    rows = [
        WebhookDelivery(
            webhook_id=webhook.id,
            position=event.position,
            type=event.type,
            space_id=event.space_id,
            subject_id=event.subject_id,
            payload=event.payload,
            trace_id=event.trace_id,
            happened_at=event.created_at,
            give_up_at=event.created_at + OLDEST,
        )
        for webhook in webhooks
        for event in events
        if event.type in webhook.types and _is_in(event.space_id, webhook.spaces)
    ]
    if rows:
        WebhookDelivery.objects.bulk_create(rows, batch_size=BATCH)
        transaction.on_commit(send_soon, robust=True)


def _is_in(space_id: uuid.UUID | None, spaces: Collection[uuid.UUID]) -> bool:
    return not spaces or space_id in spaces


def send_soon() -> None:
    """Have what is due sent in a moment. A broker that is away is made up for by the sweep."""
    try:
        if sync_redis().set("acervo:webhooks:asked", 1, nx=True, px=round(GATHER * 1000)):
            # By its name: processes that only write events do not know the task itself.
            current_app.send_task(TASK, countdown=GATHER, retry=False)
    except (redis.RedisError, OperationalError, OSError) as error:
        log.warning("webhooks_not_asked", error=type(error).__name__)
