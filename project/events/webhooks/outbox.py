"""Writing deliveries beside the events that they tell of, in the same transaction."""

import datetime
import uuid
from collections.abc import Collection, Sequence

import redis
import structlog
from celery import current_app
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from project.aio import sync_redis
from project.events.models import Event, WebhookDelivery
from project.events.webhooks.registry import offer_of

TASK = "project.events.tasks.webhooks_send"
GATHER = 0.3  # seconds in which news is gathered before it is sent
BATCH = 500
OLDEST = datetime.timedelta(hours=72)  # of a delivery that is still tried
log = structlog.get_logger(__name__)


def deliveries_write(events: Sequence[Event]) -> None:
    """Write a delivery of each event for each webhook that wants it.

    Part of the transaction that writes the events: what it tells is delivered if, and only if, it
    happened. Who may know of it is asked when it is sent.
    """
    types = {event.type for event in events if offer_of(event.type) is not None}
    if not types:
        return
    webhooks = _wanting(types)
    if not webhooks:
        return
    rows = [
        WebhookDelivery(
            webhook_id=pk,
            position=event.position,
            type=event.type,
            space_id=event.space_id,
            subject_id=event.subject_id,
            payload=event.payload,
            trace_id=event.trace_id,
            happened_at=event.created_at,
            give_up_at=event.created_at + OLDEST,
        )
        for pk, wanted, spaces in webhooks
        for event in events
        if event.type in wanted and _is_in(event.space_id, spaces)
    ]
    if rows:
        WebhookDelivery.objects.bulk_create(rows, batch_size=BATCH)
        transaction.on_commit(send_soon, robust=True)


def _wanting(types: set[str]) -> list[tuple[uuid.UUID, list[str], list[uuid.UUID]]]:
    """Return id, types and spaces of the webhooks that send and want one of these types.

    In plain SQL: every event asks, and to write the query costs more than to run it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, types, spaces FROM events_webhook "
            "WHERE is_enabled AND types && %s::varchar[]",
            [[*types]],
        )
        return list(cursor.fetchall())


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
