"""Subscribers that live for one test."""

from collections.abc import Callable, Iterator

import pytest

from project.events import registry
from project.events.registry import Handler, ManyHandler


@pytest.fixture
def subscribe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, Handler], None]]:
    """Register `handler` of an event type under a name until the test ends."""
    monkeypatch.setattr(registry, "_subscribers", {})

    def register(name: str, event_type: str, handler: Handler) -> None:
        registry.subscriber(name, event_type)(handler)

    return register


@pytest.fixture
def subscribe_many(subscribe: object) -> Callable[[str, str, ManyHandler], None]:
    """Do the same for a handler that takes many events at once."""

    def register(name: str, event_type: str, handler: ManyHandler) -> None:
        registry.subscriber_of_many(name, event_type)(handler)

    return register
