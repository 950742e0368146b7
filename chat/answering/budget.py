"""Sharing out the tokens of a prompt among its parts. Pure.

1. The rules and the question are always whole; what they leave is shared out.
2. Every other part has a share of that. What a part does not need goes to those that want more:
   passages first, then the last exchanges, the summary, the memories.
3. Passages are chosen for what they add (`diversity`), history is the last exchanges.

Tokens are estimated by word pieces, not by characters: Portuguese needs more of them for the same
length than English.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from chat import prompts
from chat.answering.complexity import context_factor
from chat.answering.diversity import diverse
from chat.types import Passage, PastMessage, Recollection
from knowledge.chunking import estimate_tokens as tokens_in

__all__ = ["Context", "fit_context", "granted", "tokens_in"]

Part = Literal["system", "summary", "history", "memories", "passages", "question"]

SHARES: Mapping[Part, float] = {
    "passages": 0.60,
    "history": 0.22,
    "summary": 0.10,
    "memories": 0.08,
}
"""In the order in which parts may borrow."""
EXCHANGES = 3
PAST_MESSAGE_CHARS = 2000
KEPT = 512  # costs of passages
MESSAGE_TOKENS = 4
"""What a message costs beside its text."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is sent to a model, and the estimated tokens of each part."""

    passages: list[Passage]
    history: list[PastMessage]
    memories: list[Recollection]
    summary: str
    budget: int
    parts: dict[Part, int] = field(default_factory=dict)

    @property
    def trace(self) -> dict[str, object]:
        """The costs as the trace of a turn has them."""
        return {"budget": self.budget, "parts": dict(self.parts)}


def fit_context(
    question: str,
    *,
    passages: Sequence[Passage],
    history: Sequence[PastMessage] = (),
    memories: Sequence[Recollection] = (),
    summary: str = "",
    budget: int,
    rules: str = prompts.SYSTEM,
    tier: str = "",
) -> Context:
    """Return what of each part fits into `budget` tokens, more for a complex question.

    The first passage is always sent. `summary` is left out where the last exchanges are all that
    there is.
    """
    budget = round(budget * context_factor(question, tier))
    recent = last_exchanges(history)
    if len(recent) == len(history):
        summary = ""
    fixed: dict[Part, int] = {
        "system": _rules_cost(rules),
        "question": tokens_in(prompts.question_text(question)) + MESSAGE_TOKENS,
    }
    ranked = diverse(passages)
    wanted: dict[Part, int] = {
        "passages": sum(_passage_cost(each) for each in ranked),
        "history": sum(_message_cost(each) for each in recent),
        "summary": tokens_in(prompts.summary_text(summary)) if summary else 0,
        "memories": sum(_memory_cost(each) for each in memories),
    }
    grants = granted(max(0, budget - sum(fixed.values())), wanted)
    kept_passages, kept_memories = _passages(ranked, grants), _memories(memories, grants)
    kept_history = _history(recent, grants)
    if wanted["summary"] > grants["summary"]:
        summary = _cut(summary, grants["summary"])
    order = {id(each): place for place, each in enumerate(ranked)}
    return Context(
        sorted(kept_passages, key=lambda each: (-each.score, order[id(each)])),
        kept_history,
        kept_memories,
        summary,
        budget,
        {
            "system": fixed["system"],
            "summary": tokens_in(prompts.summary_text(summary)) if summary else 0,
            "history": sum(map(_message_cost, kept_history)),
            "memories": sum(map(_memory_cost, kept_memories)),
            "passages": sum(map(_passage_cost, kept_passages)),
            "question": fixed["question"],
        },
    )


def granted(total: int, wanted: Mapping[Part, int]) -> dict[Part, int]:
    """Return how many of `total` tokens each part gets: its share at least, if it wants as much.

    What some do not want, others get, in the order of `SHARES`.
    """
    grants = {part: min(wanted[part], int(total * share)) for part, share in SHARES.items()}
    left = total - sum(grants.values())
    for part in SHARES:
        more = min(left, wanted[part] - grants[part])
        grants[part] += more
        left -= more
    return grants


def last_exchanges(history: Sequence[PastMessage]) -> list[PastMessage]:
    """Return the messages from the third last question on; long ones are cut in the middle."""
    questions = [place for place, each in enumerate(history) if each.role == "user"]
    start = questions[-EXCHANGES] if len(questions) >= EXCHANGES else 0
    return [PastMessage(each.role, _shortened(each.content)) for each in history[start:]]


def _history(recent: Sequence[PastMessage], grants: Mapping[Part, int]) -> list[PastMessage]:
    kept: list[PastMessage] = []
    left = grants["history"]
    for message in reversed(recent):
        left -= _message_cost(message)
        if left < 0:
            break
        kept.append(message)
    while kept and kept[-1].role == "assistant":
        kept.pop()  # an answer without its question says little
    return kept[::-1]


def _passages(ranked: Sequence[Passage], grants: Mapping[Part, int]) -> list[Passage]:
    kept: list[Passage] = []
    left = grants["passages"]
    for passage in ranked:
        cost = _passage_cost(passage)
        if cost > left and kept:
            continue
        left -= cost
        kept.append(passage)
    return kept


def _memories(memories: Sequence[Recollection], grants: Mapping[Part, int]) -> list[Recollection]:
    kept: list[Recollection] = []
    left = grants["memories"]
    for memory in memories:
        left -= _memory_cost(memory)
        if left < 0:
            break
        kept.append(memory)
    return kept


def _passage_cost(passage: Passage) -> int:
    return _cost_of(passage.title, passage.heading_path, passage.text)


@functools.lru_cache(maxsize=KEPT)  # what is found is found again
def _cost_of(title: str, heading_path: tuple[str, ...], text: str) -> int:
    return tokens_in(prompts.titled_text(10, title, heading_path, text))


@functools.lru_cache(maxsize=16)
def _rules_cost(rules: str) -> int:
    return tokens_in(rules) + MESSAGE_TOKENS


def _message_cost(message: PastMessage) -> int:
    return tokens_in(message.content) + MESSAGE_TOKENS


def _memory_cost(memory: Recollection) -> int:
    return tokens_in(memory.content) + 1


def _shortened(text: str) -> str:
    if len(text) <= PAST_MESSAGE_CHARS:
        return text
    half = PAST_MESSAGE_CHARS // 2
    return f"{text[:half]} […] {text[-half:]}"


def _cut(summary: str, tokens: int) -> str:
    """Return the newest lines of a summary that fit."""
    kept: list[str] = []
    for line in reversed(summary.splitlines()):
        if tokens_in(prompts.summary_text("\n".join([line, *kept]))) > tokens:
            break
        kept.insert(0, line)
    return "\n".join(kept)
