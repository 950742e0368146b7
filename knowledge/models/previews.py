"""What search would hold of a proposal's nodes if it were merged now."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from knowledge.choices import NodeStatus
from knowledge.models.index import PassageFields
from knowledge.models.proposals import Proposal
from knowledge.models.spaces import Space


class PreviewNode(models.Model):
    """A node as a proposal would leave it, merged with what was stored at `merged_version`.

    The knowledge of a space as if merged is the current one without the nodes that have a row here,
    plus the rows here that are published. `version` is the number that the merge would make.
    """

    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="preview_nodes")
    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    node_id = models.UUIDField(editable=False)  # of a node that may not be there yet
    version = models.PositiveIntegerField(_("version"))
    merged_version = models.PositiveIntegerField(null=True)
    merged_at = models.DateTimeField(
        null=True, help_text=_("When the stored node that it was merged with had last changed.")
    )
    change_version = models.PositiveIntegerField()
    digest = models.CharField(
        max_length=64, help_text=_("Of all that its passages are made from: SHA-256.")
    )
    title = models.CharField(_("title"), max_length=300)
    kind = models.CharField(_("kind"), max_length=40)
    content = models.TextField(_("content"), blank=True)
    language = models.CharField(_("language"), max_length=10)
    tags = ArrayField(models.CharField(max_length=64), default=list)
    metadata = models.JSONField(_("metadata"), default=dict)
    status = models.CharField(_("status"), max_length=12, choices=NodeStatus.choices)
    external_id = models.CharField(_("external id"), max_length=200, null=True)  # noqa: DJ001 - as of nodes
    valid_from = models.DateTimeField(_("valid from"), null=True)
    valid_until = models.DateTimeField(_("valid until"), null=True)
    created_at = models.DateTimeField(_("node created"))
    conflicts = models.PositiveIntegerField(_("conflicts"), default=0)

    class Meta:
        verbose_name = _("previewed node")
        verbose_name_plural = _("previewed nodes")
        constraints = [
            models.UniqueConstraint(
                fields=["proposal", "node_id"], name="one_preview_a_node_and_proposal"
            )
        ]

    def __str__(self) -> str:
        return self.title


class PreviewChunk(PassageFields):
    """A passage of a node as a proposal would publish it; none for what would not be published.

    `vector` is that of the model with `model_key`; without a model at hand, both are empty.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    proposal = models.ForeignKey(
        Proposal, models.CASCADE, related_name="preview_chunks", db_index=False
    )
    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    node_id = models.UUIDField(editable=False)
    vector = VectorField(null=True)
    model_key = models.CharField(_("model"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("previewed passage")
        verbose_name_plural = _("previewed passages")
        constraints = [
            models.UniqueConstraint(
                fields=["proposal", "node_id", "position"], name="one_preview_a_position"
            )
        ]

    def __str__(self) -> str:
        return f"{self.node_id} #{self.position}"
