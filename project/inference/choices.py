"""Closed vocabularies of the inference app."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Purpose(TextChoices):
    """What an endpoint is for."""

    CHAT = "chat", _("Language model")
    EMBEDDING = "embedding", _("Embedding model")
    RERANK = "rerank", _("Reranking model")


class Backend(TextChoices):
    """How an endpoint is reached."""

    OPENAI = "openai", _("OpenAI-compatible server")
    FASTEMBED = "fastembed", _("fastembed, in process")
    BUILTIN = "builtin", _("Built-in all-MiniLM-L6-v2")
    HASHING = "hashing", _("Feature hashing, no model")


class Tier(TextChoices):
    """How demanding a question an endpoint is meant for."""

    SIMPLE = "simple", _("Simple")
    MODERATE = "moderate", _("Moderate")
    COMPLEX = "complex", _("Complex")


class CallKind(TextChoices):
    """What a usage row counts."""

    CHAT = "chat", _("Chat")
    EMBEDDING = "embedding", _("Embedding")
    RERANK = "rerank", _("Reranking")


class CallPurpose(TextChoices):
    """What Acervo itself makes calls for; other programs inside it may name others."""

    ANSWER = "answer", _("Answering")
    INGEST = "ingest", _("Reading sources")
    INDEX = "index", _("Indexing")
    QUERY = "query", _("Searching")
    QUALITY = "quality", _("Checking texts")
    MERGE = "merge", _("Suggesting merges")
    SYNTHESIS = "synthesis", _("Summarising topics")
    TEST = "test", _("Testing the connection")


class Outcome(TextChoices):
    """How a call ended."""

    OK = "ok", _("Completed")
    TIMEOUT = "timeout", _("Timed out")
    REFUSED = "refused", _("No connection")
    RATE_LIMITED = "rate_limited", _("Rate limited")
    REJECTED = "rejected", _("Request rejected")
    INTERRUPTED = "interrupted", _("Interrupted")
    MALFORMED = "malformed", _("Unreadable answer")
    CANCELLED = "cancelled", _("Cancelled")
    BREAKER_OPEN = "breaker_open", _("Circuit breaker open")
    ERROR = "error", _("Server error")
