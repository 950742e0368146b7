"""Passages of versions that are no longer served: kept, made up for, dropped.

What search serves is moved here in the very transaction that replaces or withdraws it, so that
every moment's passages are in one of the two places. The words of a public version are kept for
good, its vectors as long as its space says. Versions that were public and never indexed, because
the next one came too soon or they are older than this table, are cut later (`versions_fill`).
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection, transaction

from knowledge.analysis import ANALYSIS_VERSION
from knowledge.binary import sequence_unpack
from knowledge.chunk_rows import COLUMNS, chunk_row
from knowledge.cuttings import Cuttings
from knowledge.models import NodeVersion, Space
from knowledge.passages import IndexedPassage, passages_of
from knowledge.statistics import TYPICAL_LENGTH, spoken_in
from knowledge.vocabulary import past_terms, words_forget, words_learn
from knowledge.weights import word_counts
from project.locks import try_lock

log = structlog.get_logger(__name__)

FILL_BATCH = 100  # versions a transaction
FILL_MOST = 20_000  # versions a run

Pair = tuple[uuid.UUID, int]
"""A node and the number of a version."""

_COLUMN_NAMES = ", ".join(name for name, _kind in COLUMNS)

_NEW_ID = "md5(served.id::text || ' ' || served.version)::uuid"

_PERIODS = """
SELECT node_id, version, min(space_id::text)::uuid AS space_id,
    tstzrange(min(started_at), CASE WHEN bool_and(ended_at IS NOT NULL) THEN max(ended_at) END)
    AS period
FROM knowledge_publication WHERE node_id = ANY(%s) GROUP BY node_id, version
"""


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version whose passages are being put in place."""

    node_id: uuid.UUID
    space_id: uuid.UUID
    version: int
    passages: int
    words: int
    language: str
    analysis: int


def passages_retire(
    node_ids: Sequence[uuid.UUID], *, staying: Iterable[Pair] = (), are_relabelled: bool = False
) -> None:
    """Copy the served passages of some locked nodes to the past, before they are deleted.

    Versions of `staying` are only indexed anew, and those that were never public are not kept.
    Passages that `are_relabelled` go on to stand for the next version, under their ids.
    """
    kept = list(staying)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE knowledge_indexedversion AS held
            SET is_served = false, retired_at = now(), period = public.period
            FROM ({_PERIODS}) AS public
            WHERE held.node_id = public.node_id AND held.version = public.version
                AND held.is_served AND (held.node_id, held.version) NOT IN (
                    SELECT * FROM unnest(%s::uuid[], %s::int[])
                )
            RETURNING held.node_id
            """,
            [list(node_ids), [pair[0] for pair in kept], [pair[1] for pair in kept]],
        )
        retired = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "DELETE FROM knowledge_indexedversion WHERE is_served AND node_id = ANY(%s)",
            [list(node_ids)],
        )
    if retired:
        _copy(retired, _NEW_ID if are_relabelled else "served.id")


def _copy(node_ids: list[uuid.UUID], past_id: str) -> None:
    """Copy the passages, and the active generation's vectors where each passage has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO knowledge_pastchunk ({_COLUMN_NAMES}, period)
            SELECT {past_id}, {", ".join(f"served.{name}" for name, _kind in COLUMNS[1:])},
                held.period
            FROM knowledge_chunk AS served JOIN knowledge_indexedversion AS held
                ON held.node_id = served.node_id AND held.version = served.version
            WHERE served.node_id = ANY(%s)
            """,
            [node_ids],
        )
        cursor.execute(
            """
            UPDATE knowledge_indexedversion AS held SET model_key = vectors.model_key
            FROM (
                SELECT served.node_id, served.version, generation.model_key, count(*) AS vectors
                FROM knowledge_chunk AS served
                JOIN knowledge_embedding AS embedding ON embedding.chunk_id = served.id
                JOIN knowledge_indexgeneration AS generation
                    ON generation.id = embedding.generation_id AND generation.status = 'active'
                JOIN knowledge_space AS space ON space.id = served.space_id
                    AND space.past_vectors_days IS DISTINCT FROM 0
                WHERE served.node_id = ANY(%s)
                GROUP BY served.node_id, served.version, generation.model_key
            ) AS vectors
            WHERE held.node_id = vectors.node_id AND held.version = vectors.version
                AND held.passages = vectors.vectors
            RETURNING held.node_id
            """,
            [node_ids],
        )
        complete = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            f"""
            INSERT INTO knowledge_pastvector
                (chunk_id, node_id, version, period, model_key, vector)
            SELECT {past_id}, served.node_id, served.version, held.period,
                generation.model_key, embedding.vector::halfvec
            FROM knowledge_chunk AS served
            JOIN knowledge_indexedversion AS held
                ON held.node_id = served.node_id AND held.version = served.version
            JOIN knowledge_embedding AS embedding ON embedding.chunk_id = served.id
            JOIN knowledge_indexgeneration AS generation
                ON generation.id = embedding.generation_id AND generation.status = 'active'
            WHERE served.node_id = ANY(%s)
            """,
            [complete],
        )


def versions_serve(served: Sequence[ServedVersion]) -> None:
    """Note versions whose passages are being put in place; what the past has of them goes."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO knowledge_indexedversion
                (node_id, space_id, version, passages, words, language, analysis, is_served,
                model_key)
            SELECT *, true, '' FROM unnest(
                %s::uuid[], %s::uuid[], %s::int[], %s::int[], %s::int[], %s::text[], %s::int2[]
            )
            ON CONFLICT (node_id, version) DO UPDATE SET
                space_id = EXCLUDED.space_id, passages = EXCLUDED.passages, words = EXCLUDED.words,
                language = EXCLUDED.language, analysis = EXCLUDED.analysis, is_served = true,
                model_key = '',
                period = NULL, retired_at = NULL
            RETURNING node_id, version, xmax <> 0
            """,
            [
                [each.node_id for each in served],
                [each.space_id for each in served],
                [each.version for each in served],
                [each.passages for each in served],
                [each.words for each in served],
                [each.language for each in served],
                [each.analysis for each in served],
            ],
        )
        known = [(node, version) for node, version, was_there in cursor.fetchall() if was_there]
    if known:
        _past_delete(known)


def passages_erase(pairs: Iterable[Pair]) -> None:
    """Delete what search keeps of past versions that are being erased, in the caller's transaction.

    A version that is served has to be taken out of the index first.
    """
    erased = list(pairs)
    terms = past_terms(erased)
    _past_delete(erased)
    for space_id, gone in terms.items():
        words_forget(space_id, gone)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM knowledge_indexedversion WHERE NOT is_served AND (node_id, version) IN "
            "(SELECT * FROM unnest(%s::uuid[], %s::int[]))",
            _columns(erased),
        )


def _past_delete(pairs: Sequence[Pair]) -> None:
    with connection.cursor() as cursor:
        for table in ("pastvector", "pastchunk"):
            cursor.execute(
                f"DELETE FROM knowledge_{table} WHERE (node_id, version) IN "
                "(SELECT * FROM unnest(%s::uuid[], %s::int[]))",
                _columns(pairs),
            )


def _columns(pairs: Sequence[Pair]) -> list[Any]:
    return [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]


def vectors_drop() -> int:
    """Drop the past vectors that their spaces keep no longer; return of how many versions."""
    dropped = 0
    for space_id, days in Space.objects.filter(past_vectors_days__isnull=False).values_list(
        "pk", "past_vectors_days"
    ):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE knowledge_indexedversion SET model_key = ''
                WHERE space_id = %s AND model_key <> ''
                    AND retired_at < now() - make_interval(days => %s)
                RETURNING node_id, version
                """,
                [space_id, days],
            )
            gone = cursor.fetchall()
            cursor.execute(
                "DELETE FROM knowledge_pastvector WHERE (node_id, version) IN "
                "(SELECT * FROM unnest(%s::uuid[], %s::int[]))",
                _columns(gone),
            )
        dropped += len(gone)
    return dropped


def versions_fill() -> int:
    """Cut public versions, and those of releases, that have no passages; return how many got them.

    Also widens the period of what was published again without being indexed again. Safe to run
    anywhere at any time; what a run leaves, the next one does.
    """
    with try_lock("knowledge.versions_fill") as held:
        if not held:
            return 0
        _periods_widen()
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT node_id, version FROM (
                    SELECT node_id, version FROM knowledge_publication
                    UNION SELECT node_id, version FROM knowledge_releaseentry
                ) AS wanted
                WHERE NOT EXISTS (
                    SELECT 1 FROM knowledge_indexedversion AS held
                    WHERE held.node_id = wanted.node_id AND held.version = wanted.version
                ) AND NOT EXISTS (  -- those are indexed soon
                    SELECT 1 FROM knowledge_publication AS public
                    WHERE public.node_id = wanted.node_id AND public.version = wanted.version
                        AND public.ended_at IS NULL
                ) AND NOT EXISTS (
                    SELECT 1 FROM knowledge_nodeversion AS facts
                    WHERE facts.id = wanted.node_id AND facts.version = wanted.version
                        AND facts.erased_at IS NOT NULL
                )
                ORDER BY node_id, version LIMIT %s
                """,
                [FILL_MOST],
            )
            pairs = cursor.fetchall()
        return versions_index(pairs)


def versions_index(pairs: Iterable[Pair]) -> int:
    """Keep the passages of some versions that have none yet; return how many got them."""
    wanted, made = list(pairs), 0
    for at in range(0, len(wanted), FILL_BATCH):
        with transaction.atomic():
            made += _batch_index(versions_of(wanted[at : at + FILL_BATCH]))
    if made:
        log.info("past_versions_indexed", versions=made)
    return made


def versions_of(pairs: Iterable[Pair]) -> list[Any]:
    """Return the rows of versions, without those that were erased."""
    wanted = set(pairs)
    rows = NodeVersion.objects.filter(
        id__in={pair[0] for pair in wanted},
        version__in={pair[1] for pair in wanted},
        erased_at=None,
    ).exclude(history_type="-")
    return [row for row in rows if (row.id, row.version) in wanted]


def _batch_index(rows: Sequence[Any]) -> int:
    """Store passages of versions; whoever was quicker with one of them is left alone."""
    averages = dict(Space.objects.values_list("pk", "average_tokens"))
    cuttings = Cuttings(rows)
    cut = {
        (row.id, row.version): (row.space_id, passages_of(row, cuttings.of(row))) for row in rows
    }
    counts = {
        pair: [word_counts(sequence_unpack(each.sequence)) for each in passages]
        for pair, (_space, passages) in cut.items()
    }
    lengths = {
        pair: round(sum(sum(words.values()) for words in each)) for pair, each in counts.items()
    }
    periods = _claim(cut, lengths)
    for space_id in {space_id for space_id, _passages in cut.values()}:
        own = [cut[pair][1] for pair in periods if cut[pair][0] == space_id]
        found = (one.spellings.items() for each in own for one in each)
        words_learn(space_id, set(itertools.chain.from_iterable(found)))
    names = f"{_COLUMN_NAMES}, period"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY knowledge_pastchunk ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([*(kind for _name, kind in COLUMNS), "tstzrange"])
        for pair, period in periods.items():
            space_id, passages = cut[pair]
            average = averages.get(space_id) or TYPICAL_LENGTH
            for passage, words in zip(passages, counts[pair], strict=True):
                owner = (pair[0], space_id, pair[1])
                row = chunk_row(uuid.uuid4(), owner, passage, words, average)
                copy.write_row((*row, period))
    return len(periods)


def _claim(
    cut: dict[Pair, tuple[uuid.UUID, list[IndexedPassage]]], lengths: dict[Pair, int]
) -> dict[Pair, Any]:
    """Note versions as kept in the past; return the periods of those that nobody had noted."""
    pairs = list(cut)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO knowledge_indexedversion (node_id, version, space_id, passages, words,
                language, analysis, is_served, model_key, retired_at, period)
            SELECT new.*, %s, false, '', now(), public.period FROM unnest(
                %s::uuid[], %s::int[], %s::uuid[], %s::int[], %s::int[], %s::text[]
            ) AS new (node_id, version, space_id, passages, words, language)
            LEFT JOIN ({_PERIODS}) AS public
                ON public.node_id = new.node_id AND public.version = new.version
            ON CONFLICT (node_id, version) DO NOTHING
            RETURNING node_id, version, period
            """,
            [
                ANALYSIS_VERSION,
                *_columns(pairs),
                [cut[pair][0] for pair in pairs],
                [len(cut[pair][1]) for pair in pairs],
                [lengths[pair] for pair in pairs],
                [spoken_in(cut[pair][1][0].language) if cut[pair][1] else "" for pair in pairs],
                [pair[0] for pair in pairs],
            ],
        )
        return {(node, version): period for node, version, period in cursor.fetchall()}


def _periods_widen() -> None:
    """Let the periods of past passages span all publications of their versions."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT held.node_id, held.version FROM knowledge_indexedversion AS held
            JOIN knowledge_publication AS public
                ON public.node_id = held.node_id AND public.version = held.version
            WHERE NOT held.is_served AND NOT coalesce(
                tstzrange(public.started_at, public.ended_at) <@ held.period, false)
            """
        )
        pairs = cursor.fetchall()
        for table in ("indexedversion", "pastchunk", "pastvector"):
            cursor.execute(
                f"""
                UPDATE knowledge_{table} AS kept SET period = public.period
                FROM ({_PERIODS}) AS public
                WHERE kept.node_id = public.node_id AND kept.version = public.version
                    AND (kept.node_id, kept.version) IN
                        (SELECT * FROM unnest(%s::uuid[], %s::int[]))
                """,
                [[pair[0] for pair in pairs], *_columns(pairs)],
            )
