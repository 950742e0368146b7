"""Kinds of nodes: the metadata they want, and how it went from one schema to the next."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.choices import KindMigrationStatus, KindMigrationWork, MigratedState
from knowledge.models.nodes import kind_validator
from knowledge.models.spaces import Space
from knowledge.querysets import KindMigrationQuerySet, KindQuerySet


class Kind(models.Model):
    """What is known about a kind of nodes. A kind without a row is free text, and so its metadata.

    A space's own kind goes before the one of all spaces with the same name.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="kinds",
        verbose_name=_("space"),
        help_text=_("Empty: all spaces that have no kind of their own with this name."),
    )
    name = models.CharField(
        _("name"),
        max_length=40,
        validators=[kind_validator],
        help_text=_("As nodes name it, such as policy."),
    )
    title = models.CharField(_("title"), max_length=120, blank=True)
    description = models.TextField(_("description"), blank=True)
    metadata_schema = models.JSONField(
        _("metadata schema"),
        default=dict,
        blank=True,
        help_text=_("JSON Schema, draft 2020-12. Empty: any metadata."),
    )
    schema_version = models.PositiveIntegerField(_("schema version"), default=1, editable=False)
    chunking = models.JSONField(
        _("cutting into passages"),
        default=dict,
        blank=True,
        help_text=_("A strategy and its parameters. Empty: by structure."),
    )
    cutting_key = models.CharField(
        max_length=16,
        blank=True,
        default="",
        editable=False,
        help_text=_("Stands for the cutting: nodes remember by which one they were cut."),
    )
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("changed by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = KindQuerySet.as_manager()

    class Meta:
        verbose_name = _("kind")
        verbose_name_plural = _("kinds")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "space"], nulls_distinct=False, name="one_kind_a_name_and_space"
            )
        ]
        indexes = [models.Index(fields=["-created_at", "id"], name="kind_newest")]  # the list

    def __str__(self) -> str:
        return self.title or self.name


class KindMigration(models.Model):
    """A change of a kind's schema: planned, tried, done to every node at once, and undone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.ForeignKey(
        Kind, models.CASCADE, related_name="migrations", verbose_name=_("kind")
    )
    from_version = models.PositiveIntegerField(_("from version"))
    to_version = models.PositiveIntegerField(_("to version"))
    old_schema = models.JSONField(_("old schema"), default=dict)
    new_schema = models.JSONField(_("new schema"), default=dict)
    steps = models.JSONField(_("steps"), default=list)
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=KindMigrationStatus.choices,
        default=KindMigrationStatus.PLANNED,
    )
    work = models.CharField(
        _("work"),
        max_length=10,
        choices=KindMigrationWork.choices,
        default=KindMigrationWork.PLAN,
        help_text=_("What is being done, or was done last."),
    )
    keeps_later = models.BooleanField(
        _("keep later edits"),
        default=False,
        help_text=_("Where a later edit and the way back meet: keep the edit."),
    )
    counts = models.JSONField(
        _("counts"),
        default=dict,
        help_text=_("Nodes in all, by state, and by step."),
    )
    backup = models.CharField(
        _("backup"),
        max_length=200,
        blank=True,
        help_text=_("The file with the old metadata, below the data folder."),
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error_code = models.CharField(_("error code"), max_length=60, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("planned by"),
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = KindMigrationQuerySet.as_manager()

    class Meta:
        verbose_name = _("kind migration")
        verbose_name_plural = _("kind migrations")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(status="running"),
                name="one_running_migration_a_kind",
            )
        ]
        indexes = [models.Index(fields=["-created_at", "id"], name="kind_migration_newest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.from_version} → {self.to_version}"

    @property
    def is_running(self) -> bool:
        """Whether something is still going to happen to it."""
        return self.status == KindMigrationStatus.RUNNING


class MigratedNode(models.Model):
    """One node in a migration: what its metadata was, what it becomes, and what is in the way.

    Together with the versions this is the backup: `before` is the metadata of `version_before`.
    """

    id = models.BigAutoField(primary_key=True)
    migration = models.ForeignKey(KindMigration, models.CASCADE, related_name="nodes")
    node_id = models.UUIDField(_("node"))  # it may be deleted later
    title = models.CharField(_("title"), max_length=300)
    state = models.CharField(_("state"), max_length=10, choices=MigratedState.choices)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), null=True)
    changed_by = ArrayField(models.PositiveSmallIntegerField(), default=list)
    problems = models.JSONField(_("problems"), default=list)
    version_before = models.PositiveIntegerField(_("version before"))
    version_after = models.PositiveIntegerField(_("version after"), null=True)
    version_undone = models.PositiveIntegerField(_("version undone"), null=True)

    class Meta:
        verbose_name = _("migrated node")
        verbose_name_plural = _("migrated nodes")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["migration", "node_id"], name="one_row_a_migrated_node")
        ]
        indexes = [models.Index(fields=["migration", "state", "id"], name="migrated_by_state")]

    def __str__(self) -> str:
        return f"{self.title} v{self.version_before}"
