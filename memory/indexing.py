"""What of an episode is searched: its words and its vector.

The indexed text is more than the content: it begins with the date and ends with the episode
before it in the same session, since "yes, the blue one" means nothing alone.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from django.db import connection, transaction

from knowledge.analysis import term_counts, term_key
from knowledge.binary import sparse_text
from knowledge.languages import detect_language
from knowledge.weights import passage_weights
from memory.models import Episode
from project.aio import release_connections
from project.database.rows import insert_into, stored
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


def episodes_insert(episodes: Sequence[Episode]) -> None:
    """Store new episodes with their words, so that they are found before their vectors are there.

    Raises IntegrityError, as `bulk_create` does.
    """
    for episode in episodes:
        counts: Counter[str] = term_counts(episode.indexed_text, episode.language)
        episode.search = _tsvector_text(counts)
        episode.terms = sparse_text(document_weights(counts)) if counts else None
    insert = insert_into(Episode)
    with connection.cursor() as cursor:
        for batch in insert.json_of_new(episodes):
            cursor.execute(insert.statement_of_many, [batch])
    for episode in episodes:
        stored(episode)


def _tsvector_text(lexemes: Iterable[str]) -> str:
    """Return the text form of a `tsvector` of different lexemes without positions."""
    quoted = (each.replace("\\", "\\\\").replace("'", "''") for each in lexemes)
    return " ".join(f"'{each}'" for each in quoted)


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
