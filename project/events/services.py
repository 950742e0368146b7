"""Writing events."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from project.database.rows import rows_add
from project.events import bus
from project.events.models import Event
from project.events.registry import subscribers_of
from project.events.types import NewEvent
from project.events.webhooks.outbox import deliveries_write
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
            trace_id=trace_id,
            settled_at=None if subscribers_of(each.type) else now,
        )
        for each in news
    ]
    rows_add(events)
    deliveries_write(events)
    entries = [(event.position, event.type, event.subject_id) for event in events]
    transaction.on_commit(lambda: bus.publish_many(entries), robust=True)
    return events


def events_resend(rows: Any) -> int:
    """Let the relay send the unsettled events among `rows` again at once; return how many.

    What was given up gets all its attempts anew; whoever has applied one does not do it twice.
    """
    unsettled = Event.objects.filter(pk__in=rows.values("pk"), settled_at=None)
    return unsettled.update(relay_at=timezone.now(), attempts=0, failed_at=None)
