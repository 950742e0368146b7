"""What people asked and the knowledge base could not answer well (`chat.gaps`)."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from chat.choices import GapReason, GapStatus
from chat.models.conversations import Turn
from chat.querysets import KnowledgeGapQuerySet
from knowledge.models import Node, Space


class KnowledgeGap(models.Model):
    """Questions about one thing that nothing good was found for.

    `spaces` are those that were searched when a question named none; `space` is empty then.
    `vector` is the mean of the questions' vectors, of `model_key`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="gaps",
        verbose_name=_("space"),
        help_text=_("Empty: asked of all spaces that the person could read."),
    )
    spaces = ArrayField(models.UUIDField(), default=list, editable=False)
    title = models.TextField(_("question"), help_text=_("The one that the others are nearest to."))
    language = models.CharField(_("language"), max_length=10, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=GapStatus.choices, default=GapStatus.OPEN
    )
    asked = models.PositiveIntegerField(_("times asked"), default=0)
    people = models.PositiveIntegerField(_("people"), default=0)
    model_key = models.CharField(max_length=200, blank=True)
    vector = VectorField(null=True, editable=False)
    node = models.ForeignKey(
        Node,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("node"),
        help_text=_("What was written to close it."),
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided"), null=True)
    created_at = models.DateTimeField(_("first asked"), auto_now_add=True)
    last_asked_at = models.DateTimeField(_("last asked"), auto_now_add=True)

    objects = KnowledgeGapQuerySet.as_manager()

    class Meta:
        verbose_name = _("knowledge gap")
        verbose_name_plural = _("knowledge gaps")
        ordering = ["-asked", "-last_asked_at", "id"]
        indexes = [
            models.Index(fields=["status", "-asked"], name="gap_by_status"),
            models.Index(fields=["space", "status"], name="gap_by_space"),
        ]

    def __str__(self) -> str:
        return self.title[:80]


class GapQuestion(models.Model):
    """One asking that belongs to a gap. It goes with its conversation."""

    gap = models.ForeignKey(
        KnowledgeGap, models.CASCADE, related_name="questions", verbose_name=_("knowledge gap")
    )
    turn = models.OneToOneField(Turn, models.CASCADE, related_name="gap", verbose_name=_("turn"))
    text = models.TextField(_("question"))
    reason = models.CharField(_("reason"), max_length=16, choices=GapReason.choices)
    comment = models.TextField(_("what was missing"), blank=True)
    created_at = models.DateTimeField(_("asked"), auto_now_add=True)

    class Meta:
        verbose_name = _("question of a gap")
        verbose_name_plural = _("questions of gaps")
        ordering = ["-created_at", "pk"]

    def __str__(self) -> str:
        return self.text[:80]
