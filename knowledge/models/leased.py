"""Work that a person starts and one worker at a time does (`knowledge.run_leases`)."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.choices import EvaluationStatus


class LeasedRun(models.Model):
    """A run with its state, its holder, and who started it.

    `lease_owner` is the process that works on it until `lease_until`; a queued run's lease is a
    pause before its next try.
    """

    status = models.CharField(
        _("status"),
        max_length=10,
        choices=EvaluationStatus.choices,
        default=EvaluationStatus.QUEUED,
    )
    error = models.TextField(_("error"), blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects: Any  # each has a queryset of its own

    class Meta:
        abstract = True

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status not in {EvaluationStatus.QUEUED, EvaluationStatus.RUNNING}
