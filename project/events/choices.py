"""Fixed vocabularies of events."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DeliveryStatus(models.TextChoices):
    """Where the sending of one event to one webhook stands."""

    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed for good")
    WITHHELD = "withheld", _("Withheld")


class DisabledReason(models.TextChoices):
    """Why a webhook sends nothing."""

    NONE = "", _("Sends")
    OWNER = "owner", _("Switched off by hand")
    FAILING = "failing", _("Failed for too long")
    GONE = "gone", _("The receiver said that it is gone for good (410)")
