"""How an answer came about, for whoever asked: stages, sources, cache, tokens and cost.

Made from the trace of the turn, but never all of it: of texts that the person may not read any
more, and of what others asked, nothing is told.
"""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.choices import CacheOutcome
from chat.models import Attachment, Turn
from chat.states import AskedState, state_of
from chat.timings import cost_words, flat_signals, waterfall
from knowledge.models import Node
from project.accounts.models import User

_CACHE = {
    CacheOutcome.NONE: gettext_lazy("Not looked for: this question takes an answer of its own."),
    CacheOutcome.MISS: gettext_lazy("Nothing kept fitted, so it was answered anew."),
    CacheOutcome.EXACT: gettext_lazy("A kept answer to the same question."),
    CacheOutcome.SEMANTIC: gettext_lazy("A kept answer to a question that means the same."),
}
_FLAGS = {
    "no_passages": gettext_lazy("Nothing was found in the knowledge."),
    "no_citations": gettext_lazy("It cites nothing."),
    "not_confident": gettext_lazy("Nothing certain was found."),
    "unsupported": gettext_lazy("Some of it does not stand in its sources: that is marked."),
    "partial": gettext_lazy("It is incomplete."),
    "replaced": gettext_lazy("A first answer was wanting: a more capable model gave this one."),
    "memory": gettext_lazy("Memories could not be asked."),
    "vector": gettext_lazy("Search by meaning was not available."),
    "keyword": gettext_lazy("Some texts were not prepared for search by words."),
}
_PARTS = {
    "system": gettext_lazy("Instructions"),
    "summary": gettext_lazy("Summary of the conversation"),
    "history": gettext_lazy("Last messages"),
    "memories": gettext_lazy("Memories"),
    "facts": gettext_lazy("Facts"),
    "passages": gettext_lazy("Passages"),
    "question": gettext_lazy("Question"),
}


@dataclass(frozen=True, slots=True)
class SourceUsed:
    """A passage that was sent to be answered from; without a title its reader may not see it."""

    title: str
    url: str
    version: int | None
    score: float | None
    cited: int | None
    signals: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ContextUse:
    """How much of the budget of tokens was used, and for what."""

    used: int
    budget: int
    parts: list[tuple[str, int]]

    @property
    def percent(self) -> int:
        """The used share of the budget, at most 100."""
        return min(100, round(100 * self.used / self.budget)) if self.budget else 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the panel shows; empty parts are left out there."""

    turn: Turn
    searched_for: str
    stages: list[dict[str, Any]]
    sources: list[SourceUsed]
    hidden_sources: int
    memories: int
    cache: str
    similarity: float | None
    remarks: list[str]
    context: ContextUse | None
    supported_percent: int | None
    state: AskedState | None
    is_estimated: bool
    cost_words: str


def explained(turn: Turn, user: User) -> Explanation:
    """Return how the answer of a turn of `user` came about; its citations are fetched along."""
    trace = turn.trace if isinstance(turn.trace, dict) else {}
    sources, hidden = _sources(turn, trace, user)
    kept = trace.get("cache")
    similarity = kept.get("similarity") if isinstance(kept, dict) else None
    question = turn.question.content.strip()
    searched_for = str(trace.get("query", ""))
    routing = trace.get("routing")
    risen = routing.get("escalation") if isinstance(routing, dict) else ""
    named = [risen, *(trace.get("flags") or []), *(trace.get("degraded") or [])]
    return Explanation(
        turn=turn,
        searched_for="" if searched_for.strip() == question else searched_for,
        stages=waterfall(turn.timings),
        sources=sources,
        hidden_sources=hidden,
        memories=len(trace.get("memories") or []),
        cache=str(_CACHE.get(CacheOutcome(turn.cache), "")),
        similarity=similarity if turn.cache == CacheOutcome.SEMANTIC else None,
        remarks=[str(_FLAGS[name]) for name in dict.fromkeys(named) if name in _FLAGS],
        context=context_use(turn),
        supported_percent=_supported(trace),
        state=state_of(turn),
        is_estimated=bool(trace.get("tokens_estimated")),
        cost_words=cost_words(turn.cost),
    )


def _supported(trace: dict[str, Any]) -> int | None:
    """Return the share of sentences that stand in their sources; None when none was checked."""
    checked = trace.get("verification")
    share = checked.get("share") if isinstance(checked, dict) else None
    return round(100 * share) if isinstance(share, (int, float)) else None


def context_use(turn: Turn) -> ContextUse | None:
    """Return what the trace says of the budget of tokens; None when it says nothing."""
    stored = turn.trace.get("context") if isinstance(turn.trace, dict) else None
    if not isinstance(stored, dict) or not stored.get("budget"):
        return None
    parts = {
        name: tokens
        for name, tokens in (stored.get("parts") or {}).items()
        if isinstance(tokens, int) and tokens > 0
    }
    words = [(str(_PARTS.get(name, name.replace("_", " "))), n) for name, n in parts.items()]
    return ContextUse(sum(parts.values()), int(stored["budget"]), words)


def _sources(turn: Turn, trace: dict[str, Any], user: User) -> tuple[list[SourceUsed], int]:
    """Return the passages in the order of their rank, and how many the person may not see now."""
    passages = [each for each in trace.get("passages") or [] if isinstance(each, dict)]
    wanted = {str(each.get("node")) for each in passages}
    rows = Node.objects.visible_to(user).filter(pk__in=wanted) if wanted else Node.objects.none()
    readable = {str(pk) for pk in rows.values_list("pk", flat=True)}
    cited = {str(each.chunk_id): each.index for each in turn.citations.all()}
    attached = Attachment.objects.filter(conversation=turn.conversation_id, pk__in=wanted)
    mine = {str(pk) for pk in attached.values_list("pk", flat=True)}
    readable |= mine
    shown = [
        SourceUsed(
            title=str(each.get("title") or _("Untitled")),
            url=reverse("attachment-page", args=[turn.conversation_id, each["node"]])
            if str(each["node"]) in mine
            else f"{reverse('node-page', args=[each['node']])}?version={each.get('version', '')}",
            version=each.get("version"),
            score=each.get("score"),
            cited=cited.get(str(each.get("chunk"))),
            signals=flat_signals(each["signals"]) if isinstance(each.get("signals"), dict) else [],
        )
        for each in passages
        if str(each.get("node")) in readable
    ]
    return shown, len(passages) - len(shown)
