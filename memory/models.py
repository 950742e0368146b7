"""The tables of memory."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import SparseVectorField, VectorField

from knowledge.models import Space
from knowledge.models.index import SPARSE_DIMENSIONS
from memory.querysets import EpisodeQuerySet


class Episode(models.Model):
    """Something that happened in a session of a person, or of a subject that a program names."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="episodes", verbose_name=_("user")
    )
    subject = models.CharField(
        _("subject"),
        max_length=200,
        blank=True,
        help_text=_("Whom it is about, when a program keeps memory for others; empty: the user."),
    )
    space = models.ForeignKey(
        Space,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="episodes",
        verbose_name=_("space"),
    )
    session = models.CharField(_("session"), max_length=200)
    content = models.TextField(_("content"))
    context = models.JSONField(_("context"), default=dict, blank=True)
    occurred_at = models.DateTimeField(_("occurred"), default=timezone.now)
    importance = models.FloatField(_("importance"), default=0.5)
    importance_signals = models.JSONField(_("why so important"), default=dict, blank=True)
    tags = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, verbose_name=_("tags")
    )
    language = models.CharField(_("language"), max_length=10, default="en")
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)  # noqa: DJ001 - null: unique a user where given
    turn_id = models.UUIDField(_("turn"), null=True, blank=True, unique=True)
    indexed_text = models.TextField(blank=True, editable=False)
    search = SearchVectorField(null=True, editable=False)
    terms = SparseVectorField(dimensions=SPARSE_DIMENSIONS, null=True, editable=False)
    embedding = VectorField(null=True, editable=False)
    embedding_model = models.CharField(max_length=200, blank=True, editable=False)
    recalled_count = models.PositiveIntegerField(_("recalled"), default=0, editable=False)
    last_recalled_at = models.DateTimeField(_("last recalled"), null=True, editable=False)
    consolidated_at = models.DateTimeField(_("consolidated"), null=True, blank=True, editable=False)
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("episode")
        verbose_name_plural = _("episodes")
        ordering = ["-occurred_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "subject", "external_id"], name="one_episode_an_external_id"
            ),
            models.CheckConstraint(
                condition=models.Q(importance__gte=0.0, importance__lte=1.0),
                name="importance_0_to_1",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "subject", "-occurred_at"], name="episode_by_person"),
            models.Index(fields=["-created_at", "id"], name="episode_newest"),  # the list
            GinIndex(fields=["search"], name="episode_by_word"),  # keyword candidates
            models.Index(  # the sweep for episodes without a vector
                fields=["created_at"],
                condition=models.Q(embedding=None),
                name="episode_not_embedded",
            ),
        ]

    def __str__(self) -> str:
        return self.content[:80]
