"""What a page shows of a conversation: questions, answers, and other tries beside them."""

import uuid
from dataclasses import dataclass, field

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.choices import FINAL_STATUSES, CacheOutcome, TurnStatus
from chat.explaining import ContextUse, context_use
from chat.golden import GoldenOffer
from chat.models import Citation, Message, Turn
from chat.rendering import verdicts_of
from chat.states import AskedState, state_of


@dataclass(frozen=True, slots=True)
class Siblings:
    """Other tries at the same place of the tree: this is `number` of `total`."""

    number: int
    total: int
    previous: uuid.UUID | None
    next: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answering as the page shows it: finished, or a place for what is still to come.

    `question_siblings` only where the answer stands by itself: the page has its question.
    """

    turn: Turn
    message: Message | None
    html: SafeString = field(default=mark_safe(""))
    citations: list[Citation] = field(default_factory=list)
    feedback: int = 0
    siblings: Siblings | None = None
    question_siblings: Siblings | None = None
    golden: GoldenOffer | None = None
    follow_ups: list[str] = field(default_factory=list)

    @property
    def context(self) -> ContextUse | None:
        """How full the context of the answer was, where that was noted."""
        return context_use(self.turn)

    @property
    def is_finished(self) -> bool:
        """Whether no more events will come."""
        return self.turn.status in FINAL_STATUSES

    @property
    def is_failed(self) -> bool:
        """Whether the answering broke off with an error."""
        return self.turn.status == TurnStatus.FAILED

    @property
    def is_stopped(self) -> bool:
        """Whether a person stopped it."""
        return self.turn.status == TurnStatus.STOPPED

    @property
    def state(self) -> AskedState | None:
        """The earlier state of knowledge that was asked, if any."""
        return state_of(self.turn)

    @property
    def lacking(self) -> str:
        """What could not take part in finding passages, as a sentence, or the empty string."""
        degraded = self.turn.trace.get("degraded", [])
        if "keyword" in degraded:
            return _("Too many texts of that time have to be prepared first: some may be missing.")
        if "vector" in degraded and self.turn.as_of is not None:
            return _("Some texts of that time could be found by their words only.")
        if "vector" in degraded:
            return _("Search by meaning was not available: passages were found by words.")
        return ""

    @property
    def given_before(self) -> str:
        """That this is a kept answer, as a sentence, or the empty string.

        Whoever asked before stays unnamed, and so does what they wrote.
        """
        if self.turn.cache == CacheOutcome.EXACT:
            return _("This answer was given before, and its sources have not changed since.")
        if self.turn.cache == CacheOutcome.SEMANTIC:
            return _(
                "This answer was given before, to a question in other words. If it does not fit,"
                " have it answered again."
            )
        return ""

    @property
    def doubts(self) -> str:
        """How many sentences do not stand in their sources, as a sentence, or the empty string."""
        found = verdicts_of(self.turn) or {}
        count = found.get("unsupported", 0) + found.get("partly", 0)
        words = ngettext(
            "%(count)s of %(all)s sentences does not, or not wholly, stand in its sources: it is"
            " marked.",
            "%(count)s of %(all)s sentences do not, or not wholly, stand in their sources: they"
            " are marked.",
            count,
        )
        checked = count + found.get("supported", 0)
        return words % {"count": count, "all": checked} if count else ""

    @property
    def notice(self) -> str:
        """A sentence that the answering left for the reader, or the empty string."""
        return str(self.turn.trace.get("notice", ""))


@dataclass(frozen=True, slots=True)
class Question:
    """A message of the person."""

    message: Message
    siblings: Siblings | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """What a page shows, oldest first; `earlier` is the message before which there is more."""

    items: list[Question | Answer]
    earlier: uuid.UUID | None = None
