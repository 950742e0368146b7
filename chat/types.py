"""What answering hands out, and what a turn is made from. Nothing here knows a transport."""

import uuid
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal

from chat.choices import CacheOutcome, TurnRoute
from chat.states import AskedState
from knowledge.types import RetrievedPassage as Passage
from memory.types import Recollection
from project.accounts.models import User
from project.inference.types import ModelsInUse

__all__ = [
    "FINAL_EVENTS",
    "AnswerBlock",
    "AnswerCitation",
    "AnswerDelta",
    "AnswerDraft",
    "AnswerEvent",
    "AnswerPlan",
    "AnswerReset",
    "Passage",
    "PastMessage",
    "Recollection",
    "TurnRequest",
    "TurnStage",
    "TurnStarted",
    "event_fields",
]


FINAL_EVENTS = frozenset({"turn.completed", "turn.failed", "turn.stopped"})


@dataclass(frozen=True, slots=True)
class PastMessage:
    """An earlier message of the branch."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """The arm of an experiment that a turn falls to."""

    experiment: uuid.UUID
    arm: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """What setups and experiments say of how a turn is answered; whatever is empty is left open.

    `prompt` names a stored version of the rules, `rules` is its text. `lineup` names the models
    that may answer, `tiers` where there are any, `tier_by` who chose the tier: the conversation,
    an experiment, a setup.
    """

    tier_by: str = ""
    endpoint_id: uuid.UUID | None = None
    prompt: str = ""
    rules: str = ""
    temperature: float | None = None
    lineup: str = ""
    tiers: frozenset[str] = frozenset()
    arms: tuple[PlannedArm, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """Everything that answering has to know about a turn; read once, when it is claimed.

    `proposal_id` asks for the knowledge as if that proposal were merged; turns never do. `is_again`
    says that the question was answered before, and another answer is wanted. `summary` is of what
    was said before the last messages of `history`. Without a `tier` the question decides. `models`:
    those there are, where that is known already.
    """

    turn_id: uuid.UUID
    user: User
    space_id: uuid.UUID | None
    session: str
    question: str
    history: tuple[PastMessage, ...]
    tier: str
    route: TurnRoute
    model: str
    language: str
    trace_id: str
    state: AskedState | None = None
    proposal_id: uuid.UUID | None = None
    is_again: bool = False
    marked_words: tuple[str, ...] = ()
    summary: str = ""
    plan: AnswerPlan = AnswerPlan()
    models: ModelsInUse | None = None


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The turn is being answered; `route` and `model` are what will be tried first."""

    type: ClassVar[str] = "turn.started"
    route: str
    model: str


@dataclass(frozen=True, slots=True)
class TurnStage:
    """What is being done; `notice`, where given, is a sentence for the reader."""

    type: ClassVar[str] = "turn.stage"
    stage: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """The next piece of the answer, in the open block."""

    type: ClassVar[str] = "answer.delta"
    text: str
    block: int


@dataclass(frozen=True, slots=True)
class AnswerBlock:
    """A finished block as safe HTML."""

    type: ClassVar[str] = "answer.block"
    block: int
    html: str


@dataclass(frozen=True, slots=True)
class AnswerCitation:
    """A passage that the answer has just cited for the first time, as number `index`."""

    type: ClassVar[str] = "answer.citation"
    index: int
    node: str
    version: int
    chunk: str
    title: str
    snippet: str
    start: int
    end: int
    page: int | None
    url: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class AnswerReset:
    """Everything shown of the answer so far is void."""

    type: ClassVar[str] = "answer.reset"
    reason: str


AnswerEvent = TurnStarted | TurnStage | AnswerDelta | AnswerBlock | AnswerCitation | AnswerReset


def event_fields(event: AnswerEvent) -> dict[str, Any]:
    """Return an event as JSON-ready fields, with its type; empty notices are left out."""
    fields = {"type": event.type, **asdict(event)}
    if fields.get("notice") == "":
        del fields["notice"]
    return fields


@dataclass(slots=True)
class AnswerDraft:
    """The answer as far as it has come, filled while the events are read.

    Whoever drives the pipeline keeps it: what a stop or a fault leaves is in here. The text is
    the concatenation of the deltas.
    """

    route: TurnRoute = TurnRoute.AI
    cache: CacheOutcome = CacheOutcome.NONE
    model: str = ""
    text: str = ""
    citations: list[AnswerCitation] = field(default_factory=list)
    is_partial: bool = False
    notice: str = ""
    prompt_version: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    timings: dict[str, int] = field(default_factory=dict)
    trace: dict[str, Any] = field(default_factory=dict)
    arms: tuple[PlannedArm, ...] = ()
