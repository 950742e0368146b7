"""Sources and the jobs that read them."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from knowledge.choices import JobKind, JobStage, JobStatus, SourceKind
from knowledge.models.spaces import Space
from knowledge.querysets import JobQuerySet, SourceQuerySet


def source_path(source: "Source", filename: str) -> str:
    """Return where a source's bytes are kept: by id, so that no name a person chose is a path."""
    return f"sources/{str(source.pk)[:2]}/{source.pk}"


class Source(models.Model):
    """A stored upload or the snapshot of an address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="sources", verbose_name=_("space")
    )
    kind = models.CharField(
        _("kind"), max_length=10, choices=SourceKind.choices, default=SourceKind.UPLOAD
    )
    title = models.CharField(_("title"), max_length=300, blank=True)
    filename = models.CharField(_("file name"), max_length=255, blank=True)
    content_type = models.CharField(_("content type"), max_length=127, blank=True)
    size = models.BigIntegerField(_("size in bytes"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    file = models.FileField(_("file"), upload_to=source_path, max_length=200)
    origin = models.CharField(_("origin"), max_length=2000, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    tags = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, verbose_name=_("tags")
    )
    replaces = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="replaced_by",
        verbose_name=_("replaces"),
        help_text=_("The source whose nodes get new versions from this one."),
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="sources",
        verbose_name=_("added by"),
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)

    objects = SourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["space", "sha256"], name="source_by_content"),  # duplicate_of
            models.Index(fields=["-created_at", "id"], name="source_newest"),  # the list
        ]

    def __str__(self) -> str:
        return self.title or self.filename


class IngestJob(models.Model):
    """The reading of one source, or the storing of many nodes, with its checkpoints."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(Space, models.CASCADE, related_name="jobs", verbose_name=_("space"))
    source = models.ForeignKey(
        Source, models.CASCADE, null=True, blank=True, related_name="jobs", verbose_name=_("source")
    )
    kind = models.CharField(
        _("kind"), max_length=12, choices=JobKind.choices, default=JobKind.SOURCE
    )
    status = models.CharField(
        _("status"), max_length=12, choices=JobStatus.choices, default=JobStatus.QUEUED
    )
    stage = models.CharField(
        _("stage"), max_length=10, choices=JobStage.choices, default=JobStage.QUEUED
    )
    progress = models.FloatField(_("progress"), default=0.0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error_code = models.CharField(_("error code"), max_length=60, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    payload = models.JSONField(
        default=dict, blank=True, help_text=_("What a bulk job is to store.")
    )
    checkpoint = models.JSONField(default=dict, blank=True, help_text=_("Where a retry goes on."))
    nodes = ArrayField(models.UUIDField(), default=list, blank=True, verbose_name=_("nodes"))
    timings = models.JSONField(_("timings in seconds"), default=dict, blank=True)
    pages_done = models.PositiveIntegerField(_("pages read"), null=True, blank=True)
    pages_total = models.PositiveIntegerField(_("pages in all"), null=True, blank=True)
    pages_rate = models.FloatField(_("pages a second"), null=True, blank=True)
    passages_done = models.PositiveIntegerField(_("passages embedded"), null=True, blank=True)
    passages_total = models.PositiveIntegerField(_("passages in all"), null=True, blank=True)
    passages_rate = models.FloatField(_("passages a second"), null=True, blank=True)
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="jobs",
        verbose_name=_("started by"),
    )
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(
        _("queued"), default=timezone.now, help_text=_("Of the last time it was queued.")
    )
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    dismissed_at = models.DateTimeField(
        _("dismissed"), null=True, blank=True, help_text=_("Somebody saw that it failed for good.")
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("ingest job")
        verbose_name_plural = _("ingest jobs")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="job_newest"),  # the list
            models.Index(  # position in the queue, and the sweep for lost leases
                fields=["status", "queued_at"],
                condition=models.Q(status__in=["queued", "processing"]),
                name="job_unfinished",
            ),
            models.Index(  # the list of dead letters
                fields=["-finished_at", "id"],
                condition=models.Q(status="failed", dismissed_at=None),
                name="job_dead",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.source or self.pk}"

    @property
    def failure(self) -> str:
        """Why it failed, for people: in the reader's language where the words are known."""
        return gettext(self.error_message) if self.error_message else self.error_code

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self.status not in {JobStatus.QUEUED, JobStatus.PROCESSING}

    @property
    def is_dead(self) -> bool:
        """Whether it failed for good and nobody has seen to it."""
        return self.status == JobStatus.FAILED and self.dismissed_at is None
