"""Nodes, their relations and their versions."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from knowledge.choices import NodeStatus, RelationOrigin, RelationStatus
from knowledge.models.sources import Source
from knowledge.models.spaces import Space
from knowledge.models.versioning import VersionFacts, WrittenVersions
from knowledge.querysets import NodeQuerySet, RelationQuerySet

kind_validator = RegexValidator(
    r"\A[a-z][a-z0-9_-]*\Z", _("Use small letters, digits, hyphens and underscores.")
)


class Node(models.Model):
    """One piece of knowledge. Every change of it, through the services only, makes a version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(Space, models.PROTECT, related_name="nodes", verbose_name=_("space"))
    kind = models.CharField(
        _("kind"),
        max_length=40,
        default="article",
        validators=[kind_validator],
        help_text=_("Such as article, policy, procedure, faq, product, incident."),
    )
    title = models.CharField(_("title"), max_length=300)
    content = models.TextField(_("content"), blank=True, help_text=_("Markdown."))
    language = models.CharField(_("language"), max_length=10, default="en")
    tags = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, verbose_name=_("tags")
    )
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    anchors = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text=_("Pages or sheets of the source: a list of page, label, start and end."),
    )
    wiki_links = ArrayField(
        models.TextField(),
        default=list,
        blank=True,
        editable=False,
        help_text=_("What the text links to, in small letters: titles or external ids."),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="owned_nodes",
        verbose_name=_("owner"),
    )
    status = models.CharField(
        _("status"), max_length=12, choices=NodeStatus.choices, default=NodeStatus.DRAFT
    )
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    review_due = models.DateField(_("review due"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    checksum = models.CharField(_("checksum"), max_length=64, editable=False)
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)  # noqa: DJ001 - null: unique a space where given
    source = models.ForeignKey(
        Source,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="nodes",
        verbose_name=_("source"),
    )
    indexed_version = models.PositiveIntegerField(null=True, editable=False)
    indexed_cutting = models.CharField(
        max_length=16,
        blank=True,
        default="",
        editable=False,
        help_text=_("Stands for how its passages were cut (knowledge.chunking.cutting)."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False)

    objects = NodeQuerySet.as_manager()
    history = WrittenVersions(
        bases=[VersionFacts],
        excluded_fields=["indexed_version", "indexed_cutting", "created_at", "wiki_links"],
        history_change_reason_field=models.TextField(blank=True, default=""),
        custom_model_name="NodeVersion",
        related_name="versions",
        verbose_name=_("node version"),
        verbose_name_plural=_("node versions"),
    )

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ["-updated_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["space", "external_id"], name="one_node_an_external_id_and_space"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_from=None)
                | models.Q(valid_until=None)
                | models.Q(valid_until__gt=models.F("valid_from")),
                name="node_validity_has_a_length",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="node_newest"),  # the list
            models.Index(  # the gate: a search reads the whole scope, and no row of it
                fields=["space", "status"],
                include=["id", "valid_from", "valid_until"],
                name="node_by_space_and_status",
            ),
            models.Index("space", Lower("title"), name="node_by_title"),  # wiki links
            GinIndex(fields=["wiki_links"], name="node_by_wiki_link"),  # links to a new title
            GinIndex(fields=["tags"], name="node_by_tag"),
            GinIndex(fields=["metadata"], name="node_by_metadata", opclasses=["jsonb_path_ops"]),
            models.Index(  # when a cached search expires: the next boundary of a space
                fields=["space", "valid_from"],
                condition=models.Q(valid_from__isnull=False),
                name="node_by_beginning",
            ),
            models.Index(
                fields=["space", "valid_until"],
                condition=models.Q(valid_until__isnull=False),
                name="node_by_end",
            ),
            models.Index(  # the sweep for nodes that are cut otherwise by now
                fields=["indexed_cutting"],
                condition=~models.Q(indexed_cutting=""),
                name="node_by_cutting",
            ),
            models.Index(  # the sweep for nodes whose index is behind
                fields=["updated_at"],
                condition=~models.Q(indexed_version=models.F("version"))
                | models.Q(indexed_version=None),
                name="node_index_is_behind",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the reading page of the current version."""
        return f"{reverse('node-page', args=[self.pk])}?version={self.version}"


NodeVersion = Node.history.model


class Relation(models.Model):
    """A typed, weighted, directed edge between two nodes. Every change of it makes a version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(
        Node, models.CASCADE, related_name="relations_out", verbose_name=_("source node")
    )
    target = models.ForeignKey(
        Node, models.CASCADE, related_name="relations_in", verbose_name=_("target node")
    )
    kind = models.CharField(
        _("kind"), max_length=40, default="related_to", validators=[kind_validator]
    )
    weight = models.FloatField(
        _("weight"), default=1.0, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)]
    )
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=RelationStatus.choices, default=RelationStatus.CONFIRMED
    )
    origin = models.CharField(
        _("made by"), max_length=10, choices=RelationOrigin.choices, default=RelationOrigin.MANUAL
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    checksum = models.CharField(_("checksum"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = RelationQuerySet.as_manager()
    history = WrittenVersions(
        bases=[VersionFacts],
        excluded_fields=["created_at"],
        history_change_reason_field=models.TextField(blank=True, default=""),
        custom_model_name="RelationVersion",
        related_name="versions",
        verbose_name=_("relation version"),
        verbose_name_plural=_("relation versions"),
    )

    class Meta:
        verbose_name = _("relation")
        verbose_name_plural = _("relations")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "target", "kind"], name="one_relation_a_kind_and_pair"
            ),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")), name="relation_joins_two_nodes"
            ),
            models.CheckConstraint(
                condition=models.Q(weight__gte=0.0, weight__lte=1.0), name="relation_weight_0_to_1"
            ),
        ]
        indexes = [
            models.Index(fields=["target", "status"], name="relation_by_target"),  # graph leg
            models.Index(fields=["-created_at", "id"], name="relation_newest"),  # the list
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.kind} → {self.target}"


RelationVersion = Relation.history.model
