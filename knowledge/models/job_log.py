"""What happened to a job, line by line."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.choices import LogLevel
from knowledge.models.sources import IngestJob


class JobLogLine(models.Model):
    """One line of a job's log: a code with what its sentence needs, so that each reader has their
    own language. The oldest lines of a long log are dropped (`knowledge.job_log.KEPT`).
    """

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(IngestJob, models.CASCADE, related_name="log", verbose_name=_("job"))
    created_at = models.DateTimeField(_("at"), default=timezone.now)
    level = models.CharField(
        _("level"), max_length=8, choices=LogLevel.choices, default=LogLevel.INFO
    )
    code = models.CharField(_("code"), max_length=40)
    data = models.JSONField(default=dict, blank=True)
    worker = models.CharField(_("worker"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("log line of a job")
        verbose_name_plural = _("log lines of jobs")
        ordering = ["id"]
        indexes = [models.Index(fields=["job", "id"], name="job_log_in_order")]

    def __str__(self) -> str:
        return f"{self.code} {self.job_id}"
