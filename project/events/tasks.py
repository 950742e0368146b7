"""Celery tasks of events."""

from typing import Any

from celery import shared_task

from project.events.webhooks import sending


@shared_task(bind=True)
def webhooks_send(self: Any) -> None:
    """Send to webhooks what is due, for a bounded time."""
    if sending.webhooks_send():
        self.apply_async()
