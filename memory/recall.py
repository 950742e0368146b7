"""Recall: what happened that bears on a question.

1. The scope is one person's episodes, cut by session, subject and time, in the SQL itself.
2. Two legs over it: exact BM25 on words (document frequencies counted inside the scope, so that
   nobody's memory shows in anybody's scores) and cosine similarity of vectors, scanned exactly.
3. Fusion and bounded boosts: `memory.ranking`.
"""

import datetime
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection
from django.db.models import F
from django.utils import timezone

from knowledge.analysis import former_words, term_counts, term_key
from knowledge.binary import sparse_text, vector_text
from knowledge.retrieval import spaces_gate
from knowledge.weights import rarity
from memory import ranking
from memory.models import Episode
from memory.types import Recollection
from project.accounts.models import User
from project.database.prepared import prepared_rows
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

log = structlog.get_logger(__name__)
CANDIDATES = 100
MIN_SIMILARITY = 0.2


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """What to recall; times bound when it happened, inclusive."""

    query: str
    limit: int = 10
    subject: str = ""
    session: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    excluded_session: str | None = None
    is_readable: bool = False
    """Only what was said in spaces that the person may still read, or in none."""


def recall(request: RecallQuery, *, user: User) -> list[Recollection]:
    """Return the episodes of `user` that bear on the question, best first.

    Without an embedding model the words alone decide. Recalled episodes note that they were.
    """
    total = _episodes_in_scope(request, user)
    if not total:  # as in everybody's first conversation
        return []
    keyword = _keyword_leg(request, user, total)
    vector, key = _vector_leg(request, user)
    relevance = ranking.fuse(vector, keyword, vector_weight=_vector_weight(vector, keyword))
    now = timezone.now()
    found = []
    for row in Episode.objects.visible_to(user).filter(pk__in=relevance):
        recent = ranking.recency(row.occurred_at, now)
        score = ranking.boosted(relevance[row.pk], recent=recent, important=row.importance)
        signals: dict[str, Any] = {
            "relevance": round(relevance[row.pk], 4),
            "keyword": round(keyword.get(row.pk, 0.0), 4),
            "vector": round(vector.get(row.pk, 0.0), 4),
            "recency": round(recent, 4),
            "importance": row.importance,
            "model": key,
        }
        found.append(
            Recollection(
                "episode",
                row.pk,
                row.external_id,
                row.content,
                row.session,
                row.occurred_at,
                round(score, 4),
                signals,
            )
        )
    found.sort(key=lambda each: (-each.score, each.occurred_at, each.id))
    best = found[: request.limit]
    Episode.objects.filter(pk__in=[each.id for each in best]).update(
        recalled_count=F("recalled_count") + 1, last_recalled_at=now
    )
    return best


def _vector_weight(vector: dict[uuid.UUID, float], keyword: dict[uuid.UUID, float]) -> float:
    return ranking.VECTOR_WEIGHT if vector and keyword else 1.0


def _scope(request: RecallQuery, user: User) -> tuple[str, list[Any]]:
    """Return the condition that every leg has, and its parameters."""
    parts, values = ["user_id = %s", "subject = %s"], [user.pk, request.subject]
    optional: tuple[tuple[str, Any], ...] = (
        ("session = %s", request.session),
        ("session <> %s", request.excluded_session),
        ("occurred_at >= %s", request.since),
        ("occurred_at <= %s", request.until),
    )
    for condition, value in optional:
        if value is not None:
            parts.append(condition)
            values.append(value)
    if request.is_readable:
        spaces, permitting = spaces_gate(user)
        parts.append(f"(space_id IS NULL OR space_id IN ({spaces}))")
        values += permitting
    return " AND ".join(parts), values


def _episodes_in_scope(request: RecallQuery, user: User) -> int:
    where, values = _scope(request, user)
    [(count,)] = prepared_rows(f"SELECT count(*) FROM memory_episode WHERE {where}", values)
    return int(count)


def _keyword_leg(request: RecallQuery, user: User, total: int) -> dict[uuid.UUID, float]:
    # Episodes were analysed each in its own language, and a short question seldom shows its own.
    counts = term_counts(request.query, "en") | term_counts(request.query, "pt-br")
    counts = counts or term_counts(request.query, "other")
    if not request.query.isascii():  # as episodes of before were analysed
        counts |= Counter(former_words(request.query))
    if not counts:
        return {}
    terms = sorted(counts)
    lexemes = ["'" + term.replace("\\", "\\\\").replace("'", "''") + "'" for term in terms]
    where, values = _scope(request, user)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT each.number, count(*) FROM memory_episode,"
            " unnest(%s::tsquery[]) WITH ORDINALITY AS each(word, number)"
            f" WHERE search @@ each.word AND {where} GROUP BY each.number",
            [lexemes, *values],
        )
        weights = {
            term_key(terms[number - 1]): counts[terms[number - 1]] * rarity(frequency, total)
            for number, frequency in cursor.fetchall()
        }
        if not weights:
            return {}
        question = sparse_text(weights)
        cursor.execute(
            "SELECT id, -(terms <#> %s::sparsevec) AS score FROM memory_episode"
            f" WHERE search @@ %s::tsquery AND {where}"
            " ORDER BY score DESC, id LIMIT %s",
            [question, " | ".join(lexemes), *values, CANDIDATES],
        )
        return dict(cursor.fetchall())


def _vector_leg(request: RecallQuery, user: User) -> tuple[dict[uuid.UUID, float], str]:
    model = default_model()
    try:
        query = embed_texts(model, [request.query], purpose="query")[0]
    except EmbeddingUnavailable as error:
        log.warning("recall_without_vectors", reason=error.reason)
        return {}, ""
    where, values = _scope(request, user)
    with connection.cursor() as cursor:
        # Materialised first: rows of another model have vectors of another length.
        cursor.execute(
            "WITH mine AS MATERIALIZED (SELECT id, embedding FROM memory_episode"
            f" WHERE embedding_model = %s AND embedding IS NOT NULL AND {where})"
            " SELECT id, 1 - (embedding <=> %s::vector) AS score FROM mine"
            " ORDER BY score DESC, id LIMIT %s",
            [model.key, *values, vector_text(query), CANDIDATES],
        )
        rows = dict(cursor.fetchall())
    return {key: score for key, score in rows.items() if score >= MIN_SIMILARITY}, model.key
