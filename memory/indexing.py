"""What of an episode is searched: its words and its vector.

The indexed text is more than the content: it begins with the date and ends with the episode
before it in the same session, since "yes, the blue one" means nothing alone.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence

from django.db import connection, transaction

from knowledge.analysis import term_counts, term_key
from knowledge.binary import sparse_text
from knowledge.languages import detect_language
from knowledge.weights import passage_weights
from memory.models import Episode
from project.aio import release_connections
from project.inference.embeddings import default_model, embed_texts

AVERAGE_TERMS = 40.0
CONTEXT_CHARACTERS = 600
BATCH = 64


def indexed_text(content: str, *, occurred_at: datetime.datetime, before: str) -> str:
    """Return the text that is searched in place of `content`."""
    parts = [f"{occurred_at:%d %B %Y}", content]
    if before:
        parts.append(before[-CONTEXT_CHARACTERS:])
    return "\n".join(parts)


def language_of(content: str) -> str:
    """Return the language to analyse an episode in: English, Portuguese, or ``other``.

    A short question seldom shows its own language, so recall asks in each of these.
    """
    spoken = detect_language(content, default="en")
    return spoken if spoken in {"en", "pt-br"} else "other"


def document_weights(counts: Mapping[str, int]) -> dict[int, float]:
    """Return the BM25 weight of each term of a text, by its number."""
    return passage_weights(
        {term_key(term): float(count) for term, count in counts.items()}, AVERAGE_TERMS
    )


def words_index(episodes: Sequence[Episode]) -> None:
    """Store the words of new episodes, so that they are found before their vectors are there."""
    rows = []
    for episode in episodes:
        counts: Counter[str] = term_counts(episode.indexed_text, episode.language)
        terms = sparse_text(document_weights(counts)) if counts else None
        rows.append((sorted(counts), terms, episode.pk))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE memory_episode SET search = array_to_tsvector(%s::text[]),"
            " terms = %s::sparsevec WHERE id = %s",
            rows,
        )


def episodes_embed(limit: int = 512) -> int:
    """Embed episodes that have no vector of the default model; return how many were embedded.

    No connection is held while the model works. Raises EmbeddingUnavailable.
    """
    model = default_model()
    done = 0
    while done < limit:
        rows = list(
            Episode.objects.exclude(embedding_model=model.key)
            .order_by("created_at", "id")
            .values_list("pk", "indexed_text")[:BATCH]
        )
        if not rows:
            break
        release_connections()
        vectors = embed_texts(model, [text for _pk, text in rows], purpose="document")
        with transaction.atomic():
            for (pk, _text), vector in zip(rows, vectors, strict=True):
                Episode.objects.filter(pk=pk).update(embedding=vector, embedding_model=model.key)
        done += len(rows)
    return done
