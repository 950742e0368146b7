"""What spaces do not want to be asked."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.choices import WordAction
from chat.guarding.querysets import SpaceWordQuerySet
from knowledge.models import Space
from project.guarding import folded_words


class SpaceWord(models.Model):
    """A word or phrase that messages in a space are held against."""

    space = models.ForeignKey(
        Space, models.CASCADE, related_name="watched_words", verbose_name=_("space")
    )
    phrase = models.CharField(
        _("word or phrase"),
        max_length=120,
        help_text=_("Found as whole words, whatever their case and accents."),
    )
    folded = models.CharField(max_length=300, editable=False)
    action = models.CharField(
        _("what happens"), max_length=10, choices=WordAction.choices, default=WordAction.FLAG
    )
    note = models.CharField(
        _("note"), max_length=200, blank=True, help_text=_("Why it is here; for managers only.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("added by"),
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)

    objects = SpaceWordQuerySet.as_manager()

    class Meta:
        verbose_name = _("watched word")
        verbose_name_plural = _("watched words")
        ordering = ["space", "folded"]
        constraints = [
            models.UniqueConstraint(fields=["space", "folded"], name="one_watched_word_a_space")
        ]

    def __str__(self) -> str:
        return self.phrase

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the form that messages are compared with, too."""
        self.folded = folded_words(self.phrase)
        super().save(*args, **kwargs)
