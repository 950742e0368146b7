"""Applying events: once each, whatever is delivered how often."""

import datetime

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from project.events import bus
from project.events.models import Event, EventReceipt
from project.events.registry import EventMessage, Subscriber, subscribers_of
from project.tracing import bind_trace

SWEEP_AFTER = datetime.timedelta(seconds=5)
MAX_ATTEMPTS = 12
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
    done = set(event.receipts.values_list("consumer", flat=True))
    wanted = [each for each in subscribers_of(event.type) if each.name not in done]
    failures = []
    with bind_trace(event.trace_id):
        for each in wanted:
            try:
                _apply(each, message)
            except _AlreadyAppliedError:
                continue
            except Exception as error:  # noqa: BLE001 - one subscriber must not stop the others
                log.exception("subscriber_failed", subscriber=each.name, position=position)
                failures.append(f"{each.name}: {type(error).__name__}: {error}")
    _settle(position, failures)


def _apply(subscriber: Subscriber, message: EventMessage) -> None:
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
        row.update(settled_at=now, error="")
        return
    row.update(error="\n".join(failures)[:4000])
    row.filter(attempts__gte=MAX_ATTEMPTS).update(failed_at=now)


def relay(limit: int = 200) -> int:
    """Send again what stayed unsettled, each a little later than the last time; return how many."""
    now = timezone.now()
    sent = 0
    with transaction.atomic():
        rows = Event.objects.unsettled(older_than=SWEEP_AFTER).select_for_update(skip_locked=True)
        for event in rows[:limit]:
            wait = datetime.timedelta(seconds=min(300, 5 * 2 ** min(event.attempts, 6)))
            if event.published_at is not None and now - event.published_at < wait:
                continue
            if not bus.publish(event.position, event.type):
                break
            Event.objects.filter(pk=event.pk).update(
                published_at=now, attempts=event.attempts + 1
            )
            sent += 1
    return sent
