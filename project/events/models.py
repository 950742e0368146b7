"""The tables of events."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from project.events.querysets import EventQuerySet


class Event(models.Model):
    """Something that happened; append-only, in the order of `position`."""

    position = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(_("type"), max_length=80)
    space_id = models.UUIDField(_("space"), null=True, blank=True)
    subject_id = models.UUIDField(_("about"), null=True, blank=True)
    payload = models.JSONField(_("payload"), default=dict)
    trace_id = models.CharField(_("trace id"), max_length=64)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    published_at = models.DateTimeField(_("sent"), null=True, blank=True)
    settled_at = models.DateTimeField(
        _("settled"), null=True, blank=True, help_text=_("When every subscriber had applied it.")
    )
    attempts = models.PositiveSmallIntegerField(_("times sent"), default=0)
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
                fields=["created_at"],
                condition=models.Q(settled_at=None, failed_at=None),
                name="event_unsettled",
            ),
            models.Index(fields=["subject_id", "position"], name="event_by_subject"),
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
