"""Fixed vocabularies of chat."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class MessageRole(models.TextChoices):
    """Who wrote a message."""

    USER = "user", _("User")
    ASSISTANT = "assistant", _("Assistant")


class TurnStatus(models.TextChoices):
    """Where an answering stands."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")


class TurnRoute(models.TextChoices):
    """Who answers."""

    AI = "ai", _("Model")
    EXTRACTIVE = "extractive", _("Extractive answerer")


class CacheOutcome(models.TextChoices):
    """What the answer caches said."""

    NONE = "none", _("Not asked")
    MISS = "miss", _("Miss")
    EXACT = "exact", _("Exact hit")
    SEMANTIC = "semantic", _("Semantic hit")


FINAL_STATUSES = (TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.FAILED)
