"""Applying events: once each, whatever is delivered how often."""

import datetime
import json
from collections.abc import Collection, Mapping, Sequence

import structlog
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from project.events import bus
from project.events.models import Event, EventReceipt
from project.events.registry import EventMessage, Subscriber, all_subscribers, subscribers_of
from project.tracing import bind_trace

MAX_ATTEMPTS = 12
MAX_ERROR_CHARS = 4000
FIRST_WAIT = datetime.timedelta(seconds=5)
LONGEST_WAIT = datetime.timedelta(minutes=5)
# Events first, in one order: of two deliveries at once the second waits until the first has ended,
# and finds the events settled, or does what the first could not.
_TAKE = """
WITH due AS (
    SELECT position FROM events_event WHERE position = ANY(%s) AND settled_at IS NULL
    ORDER BY position FOR NO KEY UPDATE
), taken AS (
    UPDATE events_event AS event
    SET settled_at = statement_timestamp(), failed_at = NULL, error = ''
    FROM due WHERE event.position = due.position
    RETURNING event.position, id, type, payload, space_id, subject_id, trace_id, created_at
), mine AS (
    INSERT INTO events_eventreceipt (consumer, event_id, created_at)
    SELECT wanted.name, taken.position, statement_timestamp()
    FROM taken JOIN unnest(%s::text[], %s::text[]) AS wanted (name, type) USING (type)
    ORDER BY taken.position, wanted.name
    ON CONFLICT (event_id, consumer) DO NOTHING RETURNING consumer, event_id
)
SELECT taken.*, ARRAY(SELECT consumer FROM mine WHERE event_id = taken.position)
FROM taken ORDER BY position
"""
log = structlog.get_logger(__name__)


class _AlreadyAppliedError(Exception):
    """Another delivery of this event has won."""


def deliver(position: int) -> None:
    """Apply one event, as `deliver_many` does."""
    deliver_many([position])


def deliver_many(positions: Collection[int]) -> None:
    """Apply events to each of their subscribers that has no receipt yet, then settle them.

    Those whose subscribers all take many at once share one transaction. A failing subscriber or
    event does not keep the others from theirs: its error is written on the event, and the relay
    sends the event again, up to MAX_ATTEMPTS times.
    """
    rows = Event.objects.filter(position__in=positions, settled_at=None).order_by("position")
    for group in _groups(dict(rows.values_list("position", "type"))):
        if _apply_together(group):
            continue
        for position in group:
            if len(group) == 1 or not _apply_together({position: group[position]}):
                _apply_apart(position)


def _groups(types: dict[int, str]) -> list[dict[int, str]]:
    """Part events, types by position, into those that are applied together."""
    shared, alone = {}, []
    for position, event_type in types.items():
        if all(each.takes_many for each in subscribers_of(event_type)):
            shared[position] = event_type
        else:
            alone.append({position: event_type})
    return [shared, *alone] if shared else alone


def _apply_together(types: dict[int, str]) -> bool:
    """Settle events and run the handlers that have no receipt yet, all in one transaction.

    Return whether that went well; if not, nothing has happened. A transaction for each of them
    takes many times the statements, and nearly always all of them succeed.
    """
    wanted = {name: subscribers_of(name) for name in set(types.values())}
    subscribers = {each.name: each for rows in wanted.values() for each in rows}
    try:
        with transaction.atomic():
            taken = _take([*types], wanted)
            everything = tuple(message for message, _names in taken)
            for name in (each.name for each in all_subscribers() if each.name in subscribers):
                mine = tuple(message for message, names in taken if name in names)
                if mine:  # the same object where it is all: what is read for it is read once
                    _run(subscribers[name], everything if len(mine) == len(taken) else mine)
    except Exception as error:  # noqa: BLE001 - told by whoever fails again by itself
        log.info("subscribers_apart", positions=[*types], error=type(error).__name__)
        return False
    return True


def _run(subscriber: Subscriber, messages: Sequence[EventMessage]) -> None:
    if len(messages) == 1:
        with bind_trace(messages[0].trace_id):
            subscriber.apply(messages)
    else:
        subscriber.apply(messages)


def _take(
    positions: list[int], wanted: Mapping[str, Sequence[Subscriber]]
) -> list[tuple[EventMessage, set[str]]]:
    """Settle the events that are not yet, and write the receipts that there are not yet.

    Return each event with the names of the subscribers that are to apply it now.
    """
    pairs = [(each.name, name) for name, rows in wanted.items() for each in rows]
    names, types = [name for name, _type in pairs], [each for _name, each in pairs]
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [positions, names, types])
        return [
            (EventMessage(position, pk, kind, json.loads(payload), *rest), set(mine))
            for position, pk, kind, payload, *rest, mine in cursor.fetchall()
        ]


def _apply_apart(position: int) -> None:
    """Run the handlers that have no receipt yet, each for itself; note what failed."""
    event = Event.objects.get(position=position)
    if event.settled_at is not None:
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
    done = set(EventReceipt.objects.filter(event_id=position).values_list("consumer", flat=True))
    failures = []
    with bind_trace(event.trace_id):
        for each in subscribers_of(event.type):
            if each.name in done:
                continue
            try:
                _apply(each, message)
            except _AlreadyAppliedError:
                continue
            except Exception as error:
                log.exception("subscriber_failed", subscriber=each.name, position=position)
                failures.append(f"{each.name}: {type(error).__name__}: {error}")
    _settle(position, failures)


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
        _run(subscriber, [message])


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
