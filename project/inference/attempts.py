"""One attempt at one endpoint: a place, the breaker's leave, the call, and its account."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.utils.translation import gettext_lazy as _

from project.inference import breaker
from project.inference.chat_calls import CallFailed, ChatCall, Prompt
from project.inference.choices import CallKind, Outcome
from project.inference.failures import Failure
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.slots import slot
from project.inference.types import TokenUsage, UsageContext
from project.inference.usage import usage_row

RESTING = Failure(Outcome.BREAKER_OPEN, _("The model is resting after failures."))


class Attempt:
    """Reads one call, once; its row is added to `rows` when the call is over.

    `patience` is how long it waits for a place at the endpoint, in seconds.
    """

    def __init__(
        self,
        endpoint: ModelEndpoint,
        prompt: Prompt,
        deadline: float,
        *,
        patience: float,
        usage: UsageContext,
        rows: list[UsageRecord],
    ) -> None:
        self.call = ChatCall(endpoint, prompt, deadline)
        self._patience, self._usage, self._rows = patience, usage, rows

    def lost(self) -> None:
        """Hear that another attempt was faster."""
        self.call.lost()

    async def stream(self) -> AsyncGenerator[str, None]:
        """Yield the texts of the call. Raises CallFailed and EndpointFull."""
        endpoint = self.call.endpoint
        guard = breaker.for_endpoint(endpoint)
        async with slot(endpoint, patience=self._patience):
            permit = await guard.aacquire()
            if not permit.allowed:
                raise CallFailed(RESTING)
            outcome, error = Outcome.CANCELLED, ""
            try:
                async with aclosing(self.call.texts()) as texts:
                    async for text in texts:
                        if permit.probe:
                            # It answers: let the others in now, not when this answer is over.
                            await guard.arecord(permit, ok=True)
                            permit = dataclasses.replace(permit, probe="")
                        yield text
                outcome = Outcome.OK
                await guard.arecord(permit, ok=True)
            except CallFailed as failed:
                outcome, error = failed.failure.outcome, str(failed.failure.message)
                await guard.arecord(permit, ok=not failed.failure.is_fault)
                raise
            finally:
                self._rows.append(chat_row(endpoint, self._usage, outcome, error, self.call))
                if outcome == Outcome.CANCELLED:
                    await guard.arelease(permit)


def chat_row(
    endpoint: ModelEndpoint,
    usage: UsageContext,
    outcome: Outcome,
    error: str,
    call: ChatCall | None = None,
) -> UsageRecord:
    """Return the unsaved usage row of a call, or of one that was not made."""
    return usage_row(
        context=usage,
        kind=CallKind.CHAT,
        model=endpoint.model_name,
        outcome=outcome,
        latency_ms=call.latency_ms if call else 0,
        endpoint=endpoint,
        first_token_ms=call.first_token_ms if call else None,
        tokens=call.usage if call else TokenUsage(),
        error=error,
    )
