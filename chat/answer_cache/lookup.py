"""Asking whether a question was answered before. Reads only; the caller gives threads."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db.models.functions import Now
from pgvector.django import MaxInnerProduct

from chat import metrics
from chat.answer_cache.guards import normalised
from chat.answer_cache.keys import Key
from chat.answer_cache.matching import Choice, Kept, chosen_of
from chat.answer_cache.sampling import is_sampled
from chat.choices import CacheOutcome
from chat.models import CachedAnswer, Turn
from chat.types import Passage, Recollection, TurnRequest
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

NEAREST = 20
LOOKED_AT = 60
"""Of the nearest; those that hold no longer are left out."""
NEWEST = 5000
"""Kept answers of a scope that are compared by meaning."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the cache says; `answer` has its turn and citations. `trace` is for the turn's."""

    outcome: CacheOutcome = CacheOutcome.NONE
    answer: CachedAnswer | None = None
    trace: dict[str, Any] = field(default_factory=dict)


def look_up(
    key: Key | None,
    request: TurnRequest,
    passages: Sequence[Passage],
    memories: Sequence[Recollection],
) -> Lookup:
    """Return the kept answer to a question, or that there is none, or that none could be.

    `passages` and `memories` are what an answer would be made from, `key` is of before they were
    looked for (`key_of`): whatever changes meanwhile makes another one. The trace of a miss says
    under which keys the coming answer may be kept (`keeping`).
    """
    if key is None or memories or not passages:
        return Lookup()
    if request.is_again:  # whoever asks anew wants another answer
        return _missed(key, request, Choice(reason="asked again"))
    exact = _rows(key, request).filter(key=key.exact, revision=key.revision).first()
    if exact is not None:
        return _hit(CacheOutcome.EXACT, exact, {"similarity": 1.0})
    choice = _nearest(key, request, passages)
    if choice.chosen is None:
        return _missed(key, request, choice)
    answer = _rows(key, request).filter(pk=choice.chosen.answer).first()
    if answer is None:  # fell a moment ago
        return _missed(key, request, Choice())
    found = {"similarity": round(choice.chosen.similarity, 4), "question": answer.question}
    if is_sampled(request.turn_id):
        missed = _missed(key, request, Choice(reason="sampled"))
        missed.trace["sample"] = {"turn": str(answer.turn_id), **found}
        return missed
    return _hit(CacheOutcome.SEMANTIC, answer, found)


def _rows(key: Key, request: TurnRequest) -> Any:
    rows = CachedAnswer.objects.holding_for(request.user)
    return rows.filter(scope=key.scope, variant=key.variant).select_related(
        "turn__answer", "turn__question"
    )


def _nearest(key: Key, request: TurnRequest, passages: Sequence[Passage]) -> Choice:
    """Choose by meaning; without the embedding model there is no choice."""
    model = default_model()
    try:
        vector = embed_texts(model, [request.question], purpose="query")[0]
    except EmbeddingUnavailable as error:
        log.warning("answers_not_compared", reason=error.reason)
        return Choice()
    same = CachedAnswer.objects.filter(
        scope=key.scope, variant=key.variant, model_key=model.key, expires_at__gt=Now()
    )
    newest = same.order_by("-created_at", "pk").values("pk")[:NEWEST]
    near = list(
        CachedAnswer.objects.filter(pk__in=newest)
        .annotate(similarity=-MaxInnerProduct("vector", vector))
        .order_by("-similarity", "pk")
        .values_list("pk", "question", "similarity", "turn")[:LOOKED_AT]
    )
    holding = CachedAnswer.objects.holding_for(request.user).filter(pk__in=[row[0] for row in near])
    held = set(holding.values_list("pk", flat=True))
    nearest = [row for row in near if row[0] in held][:NEAREST]
    cited = _cited([turn for *_rest, turn in nearest])
    kept = [
        Kept(pk, question, similarity, cited[turn])
        for pk, question, similarity, turn in nearest
        if cited.get(turn)
    ]
    found = [each.node for each in passages]
    threshold = settings.ACERVO_ANSWER_CACHE_SIMILARITY / 100
    return chosen_of(request.question, kept, found, threshold=threshold)


def _cited(turns: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[uuid.UUID, ...]]:
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    rows = Turn.objects.filter(pk__in=turns).values_list("pk", "citations__cited_id")
    for turn, node in rows.order_by("citations__index"):
        if node is not None:
            found.setdefault(turn, []).append(node)
    return {turn: tuple(dict.fromkeys(nodes)) for turn, nodes in found.items()}


def _hit(outcome: CacheOutcome, answer: CachedAnswer, found: dict[str, Any]) -> Lookup:
    metrics.answer_cache.labels(outcome, "").inc()
    first = {"entry": str(answer.pk), "turn": str(answer.turn_id)}
    return Lookup(outcome, answer, {**first, **found})


def _missed(key: Key, request: TurnRequest, choice: Choice) -> Lookup:
    outcome = "near miss" if choice.reason and choice.reason != "sampled" else "miss"
    metrics.answer_cache.labels(outcome, choice.reason).inc()
    trace: dict[str, Any] = {}
    if choice.near is not None:
        trace["near"] = {
            "question": choice.near.question,
            "similarity": round(choice.near.similarity, 4),
        }
    if choice.reason:
        trace["reason"] = choice.reason
    if not request.history:
        trace["keep"] = {
            "question": normalised(request.question),
            "scope": key.scope,
            "spaces": [str(pk) for pk in key.spaces],
            "key": key.exact,
            "variant": key.variant,
            "revision": key.revision,
            "until": key.changes_at.isoformat() if key.changes_at else None,
        }
    return Lookup(CacheOutcome.MISS, None, trace)
