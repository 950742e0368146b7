"""Fixed vocabularies of knowledge."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Visibility(models.TextChoices):
    """Who may read the published nodes of a space."""

    PUBLIC = "public", _("Everyone")
    SIGNED_IN = "signed_in", _("Everyone who is signed in")
    MEMBERS = "members", _("Members only")


class NodeStatus(models.TextChoices):
    """Where a node stands in its life."""

    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("In review")
    PUBLISHED = "published", _("Published")
    ARCHIVED = "archived", _("Archived")


class RelationStatus(models.TextChoices):
    """Whether a person vouches for a relation."""

    SUGGESTED = "suggested", _("Suggested")
    CONFIRMED = "confirmed", _("Confirmed")


class RelationOrigin(models.TextChoices):
    """What made a relation; those of a text follow its wiki links."""

    MANUAL = "manual", _("Made by a person or program")
    TEXT = "text", _("A link in the text")


class SourceKind(models.TextChoices):
    """How a source came in."""

    UPLOAD = "upload", _("Upload")
    URL = "url", _("Web page")
    GIT = "git", _("Git repository")


class JobKind(models.TextChoices):
    """What an ingest job does."""

    SOURCE = "source", _("Read a source")
    BULK = "bulk", _("Store many nodes")
    GENERATION = "generation", _("Build an index generation")


class JobStatus(models.TextChoices):
    """Where an ingest job stands. Queued is not stuck: only a lease that ran out is."""

    QUEUED = "queued", _("Queued")
    PROCESSING = "processing", _("Processing")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class JobStage(models.TextChoices):
    """The checkpoints of an ingest job, in order."""

    QUEUED = "queued", _("Waiting")
    EXTRACT = "extract", _("Extracting text")
    STORE = "store", _("Storing nodes")
    CHUNK = "chunk", _("Splitting into passages")
    EMBED = "embed", _("Embedding passages")
    SWAP = "swap", _("Making visible")
    DONE = "done", _("Done")


class GenerationStatus(models.TextChoices):
    """Where an index generation stands; one a space is active."""

    BUILDING = "building", _("Building")
    READY = "ready", _("Ready")
    ACTIVE = "active", _("Active")
    RETIRED = "retired", _("Retired")


class SearchMode(models.TextChoices):
    """Which legs a search uses."""

    HYBRID = "hybrid", _("Hybrid")
    VECTOR = "vector", _("Vector")
    KEYWORD = "keyword", _("Keyword")
    GRAPH = "graph", _("Graph")
