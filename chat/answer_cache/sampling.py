"""Samples of kept answers: how often an answer that would have been given again is another's.

Feedback tells of a wrong answer only if somebody says so. So one in so many that a kept answer
would be given to, by likeness of meaning, is answered anew, and both answers are compared: nobody
is given anything worse for it, and nothing is asked of a model that would not be asked without a
cache.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F, Func, JSONField, Value

from chat import metrics
from chat.models import Turn
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

ALIKE = 0.7
"""Cosine of two answers from which on they count as saying the same, if they share a source."""
log = structlog.get_logger(__name__)


def is_sampled(turn_id: uuid.UUID) -> bool:
    """Whether a turn is one of those that are answered anew; always the same for one turn."""
    return turn_id.int % 10_000 < settings.ACERVO_ANSWER_CACHE_SAMPLE * 100


def sample_compare(turn: Turn) -> bool | None:
    """Compare the answer of a sampled turn with the kept one, and count what came of it.

    Return whether they say the same, None where nothing can be compared: it is no sample, either
    answer is gone, or nothing was answered. Expects `answer` and citations.
    """
    sample: dict[str, Any] | None = (turn.trace.get("cache") or {}).get("sample")
    if sample is None or turn.answer is None or turn.is_partial:
        return None
    kept = Turn.objects.select_related("answer").filter(pk=sample["turn"]).first()
    if kept is None or kept.answer is None:
        return None
    try:
        is_same = _shares_source(turn, kept) and _is_alike(turn.answer.content, kept.answer.content)
    except EmbeddingUnavailable as error:
        log.warning("answers_not_compared", reason=error.reason)
        return None
    metrics.answer_cache.labels("sampled right" if is_same else "sampled wrong", "").inc()
    turn.trace["cache"]["sample"]["is_same"] = is_same
    noted = Func(
        F("trace"),
        Value("{cache,sample,is_same}"),
        Value(is_same, JSONField()),
        function="jsonb_set",
        output_field=JSONField(),
    )
    Turn.objects.filter(pk=turn.pk).update(trace=noted)
    return is_same


def _shares_source(one: Turn, other: Turn) -> bool:
    return not _cited(one.citations.all()).isdisjoint(_cited(other.citations.all()))


def _cited(citations: Collection[Any]) -> set[uuid.UUID]:
    return {each.cited_id for each in citations}


def _is_alike(one: str, other: str) -> bool:
    first, second = embed_texts(default_model(), [one, other], purpose="document")
    return float(first @ second) >= ALIKE
