"""Writing events."""

import functools
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from project.database.prepared import prepared_rows
from project.database.rows import insert_into, stored
from project.events import bus
from project.events.models import Event
from project.events.registry import subscribers_of
from project.events.types import NewEvent
from project.events.webhooks.outbox import WANTING, Wanting, deliveries_write, wanting_of
from project.events.webhooks.registry import offer_of
from project.tracing import current_trace_id


def emit(
    event_type: str,
    payload: dict[str, Any],
    *,
    space_id: uuid.UUID | None = None,
    subject_id: uuid.UUID | None = None,
) -> Event:
    """Write an event in the caller's transaction and send it after the commit.

    What has no subscriber is settled from the start; readers of the stream get it all the same.
    Raises TransactionManagementError outside a transaction: an event must not outlive, or be lost
    without, the change that it tells.
    """
    return emit_many([NewEvent(event_type, payload, space_id, subject_id)])[0]


def emit_many(news: Sequence[NewEvent]) -> list[Event]:
    """Do the same for many events at once; they keep their order."""
    if not news:
        return []
    if not transaction.get_connection().in_atomic_block:
        message = f"{news[0].type} must be emitted inside a transaction."
        raise transaction.TransactionManagementError(message)
    trace_id, now = current_trace_id(), timezone.now()
    events = [
        Event(
            type=each.type,
            payload=each.payload,
            space_id=each.space_id,
            subject_id=each.subject_id,
            trace_id=each.trace_id or trace_id,
            settled_at=None if subscribers_of(each.type) else now,
        )
        for each in news
    ]
    deliveries_write(events, _store(events))
    entries = [(event.position, event.type, event.subject_id) for event in events]
    transaction.on_commit(lambda: bus.publish_many(entries), robust=True)
    return events


@functools.cache
def _statement() -> str:
    """Return the statement that stores events, and reads which webhooks want one of some types.

    One, because every change of anything asks it.
    """
    return f"""
WITH stored AS ({insert_into(Event).statement_of_many} RETURNING position)
SELECT ARRAY(SELECT position FROM stored), ({WANTING})
"""  # noqa: S608 - names of our own columns


def _store(events: Sequence[Event]) -> list[Wanting]:
    """Store new events with the positions they get; return the webhooks that may want them."""
    insert = insert_into(Event)
    types = sorted({each.type for each in events if offer_of(each.type) is not None})
    positions: list[int] = []
    webhooks: list[Wanting] = []
    for batch in insert.json_of_new(events):
        [(stored_at, found)] = prepared_rows(_statement(), [batch, types], is_text=True)
        positions += stored_at
        webhooks = wanting_of(found)
    for event, position in zip(events, positions, strict=True):
        event.position = position
        stored(event)
    return webhooks


def events_resend(rows: Any) -> int:
    """Let the relay send the unsettled events among `rows` again at once; return how many.

    What was given up gets all its attempts anew; whoever has applied one does not do it twice.
    """
    unsettled = Event.objects.filter(pk__in=rows.values("pk"), settled_at=None)
    return unsettled.update(relay_at=timezone.now(), attempts=0, failed_at=None)
