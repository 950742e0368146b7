"""Files that belong to one conversation (`chat.attaching`)."""

import datetime
import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from chat.attaching.querysets import AttachmentQuerySet
from chat.choices import AttachmentStatus
from chat.models.conversations import Conversation

READ_WITHIN = datetime.timedelta(minutes=30)
"""A file that is not read by then never will be: the task is lost."""


class Attachment(models.Model):
    """A file that one conversation is asked about: in no space, and gone with its conversation.

    `data` is kept until it is read; what is cited is `content`, its text.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="attachments", verbose_name=_("conversation")
    )
    filename = models.CharField(_("file name"), max_length=255)
    content_type = models.CharField(_("content type"), max_length=127, blank=True)
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64, editable=False)
    data = models.BinaryField(null=True, editable=False)
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=AttachmentStatus.choices,
        default=AttachmentStatus.READING,
    )
    error_code = models.CharField(_("error code"), max_length=60, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    language = models.CharField(_("language"), max_length=16, blank=True)
    content = models.TextField(_("content"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "sha256"], name="one_attachment_a_content"
            )
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_reading(self) -> bool:
        """Whether it is about to be read."""
        return self.status == AttachmentStatus.READING and not self._is_lost

    @property
    def problem(self) -> str:
        """Why it cannot be asked, and what to do, as a sentence; or the empty string."""
        if self.status == AttachmentStatus.READING and self._is_lost:
            return str(_("It was not read in time. Remove it, then attach it again."))
        return self.error_message

    @property
    def _is_lost(self) -> bool:
        return self.created_at < timezone.now() - READ_WITHIN


class AttachmentPassage(models.Model):
    """A passage of an attachment, `content[start:end]`; without a vector found by its words."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    attachment = models.ForeignKey(
        Attachment, models.CASCADE, related_name="passages", verbose_name=_("attachment")
    )
    position = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    heading_path = ArrayField(models.TextField(), default=list)
    text = models.TextField()
    page = models.PositiveIntegerField(null=True)
    model_key = models.CharField(max_length=200, blank=True)
    vector = VectorField(null=True, editable=False)

    class Meta:
        verbose_name = _("passage of an attachment")
        verbose_name_plural = _("passages of attachments")
        ordering = ["attachment", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["attachment", "position"], name="one_attached_passage_a_position"
            )
        ]

    def __str__(self) -> str:
        return self.text[:80]
