"""Events: what happened, written with what it tells, delivered at least once, applied exactly once.

`emit` writes a row in the caller's transaction (outbox and event store in one); after the commit
the row goes on a Redis stream; the relay sends what a crash or a flushed Redis left unsent. A
subscriber runs in one transaction with its receipt, so a repeat has no effect. What came together
is applied together where its subscribers take many events at once.
"""

from project.events.registry import EventMessage, subscriber, subscriber_of_many

__all__ = ["EventMessage", "subscriber", "subscriber_of_many"]
