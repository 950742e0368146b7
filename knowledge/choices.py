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


class SuggestionStatus(models.TextChoices):
    """What people said of a suggested relation."""

    OPEN = "open", _("Undecided")
    CONFIRMED = "confirmed", _("Confirmed")
    REFUSED = "refused", _("Refused")


class EvidenceWay(models.TextChoices):
    """What speaks for relating two nodes."""

    SIMILAR = "similar", _("Similar text")
    CITED = "cited", _("Cited together")
    MENTION = "mention", _("Named in the text")
    ADDRESS = "address", _("Address in the text")
    DUPLICATE = "duplicate", _("Nearly the same text")


class VersionOrigin(models.TextChoices):
    """What a version comes from; its id says which proposal, job, migration or release."""

    EDIT = "edit", _("An edit")
    PROPOSAL = "proposal", _("A proposal")
    IMPORT = "import", _("An import")
    MIGRATION = "migration", _("A migration of its kind")
    REVERT = "revert", _("A revert")
    RESTORE = "restore", _("A restored release")


class SourceKind(models.TextChoices):
    """How a source came in."""

    UPLOAD = "upload", _("Upload")
    URL = "url", _("Web page")
    GIT = "git", _("Git repository")
    FEED = "feed", _("Feed")


class JobKind(models.TextChoices):
    """What an ingest job does."""

    SOURCE = "source", _("Read a source")
    BULK = "bulk", _("Store many nodes")
    GENERATION = "generation", _("Build an index generation")
    RELEASE = "release", _("Import a release")
    REMOVAL = "removal", _("Delete an index generation")
    IMPORT = "import", _("Import an address")
    FEED = "feed", _("Look at a feed")


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


class LogLevel(models.TextChoices):
    """How much a line of a job's log matters."""

    INFO = "info", _("Note")
    WARNING = "warning", _("Warning")
    ERROR = "error", _("Error")


class GenerationStatus(models.TextChoices):
    """Where an index generation stands; one a space is active. Retired: it served before."""

    BUILDING = "building", _("Building")
    READY = "ready", _("Ready")
    ACTIVE = "active", _("Active")
    RETIRED = "retired", _("Retired")
    DELETING = "deleting", _("Being deleted")


class GenerationSwitching(models.TextChoices):
    """Who decides that a generation that was built takes over."""

    MANUAL = "manual", _("A person switches")
    AUTOMATIC = "automatic", _("Switch by itself when it is not worse")
    AT_ONCE = "at_once", _("Switch by itself when it is whole")


class SearchMode(models.TextChoices):
    """Which legs a search uses."""

    HYBRID = "hybrid", _("Hybrid")
    VECTOR = "vector", _("Vector")
    KEYWORD = "keyword", _("Keyword")
    GRAPH = "graph", _("Graph")


class ProposalStatus(models.TextChoices):
    """Where a proposal stands: from draft to merged or rejected."""

    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("In review")
    CHANGES_REQUESTED = "changes_requested", _("Changes requested")
    APPROVED = "approved", _("Approved")
    MERGED = "merged", _("Merged")
    REJECTED = "rejected", _("Rejected")


class ProposalOrigin(models.TextChoices):
    """What filed a proposal."""

    MANUAL = "manual", _("A person")
    PROGRAM = "program", _("A program")
    CONSOLIDATION = "consolidation", _("Consolidation")


class ChangeAction(models.TextChoices):
    """What a change of a proposal does to a node or a relation."""

    EDIT = "edit", _("Edit")
    CREATE = "create", _("Create")
    ARCHIVE = "archive", _("Archive")
    PUBLISH = "publish", _("Publish")
    RELATE = "relate", _("Relate")
    UNRELATE = "unrelate", _("Remove a relation")
    RELATION_EDIT = "relation_edit", _("Edit a relation")


class Verdict(models.TextChoices):
    """What a reviewer says of a proposal."""

    APPROVED = "approved", _("Approved")
    CHANGES_REQUESTED = "changes_requested", _("Changes requested")


class GoldenOrigin(models.TextChoices):
    """Where a golden question was made."""

    ADMIN = "admin", _("The admin")
    CHAT = "chat", _("A chat message")
    API = "api", _("A program")
    IMPORT = "import", _("An import")


class EvaluationStatus(models.TextChoices):
    """Where an evaluation stands."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class ProfileOrigin(models.TextChoices):
    """How a retrieval profile came about."""

    BUILT_IN = "built_in", _("Built in")
    MANUAL = "manual", _("Made by hand")
    TUNED = "tuned", _("Learned from golden questions")


class Outcome(models.TextChoices):
    """What a question comes to: of one state found or missed, of two how they compare."""

    FOUND = "found", _("Found")
    MISSED = "missed", _("Missed")
    LOST = "lost", _("Worse")
    GAINED = "gained", _("Better")
    UNCHANGED = "unchanged", _("Unchanged")


class KindMigrationStatus(models.TextChoices):
    """Where a change of a kind's schema stands. Validated: every node would fit after it."""

    PLANNED = "planned", _("Planned")
    VALIDATED = "validated", _("Validated")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    ROLLED_BACK = "rolled_back", _("Rolled back")


class KindMigrationWork(models.TextChoices):
    """What a worker does for a change of a kind's schema."""

    PLAN = "plan", _("Plan")
    APPLY = "apply", _("Migrate")
    ROLLBACK = "rollback", _("Roll back")


class MigratedState(models.TextChoices):
    """What a change of a kind's schema is to one node."""

    CHANGED = "changed", _("Changes")
    UNCHANGED = "unchanged", _("Fits already")
    INVALID = "invalid", _("Would not fit")
    CONFLICT = "conflict", _("Edited since")


class FeedRunStatus(models.TextChoices):
    """Where a run of a feed stands. Suspicious: it found so little that a person must look."""

    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    SUSPICIOUS = "suspicious", _("Suspicious")
    DISCARDED = "discarded", _("Discarded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class FeedAction(models.TextChoices):
    """What a run found of an item."""

    ADDED = "added", _("Added")
    CHANGED = "changed", _("Changed")
    GONE = "gone", _("Gone")
    FAULT = "fault", _("Unreadable")
