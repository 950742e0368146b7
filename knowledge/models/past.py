"""What search keeps of versions: which passages there are of one, and those no longer served."""

import uuid

from django.contrib.postgres.fields import DateTimeRangeField
from django.contrib.postgres.indexes import GinIndex, GistIndex
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from knowledge.models.index import PassageFields
from knowledge.models.spaces import Space


class IndexedVersion(models.Model):
    """What there is of one version of a node to search: its passages, and where they are.

    Served passages are rows of `Chunk`, all others of `PastChunk`. A version that was never indexed
    has no row here. `words` is the weighted length of its passages together, as in
    `knowledge.weights`; `language` is the one that they count for (`knowledge.statistics`). A
    trigger copies what a search of a moment needs to the version's publications.
    """

    node_id = models.UUIDField(editable=False)  # the node may be gone
    space = models.ForeignKey(Space, models.CASCADE, related_name="+", db_index=False)
    version = models.PositiveIntegerField(_("version"))
    passages = models.PositiveIntegerField(_("passages"))
    words = models.PositiveIntegerField(_("words"))
    language = models.CharField(_("language"), max_length=10, blank=True)
    is_served = models.BooleanField(_("served"))
    period = DateTimeRangeField(
        _("period"),
        null=True,
        help_text=_("From its first publication to the end of its last: as its passages have it."),
    )
    model_key = models.CharField(
        _("model"),
        max_length=200,
        blank=True,
        help_text=_("Of the vectors that are kept of all its past passages; empty without any."),
    )
    retired_at = models.DateTimeField(_("no longer served since"), null=True)
    analysis = models.SmallIntegerField(
        db_default=1,
        editable=False,
        help_text=_("Of its passages, the oldest version; 0: cut and analyse it anew."),
    )

    class Meta:
        verbose_name = _("indexed version")
        verbose_name_plural = _("indexed versions")
        constraints = [
            models.UniqueConstraint(
                fields=["node_id", "version"], name="one_indexed_version_a_node"
            )
        ]
        indexes = [
            models.Index(  # whose vectors have been kept long enough
                fields=["space", "retired_at"],
                condition=~models.Q(model_key=""),
                name="indexed_version_with_vectors",
            ),
            models.Index(fields=["analysis"], name="indexed_version_by_analysis"),  # the outdated
        ]

    def __str__(self) -> str:
        return f"{self.node_id} v{self.version}"


class PastChunk(PassageFields):
    """A passage of a published version that is no longer served: its words are kept for good.

    `period` bounds the times at which it was public; `Publication` says which those were.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node_id = models.UUIDField(editable=False)  # the node may be gone
    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    period = DateTimeRangeField(_("period"), null=True)

    class Meta:
        verbose_name = _("past passage")
        verbose_name_plural = _("past passages")
        constraints = [
            models.UniqueConstraint(
                fields=["node_id", "version", "position"], name="one_past_chunk_a_position"
            )
        ]
        indexes = [
            GinIndex(fields=["search"], name="past_chunk_by_word"),  # keyword candidates
            GistIndex(fields=["period"], name="past_chunk_by_period"),  # those of a moment
        ]

    def __str__(self) -> str:
        return f"{self.node_id} v{self.version} #{self.position}"


class PastVector(models.Model):
    """The vector of a past passage, kept as long as its space says.

    In a table of its own and in half precision: a scan by meaning reads these rows only, of all
    versions, and they are narrow.
    """

    chunk = models.OneToOneField(PastChunk, models.CASCADE, primary_key=True, related_name="kept")
    node_id = models.UUIDField(editable=False)
    version = models.PositiveIntegerField()
    period = DateTimeRangeField(null=True)
    model_key = models.CharField(max_length=200)
    vector = HalfVectorField()

    class Meta:
        verbose_name = _("past vector")
        verbose_name_plural = _("past vectors")
        indexes = [
            models.Index(fields=["node_id", "version"], name="past_vector_by_version"),
            GistIndex(fields=["period"], name="past_vector_by_period"),  # those of a moment
        ]

    def __str__(self) -> str:
        return str(self.chunk_id)
