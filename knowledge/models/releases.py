"""Releases: named sets of versions that never change."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models.spaces import Space
from knowledge.querysets import ReleaseQuerySet


class Release(models.Model):
    """The published knowledge of a space at a moment, under a name.

    `checksum` is the SHA-256 of what it consists of (`knowledge.exporting.manifest`): releases of
    equal contents have the same one. The database refuses every change but that of the description,
    and entries of a release that is there: they are written before its row
    (`knowledge.release_writing`). A release goes as a whole, or not at all.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="releases", verbose_name=_("space")
    )
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    as_of = models.DateTimeField(
        _("as of"),
        default=timezone.now,
        help_text=_("The moment whose published state the release holds."),
    )
    node_count = models.PositiveIntegerField(_("nodes"), default=0)
    relation_count = models.PositiveIntegerField(_("relations"), default=0)
    checksum = models.CharField(_("checksum"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("made by"),
    )
    author_name = models.CharField(
        max_length=150,
        blank=True,
        help_text=_("The user name at that time: it outlives the account."),
    )
    created_at = models.DateTimeField(_("made"), default=timezone.now)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["space", "name"], name="one_release_a_name_and_space")
        ]
        indexes = [models.Index(fields=["-created_at", "id"], name="release_newest")]  # the list

    def __str__(self) -> str:
        return self.name


class ReleaseEntry(models.Model):
    """The version of a node that a release holds."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="entries")
    node_id = models.UUIDField(_("node"), editable=False)  # the node may be gone
    version = models.PositiveIntegerField(_("version"))
    checksum = models.CharField(_("checksum"), max_length=64)

    class Meta:
        verbose_name = _("entry of a release")
        verbose_name_plural = _("entries of releases")
        constraints = [
            models.UniqueConstraint(
                fields=["release", "node_id"],
                include=["version", "checksum"],
                name="one_entry_a_release_and_node",
            )
        ]
        indexes = [  # the releases that hold a version
            models.Index(fields=["node_id", "version"], name="release_entry_by_version")
        ]

    def __str__(self) -> str:
        return f"{self.node_id} v{self.version}"


class ReleaseRelation(models.Model):
    """The version of a relation that a release holds; both ends are in the release."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="relations")
    relation_id = models.UUIDField(_("relation"), editable=False)
    version = models.PositiveIntegerField(_("version"))
    checksum = models.CharField(_("checksum"), max_length=64)

    class Meta:
        verbose_name = _("relation of a release")
        verbose_name_plural = _("relations of releases")
        constraints = [
            models.UniqueConstraint(
                fields=["release", "relation_id"],
                include=["version", "checksum"],
                name="one_row_a_release_and_relation",
            )
        ]

    def __str__(self) -> str:
        return f"{self.relation_id} v{self.version}"
