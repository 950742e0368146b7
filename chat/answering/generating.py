"""Having a language model answer, and a more capable one once more where that answer is wanting.

1. Whoever asks for a tier gets it: the conversation, an experiment, a setup. Otherwise the
   complexity of the question decides.
2. Where Acervo chose the tier, the finished answer is looked at (`quality`). One that is wanting is
   asked for once more, of the tiers above the endpoint that gave it.
3. The first answer stays on the page until the second one has its first words; then it is void. A
   second one that never begins leaves it as it is, one that breaks off has it put back.

Both are paid for: tokens and cost of the turn are those of both.
"""

import contextlib
from collections.abc import AsyncGenerator

from django.conf import settings
from django.utils.translation import gettext as _

from chat import metrics
from chat.answering.budget import Context
from chat.answering.complexity import complexity_of
from chat.answering.composing import Composer
from chat.answering.confidence import Confidence
from chat.answering.noting import note_finish, note_usage
from chat.answering.quality import fault_of
from chat.prompts import PROMPT_VERSION, build_messages
from chat.types import AnswerDraft, AnswerEvent, AnswerReset, TurnRequest, TurnStage
from project.inference.language_models import (
    NOT_CONFIGURED,
    Finish,
    ModelInterrupted,
    ModelUnavailable,
    TextDelta,
    stream_chat,
)
from project.inference.routing import TIERS
from project.inference.types import UsageContext

SURE = 0.15
"""Above the threshold of confidence: from where on a passage should hold the answer."""
DEFAULT_TEMPERATURE = 0.2


class Generation:
    """The answer of a model to one question; `composer` is the one whose text counts."""

    def __init__(
        self,
        request: TurnRequest,
        draft: AnswerDraft,
        context: Context,
        confidence: Confidence,
        query: str,
    ) -> None:
        self._request, self._draft, self._query = request, draft, query
        self._context, self._confidence = context, confidence
        self._raw: list[str] = []
        self._finish: Finish | None = None
        self._tier = ""
        self._trace: dict[str, object] = {}
        self.composer = Composer(context.passages, query)

    async def events(self, *, needs_source: bool) -> AsyncGenerator[AnswerEvent, None]:
        """Yield the events of the answer; nothing, and a notice on the draft, when none comes."""
        self._route()
        notice = self._draft.notice
        first = self._first()
        async with contextlib.aclosing(first) as events:
            async for event in events:
                yield event
        if self.composer.has_text:
            for event in self.composer.finish():
                yield event
        fault = self._fault(needs_source=needs_source)
        if fault:
            second = self._second(fault, notice)
            async with contextlib.aclosing(second) as events:
                async for event in events:
                    yield event

    def _route(self) -> None:
        """Choose the tier, and note why."""
        request, plan = self._request, self._request.plan
        complexity = complexity_of(
            request.question,
            history=request.history,
            passages=self._context.passages,
            confidence=self._confidence,
        )
        self._tier = request.tier or complexity.tier
        self._trace = {**complexity.trace, "asked": request.tier, "by": plan.tier_by}
        self._draft.trace["routing"] = self._trace
        self._draft.trace["context"] = self._context.trace
        self._draft.prompt_version = plan.prompt or PROMPT_VERSION

    async def _first(self) -> AsyncGenerator[AnswerEvent, None]:
        draft = self._draft
        try:
            stream = self._stream(first=True)
            async with contextlib.aclosing(stream) as pieces:
                async for piece in pieces:
                    if isinstance(piece, TextDelta):
                        self._raw.append(piece.text)
                        for event in self.composer.feed(piece.text):
                            yield event
                    else:
                        self._finish = piece
                        note_finish(draft, piece)
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
            note_usage(draft, error.summary.usage)
            draft.is_partial = True
            draft.notice = _("%(reason)s The answer is incomplete.") % {"reason": error.message}
        else:
            if not self.composer.has_text:
                draft.trace["model_error"] = "empty"
                draft.notice = _(
                    "The language model gave no answer. This one was put together from passages of"
                    " the knowledge base instead."
                )

    def _stream(self, *, first: bool) -> AsyncGenerator[TextDelta | Finish, None]:
        request, plan, context = self._request, self._request.plan, self._context
        messages = build_messages(
            request.question,
            passages=context.passages,
            memories=context.memories,
            history=context.history,
            summary=context.summary,
            state=request.state,
            rules=plan.rules,
        )
        usage = UsageContext(
            "answer", request.user.pk, request.space_id, request.turn_id, request.trace_id
        )
        above = self._finish.tier if self._finish is not None and not first else ""
        return stream_chat(
            messages,
            tier=self._tier,
            usage=usage,
            temperature=DEFAULT_TEMPERATURE if plan.temperature is None else plan.temperature,
            first=plan.endpoint_id if first else None,
            above=above,
            models=self._request.models,
        )

    def _fault(self, *, needs_source: bool) -> str:
        """Return what is wrong with the first answer, if another may be asked for."""
        plan = self._request.plan
        is_open = not self._request.tier and plan.endpoint_id is None
        if self._finish is None or self._finish.tier not in TIERS:
            return ""
        higher = TIERS[TIERS.index(self._finish.tier) + 1 :]
        fault = fault_of(
            self.composer.text,
            question=self._query,
            passages=self._context.passages,
            cited=self.composer.cited,
            finish_reason=self._finish.finish_reason,
            needs_source=needs_source and bool(self._context.passages),
            is_sure=self._confidence.score >= self._confidence.threshold + SURE,
        )
        if fault:
            self._trace["fault"] = fault
        may = is_open and settings.ACERVO_ESCALATION and not plan.tiers.isdisjoint(higher)
        return fault if may else ""

    async def _second(self, fault: str, notice: str) -> AsyncGenerator[AnswerEvent, None]:
        draft, noted = self._draft, self._trace
        kept = (draft.is_partial, draft.notice)
        composer, is_shown, outcome = Composer(self._context.passages, self._query), False, ""
        try:
            stream = self._stream(first=False)
            async with contextlib.aclosing(stream) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Finish):
                        outcome = self._taken(piece, composer)
                        continue
                    events = composer.feed(piece.text)
                    if events and not is_shown:
                        is_shown = True
                        draft.is_partial, draft.notice = False, notice
                        yield AnswerReset("escalated")
                        yield TurnStage("generate", _("A more capable model is asked once more."))
                    for event in events:
                        yield event
        except ModelUnavailable as error:
            outcome = error.reason
        except ModelInterrupted as error:
            outcome = error.reason
            note_usage(draft, error.summary.usage)
        noted["escalation"] = outcome
        metrics.escalations.labels(fault, outcome).inc()
        if outcome == "replaced":
            self.composer = composer
            for event in composer.finish():
                yield event
        elif is_shown:
            draft.is_partial, draft.notice = kept
            for event in self._put_back():
                yield event

    def _taken(self, finish: Finish, composer: Composer) -> str:
        """Note a second answer that is whole; one without words does not count but in money."""
        if not composer.has_text:
            note_usage(self._draft, finish.usage)
            return "empty"
        assert self._finish is not None
        self._trace["before"] = {"endpoint": self._finish.endpoint, "model": self._finish.model}
        self._draft.trace.pop("model_error", None)
        note_finish(self._draft, finish)
        return "replaced"

    def _put_back(self) -> list[AnswerEvent]:
        """Return the events that show the first answer again."""
        self.composer = Composer(self._context.passages, self._query)
        again: list[AnswerEvent] = [AnswerReset("put_back")]
        for piece in self._raw:
            again += self.composer.feed(piece)
        return again + self.composer.finish()
