"""What versions of nodes and relations know, and what is known about versions."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from knowledge.choices import VersionOrigin
from knowledge.models.spaces import Space


class VersionFacts(models.Model):
    """What a version knows beyond the fields of what it is a version of.

    `history_user` is its author, `history_change_reason` its reason, `history_date` its time.
    `chain` is the SHA-256 of the chain of the version before and of these facts
    (`knowledge.versions.chain_of`), so that a changed past shows. The database refuses to change or
    delete a version; an erase for legal reasons empties its text and sets `erased_at`.
    """

    parents = ArrayField(models.PositiveIntegerField(), default=list)
    author_name = models.CharField(
        max_length=150,
        blank=True,
        help_text=_("The user name at that time: it outlives the account."),
    )
    change_origin = models.CharField(
        _("comes from"),
        max_length=10,
        choices=VersionOrigin.choices,
        default=VersionOrigin.EDIT,
    )
    change_origin_id = models.UUIDField(null=True, db_index=True)
    trace_id = models.CharField(max_length=64, blank=True)
    chain = models.CharField(max_length=64)
    erased_at = models.DateTimeField(_("erased"), null=True)

    class Meta:
        abstract = True


class WrittenVersions(HistoricalRecords):  # type: ignore[misc]  # it has no types
    """A history whose rows only `knowledge.version_rows` writes, with their numbers and chain.

    A save or delete past it would leave a change without its version: it raises RuntimeError.
    """

    WRITING = "_version_is_written"

    def post_save(self, instance: Any, created: bool, using: Any = None, **_: Any) -> None:  # noqa: FBT001 - Django's signal
        """Refuse a save that nobody writes a version for."""
        self._require(instance)

    def post_delete(self, instance: Any, using: Any = None, **_: Any) -> None:
        """Refuse a deletion that nobody writes a version for."""
        self._require(instance)

    def _require(self, instance: Any) -> None:
        if not getattr(instance, self.WRITING, False):
            message = f"{type(instance).__name__} rows are written through their services only."
            raise RuntimeError(message)


class VersionTag(models.Model):
    """A name for one version of a node, such as “as approved by the board”."""

    node_id = models.UUIDField(editable=False)  # the node may be gone; its versions stay
    version = models.PositiveIntegerField(_("version"))
    name = models.CharField(_("name"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("version tag")
        verbose_name_plural = _("version tags")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["node_id", "name"], name="one_version_a_node_and_tag")
        ]

    def __str__(self) -> str:
        return f"{self.name} (v{self.version})"


class Erasure(models.Model):
    """Who emptied which versions for legal reasons, when and why. Never holds what was erased."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.SET_NULL, null=True, related_name="+", verbose_name=_("space")
    )
    node_id = models.UUIDField(_("node"), editable=False)
    versions = ArrayField(models.PositiveIntegerField(), verbose_name=_("versions"))
    reason = models.TextField(_("reason"))
    erased_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("erased by"),
    )
    created_at = models.DateTimeField(_("erased"), auto_now_add=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.node_id}: {', '.join(map(str, self.versions))}"


class Publication(models.Model):
    """A time during which a version was the published one of its node; open while it still is.

    The knowledge of a space as it stood at a moment is the versions of the publications around it,
    as far as their own validity holds that moment.
    """

    node_id = models.UUIDField(editable=False)  # the node may be gone
    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    version = models.PositiveIntegerField(_("version"))
    started_at = models.DateTimeField(_("from"))
    ended_at = models.DateTimeField(_("until"), null=True)
    # Copied by a trigger from the version's `IndexedVersion`: a search of a moment reads thousands
    # of these rows, and no others. Where `passages` is null it has to cut the version itself.
    passages = models.PositiveIntegerField(null=True, editable=False)
    words = models.PositiveIntegerField(default=0, editable=False)
    language = models.CharField(max_length=10, blank=True, editable=False)
    is_served = models.BooleanField(default=False, editable=False)
    model_key = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = _("publication")
        verbose_name_plural = _("publications")
        ordering = ["-started_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["node_id"],
                condition=models.Q(ended_at=None),
                name="one_open_publication_a_node",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(ended_at__gte=models.F("started_at")),
                name="publication_ends_after_it_starts",
            ),
        ]
        indexes = [
            models.Index(fields=["node_id", "version"], name="publication_by_version"),
            models.Index(  # the state of a space at a moment
                fields=["space", "started_at"],
                include=["ended_at", "node_id", "version"],
                name="publication_by_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_id} v{self.version}: {self.started_at} – {self.ended_at or ''}"
