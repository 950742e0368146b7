"""Answers of language models, streamed, from whichever endpoint can give them.

The order of things in one call of `stream_chat`:

1. endpoints of the wanted tier first, drawn by weight, then those of the other tiers;
2. an endpoint whose circuit breaker is open, or that has no free place, is passed over;
   where the next one is of the same tier, a place is not waited for;
3. an endpoint that is silent for ACERVO_HEDGE_MS is raced by another of its tier, if that is set;
4. until the first token a failed attempt is repeated (full jitter, `Retry-After` kept to) and then
   made at the next endpoint; after the first token nothing is repeated, because text already shown
   cannot be taken back: the answer ends as interrupted;
5. every attempt leaves a usage row, written when the stream is over. No database connection is held
   while a model answers.
"""

import asyncio
import importlib
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from project.aio import in_thread
from project.inference import failures, routing
from project.inference.attempts import RESTING, Attempt, chat_row
from project.inference.budgets import BudgetUsedUp, budget_hold
from project.inference.chat_calls import CallFailed, ChatCall, Prompt
from project.inference.choices import Tier
from project.inference.failures import Failure
from project.inference.hedging import raced
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.slots import EndpointFull
from project.inference.types import (
    CallSummary,
    ChatMessage,
    Finish,
    Messages,
    ModelInterrupted,
    ModelsInUse,
    ModelUnavailable,
    TextDelta,
    UsageContext,
)
from project.inference.usage import usage_store_async

__all__ = [
    "ChatMessage",
    "Completion",
    "Finish",
    "ModelInterrupted",
    "ModelUnavailable",
    "TextDelta",
    "complete_chat",
    "stream_chat",
    "warm_up",
]

ATTEMPTS = 3
ATTEMPTS_BEFORE_ANOTHER = 2
NOT_CONFIGURED = "not_configured"
BUDGET = "budget_used_up"


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    text: str
    finish: Finish


async def stream_chat(
    messages: Messages,
    *,
    tier: str = Tier.MODERATE,
    usage: UsageContext,
    max_tokens: int = 1024,
    temperature: float = 0.2,
    first: UUID | None = None,
    above: str = "",
    models: ModelsInUse | None = None,
) -> AsyncGenerator[TextDelta | Finish, None]:
    """Yield the answer as `TextDelta`s and, when it is whole, one `Finish`.

    `first` and `above` choose among the endpoints (`routing.chat_endpoints`), which are read here
    unless the caller has just done so. Close the iterator (`contextlib.aclosing`) when leaving
    early: that ends the HTTP stream at once. Raises ModelUnavailable before the first token,
    ModelInterrupted after it.
    """
    prompt = Prompt(messages, max_tokens, temperature)
    await warm_up()
    rows: list[UsageRecord] = []
    if models is not None and not models.has_budget:
        endpoints, hold = routing.in_order(models.endpoints, tier, first=first, above=above), None
    else:
        endpoints, hold = await in_thread(_held_at, prompt, usage, tier, first, above)
    if not endpoints:
        raise ModelUnavailable(NOT_CONFIGURED, _("No language model is set up."))
    try:
        async with aclosing(_from_first_able(endpoints, prompt, usage, rows)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    # Written before the answer counts as finished: its cost is known by then.
                    await _store(rows, hold)
                    hold = None
                yield event
    finally:
        await _store(rows, hold)


async def warm_up() -> None:
    """Load the client library outside the event loop: it takes about a second, once a process."""
    if "openai" not in sys.modules:
        await in_thread(importlib.import_module, "openai")


async def complete_chat(
    messages: Messages,
    *,
    tier: str = Tier.SIMPLE,
    usage: UsageContext,
    max_tokens: int = 512,
    temperature: float = 0.0,
) -> Completion:
    """Return a whole answer: for rewriting, judging and other inner work.

    Raises ModelUnavailable and ModelInterrupted.
    """
    texts: list[str] = []
    stream = stream_chat(
        messages, tier=tier, usage=usage, max_tokens=max_tokens, temperature=temperature
    )
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, Finish):
                return Completion("".join(texts), event)
            texts.append(event.text)
    raise AssertionError  # the stream ends with a Finish or raises


async def _from_first_able(
    endpoints: list[ModelEndpoint], prompt: Prompt, usage: UsageContext, rows: list[UsageRecord]
) -> AsyncGenerator[TextDelta | Finish, None]:
    deadline = asyncio.get_running_loop().time() + max(each.total_timeout for each in endpoints)
    failure = RESTING

    def attempt_at(endpoint: ModelEndpoint, patience: float) -> Attempt:
        return Attempt(endpoint, prompt, deadline, patience=patience, usage=usage, rows=rows)

    for place, endpoint in enumerate(endpoints):
        is_last = endpoint is endpoints[-1]
        rivals = [each for each in endpoints[place + 1 :] if each.tier == endpoint.tier]
        # Where another of its tier may have a place, none is waited for.
        patience = 0.0 if rivals else endpoint.first_token_timeout
        for attempt in range(1, (ATTEMPTS if is_last else ATTEMPTS_BEFORE_ANOTHER) + 1):
            reading = _Reading(attempt_at(endpoint, patience))
            spare = attempt_at(rivals[0], 0.0) if rivals else None
            has_text = False
            try:
                async with aclosing(reading.texts(spare)) as texts:
                    async for text in texts:
                        has_text = True
                        yield TextDelta(text)
                yield _finish(reading.call)
                return
            except CallFailed as failed:
                failure = failed.failure if failed.failure is not RESTING else failure
                if has_text:
                    raise _interrupted(reading.call, failure) from failed
                if not failed.failure.retryable:
                    break
            except EndpointFull:
                failure = failures.BUSY
                break
            if (failure.retry_after or 0.0) > failures.BACKOFF_LIMIT_SECONDS:
                break
            await asyncio.sleep(failures.backoff_seconds(attempt, failure.retry_after))
    if not rows:
        rows.append(chat_row(endpoints[0], usage, failure.outcome, str(failure.message)))
    raise ModelUnavailable(failure.outcome, failure.message)


class _Reading:
    """An attempt that is read, raced by a spare one where that is wanted."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    @property
    def call(self) -> ChatCall:
        """The call whose text is shown."""
        return self._attempt.call

    def texts(self, spare: Attempt | None) -> AsyncGenerator[str, None]:
        """Return the texts of whichever attempt speaks first."""
        silence = settings.ACERVO_HEDGE_MS / 1000
        if not silence or spare is None:
            return self._attempt.stream()
        return raced(self._attempt, spare, silence, chosen=self._choose)

    def _choose(self, attempt: Attempt) -> None:
        self._attempt = attempt


def _finish(call: ChatCall) -> Finish:
    return Finish(
        usage=call.usage,
        finish_reason=call.finish_reason,
        endpoint=call.endpoint.name,
        endpoint_id=call.endpoint.pk,
        model=call.model,
        latency_ms=call.latency_ms,
        first_token_ms=call.first_token_ms,
        tier=call.endpoint.tier,
    )


def _interrupted(call: ChatCall, failure: Failure) -> ModelInterrupted:
    summary = CallSummary(call.endpoint.name, call.endpoint.pk, call.model, call.usage)
    return ModelInterrupted(failure.outcome, failure.message, summary)


def _held_at(
    prompt: Prompt, usage: UsageContext, tier: str, first: UUID | None, above: str
) -> tuple[list[ModelEndpoint], UUID | None]:
    """Return the endpoints to try, and what holds the cost of the call in the budget of its space.

    Raises ModelUnavailable.
    """
    endpoints = routing.chat_endpoints(tier, first=first, above=above)
    if not endpoints:
        return [], None
    times = 2 if settings.ACERVO_HEDGE_MS and len(endpoints) > 1 else 1  # who loses has read it
    try:
        hold = budget_hold(
            usage.space_id,
            prompt_chars=sum(len(each["content"]) for each in prompt.messages) * times,
            max_tokens=prompt.max_tokens,
            endpoints=endpoints,
        )
    except BudgetUsedUp:
        message = _("The budget for language models is used up for this month.")
        raise ModelUnavailable(BUDGET, message) from None
    return endpoints, hold


async def _store(rows: list[UsageRecord], hold: UUID | None) -> None:
    if rows or hold is not None:
        batch = rows.copy()
        rows.clear()
        await usage_store_async(batch, hold)
