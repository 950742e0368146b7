"""The tables of events."""

from project.events.models.outbox import RELAY_AFTER, Event, EventReceipt, first_relay_time
from project.events.webhooks.models import Webhook, WebhookDelivery

__all__ = [
    "RELAY_AFTER",
    "Event",
    "EventReceipt",
    "Webhook",
    "WebhookDelivery",
    "first_relay_time",
]
