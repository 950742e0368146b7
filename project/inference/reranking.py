"""Scores of texts for a question from a model that reads both together.

Servers speak one of two dialects at ``{base URL}/rerank``. Cohere, Jina, vLLM, Infinity and others
take `model`, `query`, `documents` and answer ``{"results": [{"index", "relevance_score"}]}``;
text-embeddings-inference takes `query`, `texts` and answers ``[{"index", "score"}]``. The first is
tried first, the other where a server refuses its form; what works is remembered.
"""

from __future__ import annotations

import functools
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from project.inference import breaker, failures, metrics
from project.inference.choices import Backend, CallKind, Outcome, Purpose
from project.inference.failures import Failure
from project.inference.models import ModelEndpoint
from project.inference.sealing import SealBroken
from project.inference.types import InferenceError

if TYPE_CHECKING:
    import httpx2

logger = structlog.get_logger(__name__)

MOST_CHARACTERS = 4000  # of a text: models read some hundreds of words
MOST_BYTES = 2_000_000  # of an answer
WRONG_FORM = frozenset({400, 404, 415, 422})

_texts_form: dict[UUID, bool] = {}
_client_lock = threading.Lock()
_client: httpx2.Client | None = None


class RerankUnavailable(InferenceError):
    """The reranking model could not do its work."""


class _Refused(Exception):
    """A status that is none of success."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def rerank_scores(
    endpoint_id: UUID, query: str, texts: Sequence[str], *, seconds: float
) -> list[float]:
    """Return a score from 0 to 1 for each text: how well it answers the question.

    The call ends within `seconds`, whatever the server does. Scores beyond 0 and 1 are taken for
    logits. Raises RerankUnavailable.
    """
    endpoint = ModelEndpoint.objects.filter(
        pk=endpoint_id, purpose=Purpose.RERANK, is_active=True
    ).first()
    if endpoint is None:
        raise RerankUnavailable("gone", _("There is no such reranking model any more."))
    if not connection.in_atomic_block:
        connection.close()  # back to the pool while the model works
    short = [text[:MOST_CHARACTERS] or " " for text in texts]
    guard = breaker.for_endpoint(endpoint)
    permit = guard.acquire()
    if not permit.allowed:
        _count(endpoint, Outcome.BREAKER_OPEN, 0.0)
        raise RerankUnavailable(
            Outcome.BREAKER_OPEN, _("The reranking model is resting after failures.")
        )
    started = time.monotonic()
    try:
        scores = _scored(endpoint, query, short, started + seconds)
    except Exception as error:
        failure = _failure_of(error)
        guard.record(permit, ok=not failure.is_fault)
        _count(endpoint, failure.outcome, time.monotonic() - started)
        logger.warning("rerank_failed", endpoint=endpoint.name, outcome=str(failure.outcome))
        raise RerankUnavailable(failure.outcome, failure.message) from error
    except BaseException:
        guard.release(permit)
        raise
    guard.record(permit, ok=True)
    _count(endpoint, Outcome.OK, time.monotonic() - started)
    return scores


def _scored(endpoint: ModelEndpoint, query: str, texts: list[str], deadline: float) -> list[float]:
    if endpoint.backend == Backend.FASTEMBED:
        raw = list(_cross_encoder(endpoint.model_name).rerank(query, texts))
        return _as_shares([float(score) for score in raw])
    forms: list[Callable[[], dict[str, Any]]] = [
        lambda: {"model": endpoint.model_name, "query": query, "documents": texts},
        lambda: {"query": query, "texts": texts, "truncate": True},
    ]
    first = _texts_form.get(endpoint.pk, False)
    order = [first] if endpoint.pk in _texts_form else [False, True]
    for place, is_texts in enumerate(order):
        try:
            answer = _posted(endpoint, forms[is_texts](), deadline)
        except _Refused as error:
            if error.status in WRONG_FORM and place + 1 < len(order):
                continue
            _texts_form.pop(endpoint.pk, None)  # another server may stand there by now
            raise
        scores = _read(answer, len(texts))
        _texts_form[endpoint.pk] = is_texts
        return scores
    raise AssertionError  # the last form returns or raises


def _posted(endpoint: ModelEndpoint, body: dict[str, Any], deadline: float) -> Any:
    """Return the JSON that the server answers, within the deadline and a bounded size."""
    import httpx2

    headers = {"Accept": "application/json"}
    if key := endpoint.api_key:
        headers["Authorization"] = f"Bearer {key}"
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpx2.ReadTimeout("no time left")
    timeout = httpx2.Timeout(left, connect=min(left, endpoint.connect_timeout))
    address = f"{endpoint.base_url.rstrip('/')}/rerank"
    received = bytearray()
    with _http().stream("POST", address, json=body, headers=headers, timeout=timeout) as answer:
        for piece in answer.iter_bytes():  # as it comes: a full one may never
            received += piece
            if len(received) > MOST_BYTES:
                raise failures.OversizedAnswer
            if time.monotonic() > deadline:
                raise httpx2.ReadTimeout("too slow")
        if answer.status_code >= 300:
            raise _Refused(answer.status_code)
    return json.loads(bytes(received))


def _read(answer: Any, count: int) -> list[float]:
    """Return the scores in the order of the texts. Raises ValueError for anything else."""
    rows = answer
    if isinstance(answer, dict):
        rows = answer.get("results", answer.get("data"))
    if not isinstance(rows, list):
        raise ValueError("no list of scores")
    found: dict[int, float] = {}
    for row in rows:
        score = row.get("relevance_score", row.get("score")) if isinstance(row, dict) else None
        place = row.get("index") if isinstance(row, dict) else None
        if not isinstance(place, int) or not isinstance(score, int | float):
            raise ValueError("no score")
        if not math.isfinite(score):
            raise ValueError("no number")
        found[place] = float(score)
    if sorted(found) != list(range(count)):
        raise ValueError("not one score a text")
    return _as_shares([found[place] for place in range(count)])


def _as_shares(scores: list[float]) -> list[float]:
    if all(0.0 <= score <= 1.0 for score in scores):
        return scores
    return [1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score)))) for score in scores]


def _failure_of(error: Exception) -> Failure:
    import httpx2

    if isinstance(error, _Refused):
        return failures.from_status(error.status, None)
    if isinstance(error, SealBroken):
        return failures.SEALED
    if isinstance(error, httpx2.ConnectTimeout):
        return failures.CONNECT_TIMEOUT
    if isinstance(error, httpx2.TimeoutException):
        return failures.TOTAL_TIMEOUT
    if isinstance(error, httpx2.ConnectError):
        return failures.REFUSED
    if isinstance(error, RerankUnavailable):
        return Failure(Outcome.ERROR, error.message)
    return failures.classify(error)


def _count(endpoint: ModelEndpoint, outcome: str, seconds: float) -> None:
    metrics.observe_call(
        kind=CallKind.RERANK,
        model=endpoint.name,
        outcome=outcome,
        latency_ms=round(seconds * 1000),
        first_token_ms=None,
        prompt_tokens=0,
        completion_tokens=0,
        price=0.0,
    )


def _http() -> httpx2.Client:
    """Return this process's client; connections are kept between searches."""
    import httpx2

    global _client  # noqa: PLW0603 - one for the process
    with _client_lock:
        if _client is None:
            _client = httpx2.Client(follow_redirects=False, trust_env=False)
        return _client


@functools.lru_cache(maxsize=1)
def _cross_encoder(name: str) -> Any:
    try:
        from fastembed.rerank.cross_encoder import TextCrossEncoder
    except ImportError as error:
        message = _("The package fastembed is not installed (pip install fastembed).")
        raise RerankUnavailable("not_installed", message) from error
    return TextCrossEncoder(
        name,
        cache_dir=str(settings.ACERVO_DATA / "models" / "fastembed"),
        threads=settings.ACERVO_EMBED_THREADS,
    )
