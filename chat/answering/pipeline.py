"""The stages of an answer.

1. understand: small talk and commands have a set answer, and nothing else happens;
   a follow-up is led by the topic of the question before it;
2. retrieve and recall, at once: passages that the person may read, memories that are theirs;
   what a question that stands alone was answered before is given again (`chat.answer_cache`);
3. generate: a language model with what fits its window, or, when none is set up or none answers,
   the extractive answerer, which says what it is;
   what retrieval is not sure of is not answered: the nearest nodes are named instead
   (`generating` chooses the model, and asks a more capable one where an answer is wanting);
4. verify: every sentence against the passages that it cites, and what a person should look at.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import structlog
from django.conf import settings

from chat.answer_cache.keys import key_of, telling
from chat.answer_cache.lookup import Lookup, look_up
from chat.answer_cache.replaying import cited_passages, pieces_of
from chat.answering.budget import Context, fit_context
from chat.answering.composing import Composer
from chat.answering.confidence import (
    Confidence,
    confidence_in,
    is_about_the_talk,
    is_small_talk,
)
from chat.answering.generating import Generation
from chat.answering.grounding import (
    Retrieved,
    extract_answer,
    question_language,
    recall_memories,
    retrieve,
)
from chat.answering.noting import flags_of, trace_grounding
from chat.answering.unknown import unknown_answer
from chat.answering.verify_stage import verification
from chat.choices import TurnRoute
from chat.dispatching.replies import set_answer
from chat.guarding.tracing import guard_trace
from chat.models import CachedAnswer
from chat.prompts import rules_for
from chat.rewriting import leans, standalone_question
from chat.thresholds import threshold_for
from chat.types import (
    AnswerDraft,
    AnswerEvent,
    TurnRequest,
    TurnStage,
    TurnStarted,
)
from project.aio import in_thread, release_connections

EXTRACTIVE_MODEL = "acervo-extractive"
_PIECE_WORDS = 6
log = structlog.get_logger(__name__)


async def answer_turn(
    request: TurnRequest, draft: AnswerDraft
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield the events of an answer; note on `draft` how it came about.

    Faults of models end in an answer (partial or extractive). Raises what the database raises.
    """
    model = request.model if request.route != TurnRoute.EXTRACTIVE else EXTRACTIVE_MODEL
    yield TurnStarted(request.route, model)
    began = time.monotonic()
    yield TurnStage("understand")
    if request.route == TurnRoute.BRIEF:
        async for event in _set_answer(request):
            yield event
        return
    query = standalone_question(request.question, request.history)
    draft.trace["query"] = query
    yield TurnStage("recall")
    yield TurnStage("retrieve")
    grounding = await in_thread(_grounded, request, query, began)
    context, confidence, kept = grounding.context, grounding.confidence, grounding.kept
    passages = context.passages
    _note(request, draft, grounding)
    if kept.answer is not None:
        draft.arms = request.plan.arms
        async for event in _by_kept(draft, kept.answer):
            yield event
        return
    generation = Generation(request, draft, context, confidence, query)
    yield TurnStage("generate")
    is_other = _is_no_matter_of_knowledge(request, context)
    if request.route == TurnRoute.AI and (confidence.is_enough or is_other):
        draft.arms = request.plan.arms
        async with contextlib.aclosing(generation.events(needs_source=not is_other)) as events:
            async for event in events:
                yield event
    composer, is_known = generation.composer, True
    if not composer.has_text:
        extract = None
        if confidence.is_enough:
            extract = await in_thread(extract_answer, request, query, passages)
        is_known = extract is not None
        text = extract or unknown_answer(grounding.found.passages, question_language(request))
        async for event in _by_passages(draft, text, composer):
            yield event
    yield TurnStage("verify")
    if is_known and not is_small_talk(request.question):
        checked = await verification(request, composer, passages, draft.route)
        draft.trace["verification"] = checked
    draft.trace["flags"] = flags_of(draft, composer, passages, is_known=is_known)


@dataclass(frozen=True, slots=True)
class _Grounding:
    """What an answer stands on: `found` is what there is, `context` what a model is sent of it.

    `kept` is what was answered before, `failed` names what had no part in it. Passages and memories
    were there after `retrieve_ms`.
    """

    found: Retrieved
    context: Context
    confidence: Confidence
    kept: Lookup
    failed: tuple[str, ...]
    retrieve_ms: int


def _grounded(request: TurnRequest, query: str, began: float) -> _Grounding:
    """Find and weigh what an answer stands on, in one visit of a thread; memory may fail."""
    key = key_of(request)  # of before passages are looked for
    found = retrieve(request, query)
    failed: tuple[str, ...] = tuple(found.degraded)
    try:
        memories = telling(request.question, recall_memories(request, query))
    except Exception as error:
        log.error("recall_failed", exc_info=error)
        release_connections()  # this one may be what failed
        memories, failed = [], (*failed, "memory")
    retrieve_ms = int((time.monotonic() - began) * 1000)
    context = fit_context(
        request.question,
        passages=found.passages,
        history=request.history,
        memories=memories,
        summary=request.summary,
        budget=settings.ACERVO_CONTEXT_TOKENS,
        rules=rules_for(request.state, request.plan.rules),
        tier=request.tier,
    )
    return _Grounding(
        found,
        context,
        confidence_in(found.passages, threshold_for(request.space_id)),
        look_up(key, request, found.passages, memories),
        failed,
        retrieve_ms,
    )


def _note(request: TurnRequest, draft: AnswerDraft, grounding: _Grounding) -> None:
    """Put what an answer stands on, and what it lacks, on record."""
    draft.timings["retrieve"] = grounding.retrieve_ms
    draft.notice = grounding.found.notice
    if grounding.failed:
        draft.trace["degraded"] = [*grounding.failed]
    context, kept = grounding.context, grounding.kept
    trace_grounding(draft, context)
    draft.trace["confidence"] = grounding.confidence.trace
    if guard := guard_trace(request.question, context.passages, request.marked_words):
        draft.trace["guard"] = guard
    draft.cache, draft.trace["cache"] = kept.outcome, kept.trace


def _is_no_matter_of_knowledge(request: TurnRequest, context: Context) -> bool:
    """Whether a model may answer without a passage: from memories, from what was said, politely."""
    if context.memories or is_small_talk(request.question):
        return True
    return bool(request.history) and (
        leans(request.question) or is_about_the_talk(request.question)
    )


async def _set_answer(request: TurnRequest) -> AsyncGenerator[AnswerEvent, None]:
    """Yield what is said to small talk or a command, without searching or asking a model."""
    yield TurnStage("generate")
    composer = Composer([], request.question)
    text = set_answer(request.question, question_language(request))
    async for event in _in_pieces(text, composer):
        yield event
    for event in composer.finish():
        yield event


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
    if "verification" in turn.trace:
        draft.trace["verification"] = turn.trace["verification"]


async def _by_passages(
    draft: AnswerDraft, text: str, composer: Composer
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield an answer made of passages, and why no model gives it."""
    draft.route, draft.model = TurnRoute.EXTRACTIVE, EXTRACTIVE_MODEL
    if draft.notice:
        yield TurnStage("fallback", draft.notice)
    async for event in _in_pieces(text, composer):
        yield event
    for event in composer.finish():
        yield event


async def _in_pieces(text: str, composer: Composer) -> AsyncGenerator[AnswerEvent, None]:
    """Yield an answer that is there already, a few words at a time."""
    words = text.split(" ")
    for start in range(0, len(words), _PIECE_WORDS):
        end = start + _PIECE_WORDS
        piece = " ".join(words[start:end]) + (" " if end < len(words) else "")
        for event in composer.feed(piece):
            yield event
        await asyncio.sleep(0)  # let others in, and a stop
