"""The ways of making vectors, behind one small protocol.

A backend gets texts and returns raw rows; `embeddings` checks, normalises, caches and accounts.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from project.inference import breaker, clients, failures, hashing, minilm
from project.inference.choices import Backend, Outcome
from project.inference.models import ModelEndpoint
from project.inference.sealing import SealBroken
from project.inference.types import EmbeddingModel, EmbeddingPurpose, EmbeddingUnavailable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

logger = structlog.get_logger(__name__)

REMOTE_BATCH = 64
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Embedded:
    """Raw vectors (n, d), and the tokens the server counted (None when nobody counted)."""

    vectors: Vectors
    prompt_tokens: int | None = None


class EmbeddingBackend(Protocol):
    """Makes vectors of texts. Raises EmbeddingUnavailable."""

    @property
    def endpoint(self) -> ModelEndpoint | None: ...

    def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> Embedded: ...


def backend_for(model: EmbeddingModel) -> EmbeddingBackend:
    """Return the backend of a model. Raises EmbeddingUnavailable when its endpoint is gone."""
    if model.backend == Backend.BUILTIN:
        return BuiltinBackend()
    if model.backend == Backend.HASHING:
        return HashingBackend()
    endpoint = None
    if model.endpoint_id:
        endpoint = ModelEndpoint.objects.active().embedding().filter(pk=model.endpoint_id).first()
    if endpoint is None:
        raise EmbeddingUnavailable(
            "not_configured", _("The embedding model is not set up any more.")
        )
    if not connection.in_atomic_block:
        connection.close()  # back to the pool: the call may take long
    remote = model.backend == Backend.OPENAI
    return OpenAIBackend(endpoint) if remote else FastembedBackend(endpoint)


class BuiltinBackend:
    """all-MiniLM-L6-v2 in this process."""

    endpoint = None

    def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> Embedded:
        try:
            return Embedded(minilm.encode(texts))
        except minilm.MiniLMUnavailable as error:
            message = _("The built-in embedding model cannot run: %(reason)s.") % {"reason": error}
            raise EmbeddingUnavailable("not_installed", message) from error


class HashingBackend:
    """Feature hashing: always there."""

    endpoint = None

    def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> Embedded:
        return Embedded(hashing.encode(texts))


class FastembedBackend:
    """Any model that the optional package fastembed knows, in this process."""

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self.endpoint = endpoint

    def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> Embedded:
        import numpy as np

        name = self.endpoint.model_name
        model = _fastembed_model(name)
        prefix = _prefix(self.endpoint, purpose)
        try:
            rows = list(model.embed([prefix + text for text in texts], batch_size=16))
        except Exception as error:
            logger.warning("fastembed_failed", model=name, error=repr(error)[:200])
            raise EmbeddingUnavailable("error", _("The embedding model failed.")) from error
        return Embedded(np.asarray(rows, dtype=np.float32))


@functools.lru_cache(maxsize=2)
def _fastembed_model(name: str) -> Any:
    try:
        from fastembed import TextEmbedding
    except ImportError as error:
        message = str(_("The package fastembed is not installed (pip install fastembed)."))
        raise EmbeddingUnavailable("not_installed", message) from error
    try:
        return TextEmbedding(
            name,
            cache_dir=str(settings.ACERVO_DATA / "models" / "fastembed"),
            threads=settings.ACERVO_EMBED_THREADS,
            enable_cpu_mem_arena=False,
        )
    except Exception as error:
        logger.warning("fastembed_not_loaded", model=name, error=repr(error)[:200])
        message = _("The embedding model %(name)s cannot be loaded or downloaded.") % {"name": name}
        raise EmbeddingUnavailable("not_installed", message) from error


class OpenAIBackend:
    """Any server that speaks OpenAI's `/embeddings`."""

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self.endpoint = endpoint

    def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> Embedded:
        import numpy as np

        prefix = _prefix(self.endpoint, purpose)
        rows: list[Vectors] = []
        tokens: int | None = 0
        for start in range(0, len(texts), REMOTE_BATCH):
            # An empty text is an error for most servers.
            batch = [(prefix + text).strip() or "." for text in texts[start : start + REMOTE_BATCH]]
            vectors, counted = self._embed_batch(batch)
            rows.append(vectors)
            tokens = None if tokens is None or counted is None else tokens + counted
        if len({each.shape[1] for each in rows}) > 1:
            raise EmbeddingUnavailable(Outcome.MALFORMED, failures.MALFORMED.message)
        return Embedded(np.concatenate(rows), tokens)

    def _embed_batch(self, batch: list[str]) -> tuple[Vectors, int | None]:
        """Call the server, up to three times while that may help and the breaker allows it."""
        guard = breaker.for_endpoint(self.endpoint)
        for attempt in range(1, ATTEMPTS + 1):
            permit = guard.acquire()
            if not permit.allowed:
                raise EmbeddingUnavailable(
                    Outcome.BREAKER_OPEN, _("The embedding model is resting after failures.")
                )
            try:
                answer = self._call(batch)
            except EmbeddingUnavailable:
                guard.release(permit)
                raise
            except Exception as error:
                failure = failures.classify(error)
                guard.record(permit, ok=not failure.is_fault)
                if not failure.retryable or attempt == ATTEMPTS:
                    raise EmbeddingUnavailable(failure.outcome, failure.message) from error
                time.sleep(failures.backoff_seconds(attempt, failure.retry_after))
            except BaseException:
                guard.release(permit)
                raise
            else:
                guard.record(permit, ok=True)
                return answer
        raise AssertionError  # the last attempt returns or raises

    def _call(self, batch: list[str]) -> tuple[Vectors, int | None]:
        import numpy as np

        try:
            client = clients.sync_client(self.endpoint)
        except SealBroken as error:
            raise EmbeddingUnavailable(Outcome.ERROR, failures.SEALED.message) from error
        answer = client.embeddings.create(
            model=self.endpoint.model_name, input=batch, encoding_format="float"
        )
        rows = sorted(answer.data, key=lambda row: row.index)
        # The client checks nothing; what is no table of numbers is a ValueError or TypeError here.
        vectors = np.asarray([row.embedding for row in rows], dtype=np.float32)
        if [row.index for row in rows] != list(range(len(batch))) or vectors.ndim != 2:
            raise ValueError("not one vector a text")
        counted = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
        return vectors, counted if isinstance(counted, int) else None


def _prefix(endpoint: ModelEndpoint, purpose: EmbeddingPurpose) -> str:
    return endpoint.query_prefix if purpose == "query" else endpoint.document_prefix
