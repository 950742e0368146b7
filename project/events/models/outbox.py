"""Events and the receipts of their subscribers."""

import datetime
import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from project.events.querysets import EventQuerySet

RELAY_AFTER = datetime.timedelta(seconds=5)
"""How long the first sending of an event, right after its commit, has to be applied."""


def first_relay_time() -> datetime.datetime:
    """Return when the relay should send a new event that nobody has applied by then."""
    return timezone.now() + RELAY_AFTER


class Event(models.Model):
    """Something that happened; append-only, in the order of `position`.

    Positions are given out before the commit: a reader that has seen position 7 may still be
    shown position 6 later. Delivery therefore goes by `settled_at`, never by a high-water mark.
    """

    position = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(_("type"), max_length=80)
    space_id = models.UUIDField(_("space"), null=True, blank=True)
    subject_id = models.UUIDField(_("about"), null=True, blank=True)
    payload = models.JSONField(_("payload"), default=dict)
    trace_id = models.CharField(_("trace id"), max_length=64)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    relay_at = models.DateTimeField(
        _("sent again at"),
        default=first_relay_time,
        help_text=_("When the relay sends it, if it is not settled by then."),
    )
    settled_at = models.DateTimeField(
        _("settled"), null=True, blank=True, help_text=_("When every subscriber had applied it.")
    )
    attempts = models.PositiveSmallIntegerField(_("times sent again"), default=0)
    failed_at = models.DateTimeField(
        _("given up"), null=True, blank=True, help_text=_("When a subscriber failed too often.")
    )
    error = models.TextField(_("error"), blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-position"]
        indexes = [
            models.Index(  # the relay's sweep
                fields=["relay_at"],
                condition=models.Q(settled_at=None, failed_at=None),
                name="event_to_relay",
            ),
            models.Index(fields=["subject_id", "position"], name="event_by_subject"),
            models.Index(fields=["created_at"], name="event_oldest"),  # the expiry of old rows
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.position}"


class EventReceipt(models.Model):
    """Proof that a subscriber has applied an event."""

    consumer = models.CharField(_("subscriber"), max_length=80)
    event = models.ForeignKey(Event, models.CASCADE, related_name="receipts")
    created_at = models.DateTimeField(_("applied"), auto_now_add=True)

    class Meta:
        verbose_name = _("event receipt")
        verbose_name_plural = _("event receipts")
        constraints = [
            models.UniqueConstraint(fields=["event", "consumer"], name="one_receipt_a_subscriber")
        ]

    def __str__(self) -> str:
        return f"{self.consumer} #{self.event_id}"
