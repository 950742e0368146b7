"""Vectors of many texts: those that are kept, and the others by the way that their model likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection

from project.aio import release_connections
from project.inference import desk, metrics, vector_cache
from project.inference.choices import Backend
from project.inference.models import ModelEndpoint
from project.inference.types import EmbeddingModel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

BATCH = 128
"""Texts between two signs of progress, after each of which what was done is kept."""


def documents_embed(
    model: EmbeddingModel,
    texts: Sequence[str],
    subjects: Sequence[UUID],
    embed: desk.Embed,
    progress: Callable[[int, int], None] | None = None,
) -> Vectors:
    """Return one vector a text (n, model.dimensions); each different text is embedded once.

    `subjects` says what each text belongs to; `embed` calls the model; `progress` is told how many
    texts are done, and of how many. Raises what `embed` raises; what was done by then is kept.
    """
    import numpy as np

    identity = vector_cache.model_identity(model)
    digests = [vector_cache.text_digest(text) for text in texts]
    known = vector_cache.vectors_get(identity, digests) if identity else {}
    missing: dict[bytes, desk.Text] = {}
    for digest, subject, text in zip(digests, subjects, texts, strict=True):
        if digest not in known:
            missing.setdefault(digest, desk.Text(digest, subject, text))
    done = len(texts) - len(missing)
    metrics.embedded_texts.labels(model.key, "document", "yes").inc(done)
    if identity:
        vector_cache.lookups.add({"l3": done, "miss": len(missing)})
    release_connections()

    def tell(made: int) -> None:
        if progress and texts:
            progress(done + made, len(texts))

    if not missing:
        tell(0)
    elif identity and model.backend == Backend.OPENAI and not connection.in_atomic_block:
        calls = _calls_of(model)
        wanted = [*missing.values()]
        known |= desk.texts_embed(identity, wanted, embed, calls=calls, progress=tell)
    else:
        wanted = _ordered(model, [*missing.values()])
        known |= _batches_embed(identity, wanted, embed, tell)
    vectors = np.empty((len(texts), model.dimensions), dtype=np.float32)
    for row, digest in enumerate(digests):
        vectors[row] = known[digest]
    return vectors


def _calls_of(model: EmbeddingModel) -> int:
    """Return how many calls the endpoint of a model allows at once; 0 where it does not say."""
    rows = ModelEndpoint.objects.filter(pk__in=[model.endpoint_id] if model.endpoint_id else [])
    return rows.values_list("max_concurrency", flat=True).first() or 0


def _ordered(model: EmbeddingModel, texts: list[desk.Text]) -> list[desk.Text]:
    """Return texts in the order that a model in this process likes.

    fastembed pads a batch to its longest text. The built-in model reads texts one by one, so that
    no vector depends on its neighbours: for it no order is better than another.
    """
    if model.backend == Backend.FASTEMBED:
        return sorted(texts, key=lambda each: len(each.text))
    return texts


def _batches_embed(
    identity: str | None,
    texts: Sequence[desk.Text],
    embed: desk.Embed,
    tell: Callable[[int], None],
) -> dict[bytes, Vectors]:
    """Embed texts in this process; keep each batch at once."""
    made: dict[bytes, Vectors] = {}
    for at in range(0, len(texts), BATCH):
        batch = texts[at : at + BATCH]
        vectors = embed([each.text for each in batch])
        rows = [(each.digest, each.subject, vectors[row]) for row, each in enumerate(batch)]
        if identity:
            vector_cache.vectors_keep(identity, rows)
            release_connections()
        made |= {digest: vector for digest, _subject, vector in rows}
        tell(len(made))
    return made
