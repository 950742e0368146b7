"""From which retrieval on a space's questions are answered (`chat.confidence`)."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.models import Space


class ConfidenceThreshold(models.Model):
    """The least confidence of retrieval from which questions to a space are answered.

    Found with its golden questions; without a row the default of the installation holds.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.OneToOneField(
        Space, models.CASCADE, related_name="confidence", verbose_name=_("space")
    )
    threshold = models.FloatField(_("threshold"))
    questions = models.PositiveIntegerField(_("questions"))
    answered = models.FloatField(
        _("answered"), help_text=_("Share of the golden questions that it lets through.")
    )
    refused = models.FloatField(
        _("refused"),
        help_text=_("Share of the same questions that it stops once their nodes are left out."),
    )
    calibrated_at = models.DateTimeField(_("calibrated"), auto_now=True)

    class Meta:
        verbose_name = _("confidence threshold")
        verbose_name_plural = _("confidence thresholds")
        ordering = ["space"]

    def __str__(self) -> str:
        return f"{self.space}: {self.threshold:.2f}"
