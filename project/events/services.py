"""Writing events."""

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from project.events import bus
from project.events.models import Event
from project.events.registry import subscribers_of
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
    if not transaction.get_connection().in_atomic_block:
        message = f"{event_type} must be emitted inside a transaction."
        raise transaction.TransactionManagementError(message)
    event = Event.objects.create(
        type=event_type,
        payload=payload,
        space_id=space_id,
        subject_id=subject_id,
        trace_id=current_trace_id(),
        settled_at=None if subscribers_of(event_type) else timezone.now(),
    )
    transaction.on_commit(
        lambda: bus.publish(event.position, event.type, event.subject_id), robust=True
    )
    return event


def events_resend(rows: Any) -> int:
    """Let the relay send the unsettled events among `rows` again at once; return how many.

    What was given up gets all its attempts anew; whoever has applied one does not do it twice.
    """
    unsettled = Event.objects.filter(pk__in=rows.values("pk"), settled_at=None)
    return unsettled.update(relay_at=timezone.now(), attempts=0, failed_at=None)
