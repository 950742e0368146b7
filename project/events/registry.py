"""Who wants to hear of what."""

import datetime
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A named consumer; its name is part of its receipts, so it must never change."""

    name: str
    types: frozenset[str]
    handler: Handler


_subscribers: dict[str, Subscriber] = {}


def subscriber(name: str, *types: str) -> Callable[[Handler], Handler]:
    """Register a handler of the given event types under a name.

    The handler runs in a transaction together with its receipt: what it writes to Postgres happens
    exactly once for each event. Raises ValueError when the name is taken by another handler.
    """

    def register(handler: Handler) -> Handler:
        known = _subscribers.get(name)
        if known is not None and known.handler is not handler:
            message = f"Two subscribers are called {name!r}."
            raise ValueError(message)
        _subscribers[name] = Subscriber(name, frozenset(types), handler)
        return handler

    return register


def all_subscribers() -> list[Subscriber]:
    """Return every registered subscriber."""
    return list(_subscribers.values())


def subscribers_of(event_type: str) -> list[Subscriber]:
    """Return the subscribers of an event type."""
    return [each for each in _subscribers.values() if event_type in each.types]
