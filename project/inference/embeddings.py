"""Vectors of texts, from whichever model an index was built with.

All functions are synchronous: Celery tasks call them as they are, asynchronous code through
`project.aio.in_thread`.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from project.inference import documents, hashing, metrics, minilm
from project.inference.choices import Backend, CallKind, Outcome
from project.inference.embedding_backends import Embedded, EmbeddingBackend, backend_for
from project.inference.models import ModelEndpoint
from project.inference.types import (
    EmbeddingModel,
    EmbeddingPurpose,
    EmbeddingUnavailable,
    TokenUsage,
    UsageContext,
)
from project.inference.usage import estimate_tokens, usage_row, usage_store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "BUILTIN",
    "HASHING",
    "EmbeddingModel",
    "EmbeddingUnavailable",
    "default_model",
    "embed_texts",
    "forget_cached_queries",
    "model_for_endpoint",
    "model_for_key",
    "warm_up",
]

BUILTIN = EmbeddingModel(minilm.KEY, minilm.DIMENSIONS, frozenset({"en"}), Backend.BUILTIN)
HASHING = EmbeddingModel(hashing.KEY, hashing.DIMENSIONS, None, Backend.HASHING)
CACHED_QUERIES = 512

_cache: OrderedDict[tuple[str, UUID | None, str], npt.NDArray[np.float32]] = OrderedDict()
_cache_lock = threading.Lock()


def default_model() -> EmbeddingModel:
    """Return the model new indexes start with: the built-in one, or hashing where it cannot run.

    Loads nothing; a system check says when and why it is hashing.
    """
    if settings.ACERVO_EMBEDDING == "hashing" or minilm.missing():
        return HASHING
    return BUILTIN


def model_for_endpoint(endpoint: ModelEndpoint) -> EmbeddingModel:
    """Return the model behind an endpoint. Raises EmbeddingUnavailable when it is not one."""
    if endpoint.backend == Backend.BUILTIN:
        return BUILTIN
    if endpoint.backend == Backend.HASHING:
        return HASHING
    if not endpoint.dimensions:
        message = _("The endpoint %(name)s does not say how long its vectors are.") % {
            "name": endpoint
        }
        raise EmbeddingUnavailable("not_configured", message)
    return EmbeddingModel(
        key=f"{endpoint.backend}:{endpoint.model_name}:{endpoint.dimensions}",
        dimensions=endpoint.dimensions,
        languages=frozenset(endpoint.languages) or None,
        backend=endpoint.backend,
        endpoint_id=endpoint.pk,
    )


def model_for_key(key: str, endpoint_id: UUID | None = None) -> EmbeddingModel:
    """Return the model an index remembers. Raises EmbeddingUnavailable when it is gone."""
    for known in (BUILTIN, HASHING):
        if known.key == key:
            return known
    endpoint = ModelEndpoint.objects.filter(pk=endpoint_id).first() if endpoint_id else None
    model = model_for_endpoint(endpoint) if endpoint else None
    if model is None or model.key != key:
        message = _("The embedding model %(key)s is not set up.") % {"key": key}
        raise EmbeddingUnavailable("not_configured", message)
    return model


def embed_texts(
    model: EmbeddingModel,
    texts: Sequence[str],
    *,
    purpose: EmbeddingPurpose,
    usage: UsageContext | None = None,
    subjects: Sequence[UUID] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Return one unit vector a text: float32 (n, model.dimensions).

    Queries are answered from a small cache of this process where possible. Documents are looked up
    in `vector_cache`, and kept there, where `subjects` names what each text belongs to: whoever
    erases a subject forgets its vectors. `progress` is told how many documents are done, and of
    how many. With `usage` a call of a model leaves a usage row; without, only metrics. Raises
    EmbeddingUnavailable.
    """
    import numpy as np

    if purpose == "document":
        clean = _cleaned(texts)
        if subjects is None:
            return _embed(model, clean, purpose, usage)
        return documents.documents_embed(
            model,
            clean,
            subjects,
            lambda batch: _embed(model, batch, purpose, usage),
            progress,
        )
    vectors = np.empty((len(texts), model.dimensions), dtype=np.float32)
    missing = []
    for row, text in enumerate(texts):
        cached = _cached(model, text)
        if cached is None:
            missing.append(row)
        else:
            vectors[row] = cached
    metrics.embedded_texts.labels(model.key, purpose, "yes").inc(len(texts) - len(missing))
    if missing:
        asked = _cleaned([texts[row] for row in missing])
        vectors[missing] = _embed(model, asked, purpose, usage)
        for row in missing:
            _keep(model, texts[row], vectors[row].copy())
    return vectors


def warm_up() -> None:
    """Load the default model, building its file if need be, so that no search has to wait for it.

    Raises EmbeddingUnavailable.
    """
    embed_texts(default_model(), ["ready"], purpose="document")


def forget_cached_queries() -> None:
    """Empty this process's cache of query vectors."""
    with _cache_lock:
        _cache.clear()


def _cleaned(texts: Sequence[str]) -> list[str]:
    """Postgres refuses NUL, tokenizers refuse lone surrogates: neither may stop an index."""
    return [text.replace("\0", " ").encode("utf-8", "replace").decode() for text in texts]


def _embed(
    model: EmbeddingModel,
    texts: Sequence[str],
    purpose: EmbeddingPurpose,
    usage: UsageContext | None,
) -> npt.NDArray[np.float32]:
    import numpy as np

    if not texts:
        return np.empty((0, model.dimensions), dtype=np.float32)
    backend = backend_for(model)
    started = time.monotonic()
    try:
        embedded = backend.embed(texts, purpose)
        vectors = _checked(model, embedded, len(texts))
    except EmbeddingUnavailable as error:
        _account(model, backend, usage, started, texts, None, error)
        raise
    _account(model, backend, usage, started, texts, embedded, None)
    metrics.embedded_texts.labels(model.key, purpose, "no").inc(len(texts))
    return vectors


def _checked(model: EmbeddingModel, embedded: Embedded, count: int) -> npt.NDArray[np.float32]:
    import numpy as np

    vectors = embedded.vectors
    if vectors.shape != (count, model.dimensions):
        got = vectors.shape[-1] if vectors.ndim == 2 else 0
        numbers = {"got": got, "wanted": model.dimensions}
        message = (
            _("The embedding model gave vectors of %(got)d numbers, not %(wanted)d.") % numbers
        )
        raise EmbeddingUnavailable("dimensions", message)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise EmbeddingUnavailable(Outcome.MALFORMED, _("The embedding model gave empty vectors."))
    return cast("npt.NDArray[np.float32]", (vectors / lengths).astype(np.float32, copy=False))


def _account(
    model: EmbeddingModel,
    backend: EmbeddingBackend,
    usage: UsageContext | None,
    started: float,
    texts: Sequence[str],
    embedded: Embedded | None,
    error: EmbeddingUnavailable | None,
) -> None:
    counted = embedded.prompt_tokens if embedded else None
    prompt_tokens = 0 if error else (estimate_tokens(*texts) if counted is None else counted)
    endpoint = backend.endpoint
    row = usage_row(
        context=usage or UsageContext("query"),
        kind=CallKind.EMBEDDING,
        model=endpoint.model_name if endpoint else model.key,
        outcome=_outcome(error),
        latency_ms=int((time.monotonic() - started) * 1000),
        endpoint=endpoint,
        tokens=TokenUsage(
            prompt_tokens,
            cost=endpoint.cost_of(prompt_tokens, 0) if endpoint else TokenUsage().cost,
            estimated=counted is None,
        ),
        error=error.message if error else "",
    )
    # A row for each search would cost more than the search; a call that costs money has one.
    if usage or (endpoint and endpoint.input_price):
        usage_store([row])


def _outcome(error: EmbeddingUnavailable | None) -> str:
    if error is None:
        return Outcome.OK
    return error.reason if error.reason in Outcome.values else Outcome.ERROR


def _cached(model: EmbeddingModel, text: str) -> npt.NDArray[np.float32] | None:
    key = (model.key, model.endpoint_id, text)
    with _cache_lock:
        vector = _cache.get(key)
        if vector is not None:
            _cache.move_to_end(key)
        return vector


def _keep(model: EmbeddingModel, text: str, vector: npt.NDArray[np.float32]) -> None:
    with _cache_lock:
        _cache[model.key, model.endpoint_id, text] = vector
        if len(_cache) > CACHED_QUERIES:
            _cache.popitem(last=False)
