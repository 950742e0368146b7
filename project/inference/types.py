"""What callers of the inference app hand in and get back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypedDict
from uuid import UUID

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from project.inference.models import ModelEndpoint

EmbeddingPurpose = Literal["document", "query"]


class ChatMessage(TypedDict):
    """One message of a prompt, in the form of OpenAI's chat completions."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class UsageContext:
    """On whose behalf a model is called; copied into the usage row.

    `purpose` is a short word such as ``answer``, ``rewrite``, ``ingest`` or ``recall``.
    """

    purpose: str
    user_id: int | None = None
    space_id: UUID | None = None
    turn_id: UUID | None = None
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class ModelsInUse:
    """The active language models, and whether the space has a budget, as read a moment ago."""

    endpoints: "tuple[ModelEndpoint, ...]"
    has_budget: bool


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """An embedding model as an index remembers it.

    `key` names the vector space: vectors of equal keys may be compared. `languages` holds the codes
    the model reads well, None means every language.
    """

    key: str
    dimensions: int
    languages: frozenset[str] | None
    backend: str
    endpoint_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens and price of one call; `estimated` when the server did not count them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    estimated: bool = True


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of an answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The last item of an answer that ended well. Times in milliseconds."""

    usage: TokenUsage
    finish_reason: str
    endpoint: str
    endpoint_id: UUID
    model: str
    latency_ms: int
    first_token_ms: int | None
    tier: str = ""


class InferenceError(Exception):
    """A model could not do its work. `reason` is a code; the message is safe to show to users."""

    def __init__(self, reason: str, message: "StrOrPromise") -> None:
        super().__init__(message)
        self.reason = reason
        self._message = message

    @property
    def message(self) -> str:
        """The message in the language that is active now."""
        return str(self._message)


class EmbeddingUnavailable(InferenceError):
    """No vectors can be had now."""


class ModelUnavailable(InferenceError):
    """No language model answered; nothing was streamed."""


@dataclass(frozen=True, slots=True)
class CallSummary:
    """Which model a broken answer came from, and what it used up."""

    endpoint: str
    endpoint_id: UUID
    model: str
    usage: TokenUsage = field(default_factory=TokenUsage)


class ModelInterrupted(InferenceError):
    """The answer broke off after its first token: what was streamed stays, marked incomplete."""

    partial = True

    def __init__(self, reason: str, message: "StrOrPromise", summary: CallSummary) -> None:
        super().__init__(reason, message)
        self.summary = summary


Messages = Sequence[ChatMessage]
