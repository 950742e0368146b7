"""What a turn keeps of how its answer came about."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from chat.answering.budget import Context
from chat.answering.composing import Composer
from chat.choices import TurnRoute
from chat.types import AnswerDraft, Passage
from project.inference.language_models import Finish
from project.inference.types import TokenUsage

LEAST_SUPPORTED = 0.5
"""Share of supported sentences below which a person should look at an answer."""


def note_finish(draft: AnswerDraft, finish: Finish) -> None:
    """Note what a model says of its finished answer."""
    draft.model = finish.model
    draft.trace["endpoint"] = finish.endpoint
    draft.trace["finish_reason"] = finish.finish_reason
    draft.trace["model_ms"] = {"first_token": finish.first_token_ms, "total": finish.latency_ms}
    note_usage(draft, finish.usage)
    if finish.finish_reason == "length":
        draft.is_partial = True
        draft.notice = _("The answer reached its greatest length and was cut.")


def note_usage(draft: AnswerDraft, usage: TokenUsage) -> None:
    """Note what an answer used up, on top of what was used up for it before."""
    draft.prompt_tokens += usage.prompt_tokens
    draft.completion_tokens += usage.completion_tokens
    draft.cost += usage.cost
    draft.trace["tokens_estimated"] = usage.estimated or draft.trace.get("tokens_estimated", False)


def trace_grounding(draft: AnswerDraft, context: Context) -> None:
    """Note the passages and memories that the answer is made from."""
    draft.trace["passages"] = [
        {
            "node": str(each.node),
            "version": each.version,
            "chunk": str(each.chunk),
            "title": each.title,
            "score": each.score,
            "signals": dict(each.signals),
        }
        for each in context.passages
    ]
    draft.trace["memories"] = [
        {"id": str(each.id), "score": each.score} for each in context.memories
    ]


def flags_of(
    draft: AnswerDraft, composer: Composer, passages: Sequence[Passage], *, is_known: bool
) -> list[str]:
    """Return what a person should look at: such as an answer that cites nothing although it could.

    Answers with a flag are not given again; an unsupported one is, to the very same question.
    """
    flags = [] if is_known else ["not_confident"]
    if not passages:
        flags.append("no_passages")
    elif draft.route == TurnRoute.AI and not composer.cited:
        flags.append("no_citations")
    share = (draft.trace.get("verification") or {}).get("share")
    if share is not None and share < LEAST_SUPPORTED:
        flags.append("unsupported")
    if draft.is_partial:
        flags.append("partial")
    return flags
