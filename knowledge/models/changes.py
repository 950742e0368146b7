"""Which spaces have changed, as searches see it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SpaceChange(models.Model):
    """That a transaction changed what searches of a space can find: a row, written by triggers.

    The revision of a space is its `index_revision` and the number of its rows here. A change of a
    counter would make writers of one space wait for each other; these rows conflict with nothing,
    and a periodic task folds them into the counter (`knowledge.revisions`).
    """

    pk = models.CompositePrimaryKey("space_id", "transaction")
    space_id = models.UUIDField()
    transaction = models.BigIntegerField(help_text=_("The transaction's id in Postgres."))

    class Meta:
        verbose_name = _("change of a space")
        verbose_name_plural = _("changes of spaces")

    def __str__(self) -> str:
        return f"{self.space_id}: {self.transaction}"
