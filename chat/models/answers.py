"""Answers that are given again (`chat.answer_cache`)."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from chat.models.conversations import Turn
from chat.querysets import CachedAnswerQuerySet


class CachedAnswer(models.Model):
    """A model's answer that anybody may be given who asks the same, and may read the same spaces.

    The text and the citations are those of `turn`, and go with it. `scope` is a digest of
    `spaces`, those that were searched; `key` one of all that the answer was made from but the
    knowledge itself, `revision` one of the state of the spaces.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    turn = models.OneToOneField(
        Turn, models.CASCADE, related_name="cached", verbose_name=_("answered first in")
    )
    question = models.TextField(_("question"))
    scope = models.CharField(max_length=64)
    spaces = ArrayField(models.UUIDField(), verbose_name=_("spaces"))
    key = models.CharField(max_length=64)
    revision = models.CharField(max_length=64)
    variant = models.CharField(
        max_length=64, help_text=_("A digest of the language, the model, its tier and the prompt.")
    )
    model_key = models.CharField(_("embedding model"), max_length=200)
    vector = VectorField(editable=False)
    hits = models.PositiveIntegerField(_("given again"), default=0)
    last_hit_at = models.DateTimeField(_("last given"), null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("given until"))

    objects = CachedAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("cached answer")
        verbose_name_plural = _("cached answers")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["scope", "key"], name="cached_answer_by_key"),
            models.Index(fields=["scope", "variant", "-created_at"], name="cached_answer_newest"),
            models.Index(fields=["expires_at"], name="cached_answer_expiry"),
        ]

    def __str__(self) -> str:
        return self.question[:80]


class CachedSource(models.Model):
    """A version of a node that an answer was made from, cited or not.

    No foreign key: a node that is gone makes the answer invalid, and must not take the row along.
    """

    answer = models.ForeignKey(
        CachedAnswer, models.CASCADE, related_name="sources", verbose_name=_("cached answer")
    )
    node_id = models.UUIDField(_("node"), db_index=True)
    version = models.PositiveIntegerField(_("version"))
    is_cited = models.BooleanField(_("cited"))

    class Meta:
        verbose_name = _("source of a cached answer")
        verbose_name_plural = _("sources of cached answers")
        constraints = [
            models.UniqueConstraint(
                fields=["answer", "node_id", "version"], name="one_source_a_cached_answer"
            )
        ]

    def __str__(self) -> str:
        return f"{self.node_id} v{self.version}"
