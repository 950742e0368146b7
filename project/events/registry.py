"""Who wants to hear of what."""

import datetime
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from project.tracing import bind_trace


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event as a subscriber sees it."""

    position: int
    id: uuid.UUID
    type: str
    payload: dict[str, Any]
    space_id: uuid.UUID | None
    subject_id: uuid.UUID | None
    trace_id: str
    created_at: datetime.datetime


Handler = Callable[[EventMessage], None]
ManyHandler = Callable[[Sequence[EventMessage]], None]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A named consumer; its name is part of its receipts, so it must never change."""

    name: str
    types: frozenset[str]
    handler: Callable[..., None]
    takes_many: bool = False

    def apply(self, events: Sequence[EventMessage]) -> None:
        """Run the handler for events, each under its trace id if it takes them one by one."""
        if self.takes_many:
            self.handler(events)
            return
        for event in events:
            with bind_trace(event.trace_id):
                self.handler(event)


_subscribers: dict[str, Subscriber] = {}


def subscriber(name: str, *types: str) -> Callable[[Handler], Handler]:
    """Register a handler of the given event types under a name.

    The handler runs in a transaction together with its receipt: what it writes to Postgres happens
    exactly once for each event. Raises ValueError when the name is taken by another handler.
    """

    def register(handler: Handler) -> Handler:
        _add(Subscriber(name, frozenset(types), handler))
        return handler

    return register


def subscriber_of_many(name: str, *types: str) -> Callable[[ManyHandler], ManyHandler]:
    """Register a handler that takes many events at once, in the order of their positions.

    One transaction is for all of them, and for the other handlers of many; if it fails, each event
    is applied by itself. So that two processes do not wait for each other, a handler takes locks in
    one order, whatever the order of the events. What it writes or sends for an event carries the
    trace id of that event by its own doing: of several events none is bound. Raises as above.
    """

    def register(handler: ManyHandler) -> ManyHandler:
        _add(Subscriber(name, frozenset(types), handler, takes_many=True))
        return handler

    return register


def _add(one: Subscriber) -> None:
    known = _subscribers.get(one.name)
    if known is not None and known.handler is not one.handler:
        message = f"Two subscribers are called {one.name!r}."
        raise ValueError(message)
    _subscribers[one.name] = one


def all_subscribers() -> list[Subscriber]:
    """Return every registered subscriber."""
    return list(_subscribers.values())


def subscribers_of(event_type: str) -> list[Subscriber]:
    """Return the subscribers of an event type."""
    return [each for each in _subscribers.values() if event_type in each.types]
