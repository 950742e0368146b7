"""The stages of an answer.

1. understand: a follow-up is led by the topic of the question before it;
2. retrieve and recall, at once: passages that the person may read, memories that are theirs;
   what a question that stands alone was answered before is given again (`chat.answer_cache`);
3. generate: a language model with what fits its window, or, when none is set up or none answers,
   the extractive answerer, which says what it is;
4. verify: what an answer without citations, or with few words of its own, means for the trace.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from chat.answer_cache.keys import telling
from chat.answer_cache.lookup import look_up
from chat.answer_cache.replaying import cited_passages, pieces_of
from chat.answering.budget import Context, fit_context
from chat.answering.composing import Composer
from chat.answering.grounding import extract_answer, recall_memories, retrieve
from chat.choices import TurnRoute
from chat.guarding.tracing import guard_trace
from chat.models import CachedAnswer
from chat.prompts import PROMPT_VERSION, build_messages, rules_for
from chat.rewriting import standalone_question
from chat.types import (
    AnswerDraft,
    AnswerEvent,
    Passage,
    Recollection,
    TurnRequest,
    TurnStage,
    TurnStarted,
)
from project.aio import in_thread
from project.inference.language_models import (
    NOT_CONFIGURED,
    Finish,
    ModelInterrupted,
    ModelUnavailable,
    TextDelta,
    stream_chat,
)
from project.inference.types import TokenUsage, UsageContext

EXTRACTIVE_MODEL = "acervo-extractive"
_PIECE_WORDS = 6
log = structlog.get_logger(__name__)


async def answer_turn(
    request: TurnRequest, draft: AnswerDraft
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield the events of an answer; note on `draft` how it came about.

    Faults of models end in an answer (partial or extractive). Raises what the database raises.
    """
    model = request.model if request.route == TurnRoute.AI else EXTRACTIVE_MODEL
    yield TurnStarted(request.route, model)
    began = time.monotonic()
    yield TurnStage("understand")
    query = standalone_question(request.question, request.history)
    draft.trace["query"] = query
    yield TurnStage("recall")
    yield TurnStage("retrieve")
    found, memories = await _gathered(request, query, draft)
    draft.timings["retrieve"] = int((time.monotonic() - began) * 1000)
    context = await in_thread(_context, request, found, memories)
    passages = context.passages
    _trace_grounding(draft, context)
    if guard := guard_trace(request.question, passages, request.marked_words):
        draft.trace["guard"] = guard
    kept = await in_thread(look_up, request, found, memories)
    draft.cache, draft.trace["cache"] = kept.outcome, kept.trace
    if kept.answer is not None:
        async for event in _by_kept(draft, kept.answer):
            yield event
        return
    composer = Composer(passages, query)
    yield TurnStage("generate")
    if request.route == TurnRoute.AI:
        stream = _by_model(request, draft, composer, context)
        async with contextlib.aclosing(stream) as events:
            async for event in events:
                yield event
    if not composer.has_text:
        draft.route, draft.model = TurnRoute.EXTRACTIVE, EXTRACTIVE_MODEL
        if draft.notice:
            yield TurnStage("fallback", draft.notice)
        async for event in _by_extraction(request, query, composer, passages):
            yield event
    for event in composer.finish():
        yield event
    yield TurnStage("verify")
    draft.trace["flags"] = _flags(draft, composer, passages)


async def _gathered(
    request: TurnRequest, query: str, draft: AnswerDraft
) -> tuple[list[Passage], list[Recollection]]:
    """Return passages and memories, fetched at once; memory may fail without harm."""
    found, memories = await asyncio.gather(
        in_thread(retrieve, request, query),
        in_thread(recall_memories, request, query),
        return_exceptions=True,
    )
    if isinstance(memories, BaseException):
        log.error("recall_failed", exc_info=memories)
        draft.trace["degraded"] = ["memory"]
        memories = []
    if isinstance(found, BaseException):
        raise found
    if found.degraded:
        draft.trace["degraded"] = [*found.degraded, *draft.trace.get("degraded", [])]
    draft.notice = found.notice
    return found.passages, telling(request.question, memories)


def _context(
    request: TurnRequest, passages: Sequence[Passage], memories: Sequence[Recollection]
) -> Context:
    return fit_context(
        request.question,
        passages=passages,
        history=request.history,
        memories=memories,
        summary=request.summary,
        budget=settings.ACERVO_CONTEXT_TOKENS,
        rules=rules_for(request.state),
        tier=request.tier,
    )


async def _by_kept(draft: AnswerDraft, answer: CachedAnswer) -> AsyncGenerator[AnswerEvent, None]:
    """Yield an answer that was given before, with its marks and citations."""
    turn = answer.turn
    draft.model, draft.prompt_version = turn.model, turn.prompt_version
    yield TurnStage("generate")
    composer = Composer(await in_thread(cited_passages, answer), turn.question.content)
    for piece in pieces_of(turn.answer.content if turn.answer else ""):
        for event in composer.feed(piece):
            yield event
        await asyncio.sleep(0)
    for event in composer.finish():
        yield event
    yield TurnStage("verify")


async def _by_model(
    request: TurnRequest,
    draft: AnswerDraft,
    composer: Composer,
    context: Context,
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield what a language model answers; nothing, and a notice on the draft, when none does."""
    messages = build_messages(
        request.question,
        passages=context.passages,
        memories=context.memories,
        history=context.history,
        summary=context.summary,
        state=request.state,
    )
    draft.trace["context"] = context.trace
    draft.prompt_version = PROMPT_VERSION
    usage = UsageContext(
        "answer", request.user.pk, request.space_id, request.turn_id, request.trace_id
    )
    try:
        stream = stream_chat(messages, tier=request.tier, usage=usage)
        async with contextlib.aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, TextDelta):
                    for event in composer.feed(piece.text):
                        yield event
                else:
                    _note_finish(draft, piece)
    except ModelUnavailable as error:
        draft.trace["model_error"] = error.reason
        if error.reason != NOT_CONFIGURED:
            draft.notice = _(
                "%(reason)s This answer was put together from passages of the knowledge base"
                " instead, without a language model."
            ) % {"reason": error.message}
    except ModelInterrupted as error:
        draft.trace["model_error"] = error.reason
        draft.model = error.summary.model
        _note_usage(draft, error.summary.usage)
        draft.is_partial = True
        draft.notice = _("%(reason)s The answer is incomplete.") % {"reason": error.message}
    else:
        if not composer.has_text:
            draft.trace["model_error"] = "empty"
            draft.notice = _(
                "The language model gave no answer. This one was put together from passages of"
                " the knowledge base instead."
            )


async def _by_extraction(
    request: TurnRequest, query: str, composer: Composer, passages: Sequence[Passage]
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield an answer made of sentences of the passages, a few words at a time."""
    text = await in_thread(extract_answer, request, query, passages)
    words = text.split(" ")
    for start in range(0, len(words), _PIECE_WORDS):
        end = start + _PIECE_WORDS
        piece = " ".join(words[start:end]) + (" " if end < len(words) else "")
        for event in composer.feed(piece):
            yield event
        await asyncio.sleep(0)  # let others in, and a stop


def _note_finish(draft: AnswerDraft, finish: Finish) -> None:
    draft.model = finish.model
    draft.trace["endpoint"] = finish.endpoint
    draft.trace["finish_reason"] = finish.finish_reason
    draft.trace["model_ms"] = {"first_token": finish.first_token_ms, "total": finish.latency_ms}
    _note_usage(draft, finish.usage)
    if finish.finish_reason == "length":
        draft.is_partial = True
        draft.notice = _("The answer reached its greatest length and was cut.")


def _note_usage(draft: AnswerDraft, usage: TokenUsage) -> None:
    draft.prompt_tokens = usage.prompt_tokens
    draft.completion_tokens = usage.completion_tokens
    draft.cost = usage.cost
    draft.trace["tokens_estimated"] = usage.estimated


def _trace_grounding(draft: AnswerDraft, context: Context) -> None:
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


def _flags(draft: AnswerDraft, composer: Composer, passages: Sequence[Passage]) -> list[str]:
    """Return what a person should look at: an answer that cites nothing although it could."""
    flags = []
    if not passages:
        flags.append("no_passages")
    elif draft.route == TurnRoute.AI and not composer.cited:
        flags.append("no_citations")
    if draft.is_partial:
        flags.append("partial")
    return flags
