"""The words of a space as they are written, for questions that misspell them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.models.spaces import Space


class Spelling(models.Model):
    """A folded word of a space's passages, and the term that the index knows it by.

    Writers append without waiting for each other, so that a word may be there twice; a periodic
    task folds them and drops what no passage has any more. Whether a passage has it now is for
    `TermStatistic` to say. `keys` are numbers of the word with letters left out
    (`knowledge.spelling`): words that share one are few letters apart.
    """

    space = models.ForeignKey(Space, models.CASCADE, related_name="+", db_index=False)
    word = models.TextField()
    term = models.TextField()
    keys = ArrayField(models.IntegerField())

    class Meta:
        verbose_name = _("spelling")
        verbose_name_plural = _("spellings")
        indexes = [
            models.Index(fields=["space", "word"], name="spelling_by_word"),  # known already
            GinIndex(fields=["keys"], name="spelling_by_key"),  # few letters apart
        ]

    def __str__(self) -> str:
        return self.word
