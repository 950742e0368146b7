"""Applying events: once each, whatever is delivered how often."""

import datetime
from collections.abc import Sequence

import structlog
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from project.events import bus
from project.events.models import Event, EventReceipt
from project.events.registry import EventMessage, Subscriber, subscribers_of
from project.tracing import bind_trace

MAX_ATTEMPTS = 12
MAX_ERROR_CHARS = 4000
FIRST_WAIT = datetime.timedelta(seconds=5)
LONGEST_WAIT = datetime.timedelta(minutes=5)
_RECEIPTS = """
INSERT INTO events_eventreceipt (consumer, event_id, created_at)
SELECT name, %s, statement_timestamp() FROM unnest(%s::text[]) AS wanted (name)
ON CONFLICT (event_id, consumer) DO NOTHING RETURNING consumer
"""
log = structlog.get_logger(__name__)


class _AlreadyAppliedError(Exception):
    """Another delivery of this event has won."""


def deliver(position: int) -> None:
    """Apply an event to each of its subscribers that has no receipt for it, then settle it.

    A failing subscriber does not keep the others from theirs: its error is written on the event,
    and the relay sends the event again, up to MAX_ATTEMPTS times.
    """
    event = Event.objects.filter(position=position).first()
    if event is None or event.settled_at is not None:
        return
    subscribers = subscribers_of(event.type)
    message = EventMessage(
        event.position,
        event.id,
        event.type,
        event.payload,
        event.space_id,
        event.subject_id,
        event.trace_id,
        event.created_at,
    )
    with bind_trace(event.trace_id):
        if not _apply_together(subscribers, message):
            _settle(position, _apply_apart(subscribers, message))


def _apply_together(subscribers: Sequence[Subscriber], message: EventMessage) -> bool:
    """Run the handlers that have no receipt yet in one transaction, and settle the event in it.

    Return whether that went well; if not, nothing has happened. A transaction for each of them
    takes five times the statements, and nearly always all of them succeed.
    """
    try:
        with transaction.atomic():
            mine = _receipts_write(subscribers, message.position)
            for each in subscribers:
                if each.name in mine:
                    each.handler(message)
            _settle(message.position, [])
    except Exception as error:  # noqa: BLE001 - told by whoever fails again by itself
        log.info("subscribers_apart", position=message.position, error=type(error).__name__)
        return False
    return True


def _receipts_write(subscribers: Sequence[Subscriber], position: int) -> set[str]:
    """Write the receipts that there are not yet; return whose they are.

    Of two deliveries at once the second waits on the unique index until the first has ended.
    """
    if not subscribers:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_RECEIPTS, [position, [each.name for each in subscribers]])
        return {name for (name,) in cursor.fetchall()}


def _apply_apart(subscribers: Sequence[Subscriber], message: EventMessage) -> list[str]:
    """Run the handlers that have no receipt yet, each for itself; return what failed."""
    done = set(
        EventReceipt.objects.filter(event_id=message.position).values_list("consumer", flat=True)
    )
    failures = []
    for each in subscribers:
        if each.name in done:
            continue
        try:
            _apply(each, message)
        except _AlreadyAppliedError:
            continue
        except Exception as error:
            log.exception("subscriber_failed", subscriber=each.name, position=message.position)
            failures.append(f"{each.name}: {type(error).__name__}: {error}")
    return failures


def _apply(subscriber: Subscriber, message: EventMessage) -> None:
    """Run the handler in one transaction with its receipt.

    The receipt comes first: of two deliveries at once the second waits on the unique index until
    the first has committed (then it is refused) or rolled back (then it takes its place).
    """
    with transaction.atomic():
        try:
            with transaction.atomic():
                EventReceipt.objects.create(consumer=subscriber.name, event_id=message.position)
        except IntegrityError:
            raise _AlreadyAppliedError from None
        subscriber.handler(message)


def _settle(position: int, failures: list[str]) -> None:
    now = timezone.now()
    row = Event.objects.filter(position=position, settled_at=None)
    if not failures:
        row.update(settled_at=now, failed_at=None, error="")
        return
    row.update(error="\n".join(failures).replace("\x00", "")[:MAX_ERROR_CHARS])
    row.filter(attempts__gte=MAX_ATTEMPTS).update(failed_at=now)


def relay(limit: int = 200) -> int:
    """Send again what is unsettled and due; return how many. Each waits longer every time.

    Several processes may relay at once: each takes other rows. While Redis is away nothing is
    sent and nothing is counted as an attempt.
    """
    now = timezone.now()
    sent = 0
    with transaction.atomic():
        for event in Event.objects.to_relay().select_for_update(skip_locked=True)[:limit]:
            if not bus.publish(event.position, event.type, event.subject_id):
                break
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(event.attempts, 8))
            Event.objects.filter(pk=event.pk).update(
                relay_at=now + wait, attempts=min(event.attempts + 1, MAX_ATTEMPTS)
            )
            sent += 1
    return sent
