"""The search index: passages, their vectors, and the statistics of their words."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import SparseVectorField, VectorField

from knowledge.choices import GenerationStatus, GenerationSwitching, JobStatus
from knowledge.models.nodes import Node
from knowledge.models.sources import IngestJob
from knowledge.models.spaces import Space
from knowledge.querysets import GenerationQuerySet, GenerationSwitchQuerySet
from knowledge.types import TERM_SPACE
from project.inference.models import ModelEndpoint

SPARSE_DIMENSIONS = TERM_SPACE


class PassageFields(models.Model):
    """What every passage is made of, whichever state of a node it belongs to.

    `content[start:end]` of that version is `text`.
    """

    version = models.PositiveIntegerField(_("version"))
    position = models.PositiveIntegerField(_("position"))
    heading_path = ArrayField(models.TextField(), default=list, verbose_name=_("headings"))
    start = models.PositiveIntegerField(_("start"))
    end = models.PositiveIntegerField(_("end"))
    page = models.PositiveIntegerField(_("page"), null=True)
    tokens = models.PositiveIntegerField(_("tokens"))
    language = models.CharField(_("language"), max_length=10)
    text = models.TextField(_("text"))
    search = SearchVectorField(editable=False)
    terms = SparseVectorField(
        dimensions=SPARSE_DIMENSIONS,
        editable=False,
        help_text=_("The BM25 weight of each word: the score is its inner product with a query."),
    )
    sequence = models.BinaryField(
        editable=False,
        help_text=_("Words of title, headings and text in order, as 4-byte numbers; 0 separates."),
    )
    analysis = models.SmallIntegerField(
        db_default=1,
        editable=False,
        help_text=_("Version of the analysis that made its words (knowledge.analysis)."),
    )

    class Meta:
        abstract = True


class Chunk(PassageFields):
    """A passage of a published node, as search finds it and answers cite it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node = models.ForeignKey(
        Node,
        models.CASCADE,
        related_name="chunks",
        db_index=False,  # the constraint's index begins with it
        verbose_name=_("node"),
    )
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="chunks", db_index=False, verbose_name=_("space")
    )

    class Meta:
        verbose_name = _("passage")
        verbose_name_plural = _("passages")
        ordering = ["node", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "version", "position"], name="one_chunk_a_version_and_position"
            )
        ]
        indexes = [
            GinIndex(fields=["search"], name="chunk_by_word"),  # keyword candidates
            models.Index(fields=["space"], name="chunk_by_space"),  # the permitted scope
        ]

    def __str__(self) -> str:
        return f"{self.node_id} v{self.version} #{self.position}"


class IndexGeneration(models.Model):
    """One embedding model's whole index of a space: the active one serves, others replace it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="generations", verbose_name=_("space")
    )
    endpoint = models.ForeignKey(
        ModelEndpoint,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="generations",
        verbose_name=_("model endpoint"),
        help_text=_("Empty: the built-in model."),
    )
    model_key = models.CharField(_("model"), max_length=200)
    dimensions = models.PositiveIntegerField(_("dimensions"))
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=GenerationStatus.choices,
        default=GenerationStatus.BUILDING,
    )
    has_ann_index = models.BooleanField(_("has an HNSW index"), default=False, editable=False)
    ann_is_half = models.BooleanField(
        default=False, editable=False, help_text=_("Older versions made it in full precision.")
    )
    switching = models.CharField(
        _("switching"),
        max_length=10,
        choices=GenerationSwitching.choices,
        default=GenerationSwitching.MANUAL,
    )
    job = models.ForeignKey(
        IngestJob,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("job"),
        help_text=_("The last one that built it, filled it up or deleted it."),
    )
    notice = models.TextField(
        _("notice"), blank=True, help_text=_("Why it did not take over by itself.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    activated_at = models.DateTimeField(_("activated"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True, editable=False)
    written_until = models.DateTimeField(
        _("kept up to date until"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Until then new passages get vectors in it, too: going back takes no time."),
    )

    objects = GenerationQuerySet.as_manager()

    class Meta:
        verbose_name = _("index generation")
        verbose_name_plural = _("index generations")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["space"], condition=models.Q(status="active"), name="one_active_generation"
            )
        ]

    def __str__(self) -> str:
        return f"{self.space}: {self.model_key}"

    @property
    def has_failed(self) -> bool:
        """Whether its build ended before it was whole; a retry of the job goes on with it."""
        ended = {JobStatus.FAILED, JobStatus.CANCELLED}
        is_open = self.status == GenerationStatus.BUILDING
        return is_open and self.job is not None and self.job.status in ended


class GenerationSwitch(models.Model):
    """One change of the model that serves a space: from what to what, by whom and why."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="generation_switches", verbose_name=_("space")
    )
    generation_id = models.UUIDField(_("index generation"), help_text=_("It may be gone."))
    model_key = models.CharField(_("model"), max_length=200)
    before_id = models.UUIDField(_("generation before"), null=True)
    model_key_before = models.CharField(_("model before"), max_length=200, blank=True)
    is_rollback = models.BooleanField(_("back to one that served before"), default=False)
    is_automatic = models.BooleanField(_("by itself"), default=False)
    evaluation_id = models.UUIDField(_("evaluation"), null=True)
    reason = models.TextField(_("reason"), blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("switched by"),
    )
    created_at = models.DateTimeField(_("switched"), auto_now_add=True)

    objects = GenerationSwitchQuerySet.as_manager()

    class Meta:
        verbose_name = _("switch of generations")
        verbose_name_plural = _("switches of generations")
        ordering = ["-created_at", "id"]
        indexes = [  # the history of a space
            models.Index(fields=["space", "-created_at"], name="generation_switches")
        ]

    def __str__(self) -> str:
        return f"{self.model_key_before} → {self.model_key}"


class Embedding(models.Model):
    """The vector of a chunk in a generation; its length is the generation's `dimensions`."""

    chunk = models.ForeignKey(Chunk, models.CASCADE, related_name="embeddings", db_index=False)
    node = models.ForeignKey(  # the scope of a search is nodes: no detour over wide chunk rows
        Node, models.CASCADE, related_name="+"
    )
    generation = models.ForeignKey(
        IndexGeneration, models.CASCADE, related_name="embeddings", db_index=False
    )
    vector = VectorField()

    class Meta:
        verbose_name = _("embedding")
        verbose_name_plural = _("embeddings")
        constraints = [
            models.UniqueConstraint(fields=["chunk", "generation"], name="one_vector_a_chunk")
        ]
        indexes = [
            # A generation that is small, or has no HNSW index yet, is scanned.
            models.Index(fields=["generation"], name="embedding_by_generation")
        ]

    def __str__(self) -> str:
        return f"{self.chunk_id} in {self.generation_id}"


class TermStatistic(models.Model):
    """In how many passages of a space a word occurs, as a sum of rows.

    Writers only append differences, so two imports never wait for each other; a periodic task
    folds the rows of a word into one. `term` is the word's number; the negative ones count all
    passages (their words in `tokens`) and those of each language (`knowledge.statistics`).
    """

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    term = models.BigIntegerField()
    passages = models.IntegerField()
    tokens = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("term statistic")
        verbose_name_plural = _("term statistics")
        indexes = [
            models.Index(
                fields=["space", "term"], include=["passages", "tokens"], name="statistic_by_term"
            )
        ]

    def __str__(self) -> str:
        return f"{self.space_id} {self.term}: {self.passages}"
