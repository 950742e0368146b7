"""The tables of webhooks: who is told of what, and each telling."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from project.events.choices import DeliveryStatus, DisabledReason
from project.events.webhooks.querysets import DeliveryQuerySet, WebhookQuerySet


class Webhook(models.Model):
    """An address that is told of events, for a user: of those only that the user may know of."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="webhooks",
        verbose_name=_("owner"),
        help_text=_("Events are sent as far as this person may know of them."),
    )
    name = models.CharField(_("name"), max_length=100)
    url = models.CharField(_("address"), max_length=2000)
    types = ArrayField(
        models.CharField(max_length=80), verbose_name=_("events"), help_text=_("Types of events.")
    )
    spaces = ArrayField(
        models.UUIDField(),
        default=list,
        blank=True,
        verbose_name=_("spaces"),
        help_text=_("None: every space that the owner may read."),
    )
    secret_sealed = models.TextField(editable=False)
    former_secret_sealed = models.TextField(blank=True, editable=False)
    former_secret_until = models.DateTimeField(
        _("former secret signs until"), null=True, blank=True
    )
    is_enabled = models.BooleanField(_("sends"), default=True)
    disabled_reason = models.CharField(
        _("why it does not send"),
        max_length=10,
        blank=True,
        default=DisabledReason.NONE,
        choices=DisabledReason.choices,
    )
    disabled_at = models.DateTimeField(_("switched off"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failing_since = models.DateTimeField(_("fails since"), null=True, blank=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True)
    pause_until = models.DateTimeField(_("pauses until"), null=True, blank=True)
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(  # who wants an event
                fields=["owner"], condition=models.Q(is_enabled=True), name="webhook_that_sends"
            ),
            models.Index(fields=["-created_at", "id"], name="webhook_newest"),  # the list
        ]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One event for one webhook: written with the event, sent until it was taken or given up.

    The id is what the receiver gets as `webhook-id`, the same in every try and every replay.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(
        Webhook, models.CASCADE, related_name="deliveries", verbose_name=_("webhook")
    )
    position = models.BigIntegerField(
        _("event"), null=True, blank=True, help_text=_("The event's number; none for a test.")
    )
    type = models.CharField(_("type"), max_length=80)
    space_id = models.UUIDField(_("space"), null=True, blank=True)
    subject_id = models.UUIDField(_("about"), null=True, blank=True)
    payload = models.JSONField(_("payload"), default=dict)
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True)
    happened_at = models.DateTimeField(_("happened"), default=timezone.now)
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=DeliveryStatus.choices,
        default=DeliveryStatus.WAITING,
    )
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_attempt_at = models.DateTimeField(_("next try"), default=timezone.now)
    give_up_at = models.DateTimeField(_("given up after"), null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    last_error = models.CharField(_("error"), max_length=300, blank=True)
    excerpt = models.CharField(_("beginning of the answer"), max_length=1000, blank=True)
    history = models.JSONField(_("tries, newest first"), default=list, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "position"], name="one_delivery_an_event_and_webhook"
            )
        ]
        indexes = [
            models.Index(  # what is due
                fields=["webhook", "next_attempt_at"],
                condition=models.Q(status="waiting"),
                name="delivery_due",
            ),
            models.Index(  # the list of a webhook
                fields=["webhook", "-created_at", "id"], name="delivery_newest"
            ),
            models.Index(fields=["finished_at"], name="delivery_oldest"),  # the expiry of old rows
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"

    @property
    def message_id(self) -> str:
        """What the receiver gets as `webhook-id`."""
        return f"msg_{self.pk.hex}"
