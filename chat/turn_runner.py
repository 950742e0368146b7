"""One turn from its claim to its end: answer, log, store."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Literal

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError
from django.utils import translation
from django.utils.translation import gettext as _
from psycopg_pool import PoolTimeout

from chat import metrics
from chat.choices import TurnStatus
from chat.claiming import Claim
from chat.finishing import Ending, LeaseLost, turn_finish
from chat.turn_log import TurnLog
from chat.turns import MAX_ATTEMPTS, turn_hand_back
from chat.types import (
    AnswerCitation,
    AnswerDelta,
    AnswerDraft,
    AnswerEvent,
    AnswerReset,
    TurnRequest,
)
from project.aio import in_thread
from project.tracing import bind_trace

Answerer = Callable[[TurnRequest, AnswerDraft], AsyncGenerator[AnswerEvent, None]]
Cut = Literal["stop", "hand_back", "lost", "timeout"]

STORE_SECONDS = 60.0
_CUT_SECONDS = 1.5
log = structlog.get_logger(__name__)


class TurnRunner:
    """Drives the answering of a claimed turn; `cut` ends it early.

    The answer is stored first and told afterwards: whoever sees the last event finds the stored
    answer. An agent that lost its lease or the log stops without a word: another one speaks.
    """

    def __init__(self, claim: Claim, answerer: Answerer) -> None:
        self.claim = claim
        self._answerer = answerer
        self._draft = AnswerDraft(route=claim.request.route, model=claim.request.model)
        self._log = TurnLog(claim.turn_id, writer=claim.owner)
        self._began = time.monotonic()
        self._cut: Cut | None = None
        self._answering: asyncio.Task[None] | None = None
        self._is_storing = False

    def cut(self, why: Cut) -> None:
        """End the answering now; once it is being stored, nothing changes any more."""
        if self._cut is None and not self._is_storing:
            self._cut = why
            if self._answering is not None:
                self._answering.cancel()

    async def run(self) -> None:
        """Answer the turn to its end. Never raises for a fault of the answering."""
        language = translation.override(self.claim.request.language)
        with bind_trace(self.claim.request.trace_id), language:
            start = await self._log.open(
                known_seq=self.claim.known_seq, is_retry=self.claim.is_retry
            )
            if start:
                self._log.put(AnswerReset("restarted"))
            if self.claim.is_retry:
                metrics.takeovers.inc()
            ending = await self._answer()
            if ending is None:
                await self._log.close(is_finished=False)
                return
            await self._store(ending)

    async def _answer(self) -> Ending | None:
        """Return how the answering ended; None when the turn is not this agent's to end."""
        if self.claim.attempts > MAX_ATTEMPTS:
            return Ending(
                TurnStatus.FAILED, "gave_up", _("Answering broke off several times. Ask again.")
            )
        if self.claim.is_stopped:
            return Ending(TurnStatus.STOPPED)
        error = await self._drive()
        if self._cut in {"lost", "hand_back"}:
            await self._give_up(is_counted=False)
            return None
        if self._cut == "stop":
            return Ending(TurnStatus.STOPPED)
        if error is None:
            return Ending(TurnStatus.COMPLETED)
        if isinstance(error, (DatabaseError, PoolTimeout)):
            log.warning("turn_put_back", error=type(error).__name__)
            await self._give_up(is_counted=True)
            return None
        return self._broken(error)

    async def _drive(self) -> Exception | None:
        """Run the answerer under the deadline, the log's fence and `cut`; return what it raised."""
        if self._cut is not None:
            return None
        self._answering = asyncio.create_task(self._consume())
        fence = asyncio.create_task(self._log.lost.wait())
        fence.add_done_callback(lambda done: None if done.cancelled() else self.cut("lost"))
        try:
            await asyncio.wait([self._answering], timeout=settings.ACERVO_TURN_TIMEOUT)
            if not self._answering.done():
                if self._cut is None:
                    self.cut("timeout")
                # The model's stream closes within a second; what hangs longer is left behind.
                await asyncio.wait([self._answering], timeout=_CUT_SECONDS)
        finally:
            fence.cancel()
        if not self._answering.done() or self._answering.cancelled():
            return TimeoutError() if self._cut == "timeout" else None
        error = self._answering.exception()
        return error if isinstance(error, Exception) else None

    async def _consume(self) -> None:
        async with contextlib.aclosing(self._answerer(self.claim.request, self._draft)) as events:
            async for event in events:
                self._note(event)
                self._log.put(event)

    def _note(self, event: AnswerEvent) -> None:
        """Keep what the reader has been shown: that, exactly, is the answer."""
        draft = self._draft
        if "first_event" not in draft.timings:
            draft.timings["first_event"] = self._elapsed_ms()
            metrics.first_event_seconds.observe(self._elapsed_ms() / 1000)
        if isinstance(event, AnswerDelta):
            if not draft.text and "first_token" not in draft.timings:
                draft.timings["first_token"] = self._elapsed_ms()
                metrics.first_token_seconds.observe(self._elapsed_ms() / 1000)
            draft.text += event.text
        elif isinstance(event, AnswerCitation):
            draft.citations.append(event)
        elif isinstance(event, AnswerReset):
            draft.text = ""
            draft.citations.clear()

    def _elapsed_ms(self) -> int:
        """Return the milliseconds since the question was stored."""
        return self.claim.queued_ms + int((time.monotonic() - self._began) * 1000)

    def _broken(self, error: Exception) -> Ending:
        """Return the ending of an answer that broke off: what there is of it is kept."""
        is_late = isinstance(error, TimeoutError)
        if not is_late:
            log.error("turn_failed", exc_info=error)
        if self._draft.text:
            self._draft.is_partial = True
            self._draft.notice = (
                _("Answering took too long and was ended; the answer is incomplete.")
                if is_late
                else _("Something went wrong while answering; the answer is incomplete.")
            )
            return Ending(TurnStatus.COMPLETED)
        if is_late:
            return Ending(TurnStatus.FAILED, "timeout", _("Answering took too long. Ask again."))
        return Ending(
            TurnStatus.FAILED, "internal", _("Something went wrong while answering. Ask again.")
        )

    async def _give_up(self, *, is_counted: bool) -> None:
        """Let another agent have the turn, at once if the database hears of it."""
        last_seq = self._log.seal()
        await self._log.close(is_finished=False)
        if self._cut == "lost":
            return
        await self._persist(
            lambda: turn_hand_back(self.claim, last_seq=last_seq, is_counted=is_counted)
        )

    async def _store(self, ending: Ending) -> None:
        self._is_storing = True
        draft = self._draft
        draft.timings["queued"] = self.claim.queued_ms
        draft.timings["total"] = self._elapsed_ms()
        final: dict[str, object] = {}
        last_seq = self._log.seal() + 1

        def finish() -> None:
            final.update(turn_finish(self.claim, draft, ending, last_seq=last_seq))

        stored = await self._persist(finish)
        if stored:
            self._log.put_fields(final)
            metrics.turns.labels(ending.status, draft.route).inc()
            metrics.turn_seconds.labels(draft.route).observe(draft.timings["total"] / 1000)
        await self._log.close(is_finished=stored)

    async def _persist(self, write: Callable[[], None]) -> bool:
        """Write to the database, waiting for it to come back; False when the turn is lost."""
        deadline = time.monotonic() + STORE_SECONDS
        pause = 0.1
        while True:
            try:
                await in_thread(write)
            except LeaseLost:
                log.info("turn_lost", turn=str(self.claim.turn_id))
                return False
            except (DatabaseError, PoolTimeout) as error:
                # IntegrityError: a cited node was deleted just now; the next try leaves it out.
                if time.monotonic() > deadline:
                    log.exception("turn_not_stored", turn=str(self.claim.turn_id))
                    return False
                if not isinstance(error, IntegrityError):
                    log.warning("turn_waits_for_database", error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            else:
                return True
