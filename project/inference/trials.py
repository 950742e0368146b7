"""Trying an endpoint for real: one small call, and what came of it in words."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.utils.translation import gettext as _

from project.inference.chat_calls import CallFailed, ChatCall, Prompt
from project.inference.choices import CallKind, Outcome, Purpose
from project.inference.embeddings import embed_texts, model_for_endpoint
from project.inference.language_models import warm_up
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.reranking import RerankUnavailable, rerank_scores
from project.inference.types import EmbeddingUnavailable, UsageContext
from project.inference.usage import usage_row, usage_store

PURPOSE = "test"
SECONDS = 30.0
_PROMPT = Prompt([{"role": "user", "content": "Reply with the single word: ready"}], 16, 0.0)


@dataclass(frozen=True, slots=True)
class Trial:
    """How a call went; times in milliseconds. `text` is what the model said, or what failed."""

    is_ok: bool
    text: str
    latency_ms: int
    first_token_ms: int | None = None


def endpoint_try(endpoint: ModelEndpoint, *, user_id: int | None = None) -> Trial:
    """Make one small call past the breaker, and leave a usage row. Raises nothing of the model's.

    The breaker is neither asked nor told: a person wants to know how it is right now.
    """
    context = UsageContext(PURPOSE, user_id=user_id)
    if endpoint.purpose == Purpose.EMBEDDING:
        return _embedding(endpoint, context)
    if endpoint.purpose == Purpose.RERANK:
        return _reranking(endpoint)
    trial, row = async_to_sync(_chat)(endpoint, context)
    usage_store([row])
    return trial


def _embedding(endpoint: ModelEndpoint, context: UsageContext) -> Trial:
    started = time.monotonic()
    try:
        model = model_for_endpoint(endpoint)
        vectors = embed_texts(model, [f"ready {time.time_ns()}"], purpose="document", usage=context)
    except EmbeddingUnavailable as error:
        return Trial(is_ok=False, text=error.message, latency_ms=_since(started))
    text = _("A vector of %(count)s numbers.") % {"count": vectors.shape[1]}
    return Trial(is_ok=True, text=text, latency_ms=_since(started))


def _reranking(endpoint: ModelEndpoint) -> Trial:
    started = time.monotonic()
    try:
        scores = rerank_scores(
            endpoint.pk, "When is it ready?", ["It is ready.", "Cats purr."], seconds=SECONDS
        )
    except RerankUnavailable as error:
        return Trial(is_ok=False, text=error.message, latency_ms=_since(started))
    shown = ", ".join(f"{score:.2f}" for score in scores)
    text = _("Scores of two texts: %(scores)s.") % {"scores": shown}
    return Trial(is_ok=True, text=text, latency_ms=_since(started))


async def _chat(endpoint: ModelEndpoint, context: UsageContext) -> tuple[Trial, UsageRecord]:
    await warm_up()
    call = ChatCall(endpoint, _PROMPT, asyncio.get_running_loop().time() + SECONDS)
    said: list[str] = []
    outcome, error = Outcome.OK, ""
    try:
        async with aclosing(call.texts()) as texts:
            said.extend([text async for text in texts])
    except CallFailed as failed:
        outcome, error = failed.failure.outcome, str(failed.failure.message)
    row = usage_row(
        context=context,
        kind=CallKind.CHAT,
        model=endpoint.model_name,
        outcome=outcome,
        latency_ms=call.latency_ms,
        endpoint=endpoint,
        first_token_ms=call.first_token_ms,
        tokens=call.usage,
        error=error,
    )
    trial = Trial(
        is_ok=outcome == Outcome.OK,
        text="".join(said)[:200] if outcome == Outcome.OK else error,
        latency_ms=call.latency_ms,
        first_token_ms=call.first_token_ms,
    )
    return trial, row


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
