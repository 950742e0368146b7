"""How common words are: what weighs the words of a query, kept as sums of differences.

A swap appends what it changed, so that two imports never wait for each other; `statistics_fold`
makes one row of the rows of a word. Below the numbers of words are those of what is counted for
all words together.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import connection, transaction

from knowledge.analysis import ANALYSIS_VERSION, analysed_as
from knowledge.binary import sequence_unpack, sparse_pack
from knowledge.models import Chunk, Space
from knowledge.planning import planner_tell
from knowledge.stemming import OTHER
from knowledge.weights import passage_weights, word_counts
from project.database.prepared import prepared_rows
from project.locks import try_lock

log = structlog.get_logger(__name__)

ALL_PASSAGES = -1
_COUNTED = (
    "en pt other es fr de it nl ca ro sv da no fi hu tr ru sr el ar hi ne ta id hy lt et eu ga yi"
    " pl cs fa eo"
)
LANGUAGES = {-2 - place: language for place, language in enumerate(_COUNTED.split())}
"""What a passage is counted for, by the number of its row. Numbers never change: append to them."""
FORMER = ("en", "pt", OTHER)
"""What version 1 of the analysis told apart."""
DRIFT = 0.1
TYPICAL_LENGTH = 90.0
"""Weighted words of a passage, before a space has enough of its own to tell."""
TYPICAL_PASSAGES = 20
REWEIGH_BATCH = 500

_BY_LANGUAGE = {language: number for number, language in LANGUAGES.items()}


@dataclass(slots=True)
class Difference:
    """What a change adds to, or takes from, the statistics of one space."""

    passages: Counter[int] = field(default_factory=Counter)
    words: int = 0

    def count(
        self,
        keys: Iterable[int],
        length: float,
        language: str,
        sign: int = 1,
        *,
        analysis: int = ANALYSIS_VERSION,
    ) -> None:
        """Count a passage in (`sign` 1) or out (-1); `keys` are its different words."""
        for key in keys:
            self.passages[key] += sign
        self.passages[ALL_PASSAGES] += sign
        self.passages[_BY_LANGUAGE[spoken_in(language, analysis)]] += sign
        self.words += sign * round(length)


@dataclass(frozen=True, slots=True)
class Totals:
    """Statistics of some spaces together; `passages_with` has the words that were asked for."""

    passages: int
    words: int
    languages: frozenset[str]
    passages_with: dict[int, int]

    def plus(self, difference: Difference) -> Totals:
        """Return the totals, without those of single words, after a difference."""
        passages = self.passages + difference.passages[ALL_PASSAGES]
        return Totals(passages, self.words + difference.words, self.languages, {})


def spoken_in(language: str, analysis: int = ANALYSIS_VERSION) -> str:
    """Return the language that a passage counts for: one with a stemmer, or ``other``.

    Version 1 of the analysis only folded what was neither English nor Portuguese: ``other``.
    """
    spoken = analysed_as(language)
    return spoken if analysis > 1 or spoken in FORMER else OTHER


def difference_append(space_id: uuid.UUID, difference: Difference) -> None:
    """Add a difference to a space, in the caller's transaction."""
    rows = [(key, count) for key, count in difference.passages.items() if count]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO knowledge_termstatistic (space_id, term, passages, tokens)
            SELECT %s, term, passages, CASE WHEN term = %s THEN %s ELSE 0 END
            FROM unnest(%s::bigint[], %s::int[]) AS changed (term, passages)
            """,
            [
                space_id,
                ALL_PASSAGES,
                difference.words,
                [key for key, _count in rows],
                [count for _key, count in rows],
            ],
        )


def totals(space_ids: Sequence[uuid.UUID], keys: Iterable[int] = ()) -> Totals:
    """Return the statistics of the spaces together, and of the words asked for."""
    wanted = [ALL_PASSAGES, *LANGUAGES, *keys]
    rows = prepared_rows(
        "SELECT term, sum(passages)::bigint, sum(tokens)::bigint FROM knowledge_termstatistic "
        "WHERE space_id = ANY(%s) AND term = ANY(%s::bigint[]) GROUP BY term",
        [list(space_ids), _array(wanted)],
    )
    found = {term: (passages, words) for term, passages, words in rows}
    passages, words = found.pop(ALL_PASSAGES, (0, 0))
    languages = {name for key, name in LANGUAGES.items() if found.pop(key, (0, 0))[0] > 0}
    return Totals(
        passages,
        words,
        frozenset(languages),
        {key: count for key, (count, _words) in found.items() if count > 0},
    )


def _array(numbers: Iterable[int]) -> str:
    """Return an array as text: many times quicker than a list that is adapted item by item."""
    return f"{{{','.join(map(str, numbers))}}}"


def mean_length(counted: Totals) -> float:
    """Return the mean length of passages, leaning on a typical one while there are few."""
    typical = TYPICAL_LENGTH * TYPICAL_PASSAGES
    return (typical + counted.words) / (TYPICAL_PASSAGES + counted.passages)


def statistics_fold() -> int:
    """Fold the rows of each word into one, and reweigh spaces whose passages changed in length.

    Safe to run anywhere at any time; returns the number of rows it did away with.
    """
    with try_lock("knowledge.statistics_fold") as held:
        if not held:
            return 0
        gone = sum(_fold(space_id) for space_id in Space.objects.values_list("pk", flat=True))
        if gone:
            planner_tell()
        for space in Space.objects.filter(average_tokens__isnull=False):
            length = mean_length(totals([space.pk]))
            if abs(length - (space.average_tokens or length)) > DRIFT * length:
                space_reweigh(space.pk, length)
    return gone


def _fold(space_id: uuid.UUID) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH gone AS (
                DELETE FROM knowledge_termstatistic WHERE space_id = %s AND term IN (
                    SELECT term FROM knowledge_termstatistic WHERE space_id = %s
                    GROUP BY term HAVING count(*) > 1 OR sum(passages) = 0
                ) RETURNING term, passages, tokens
            ), kept AS (
                INSERT INTO knowledge_termstatistic (space_id, term, passages, tokens)
                SELECT %s, term, sum(passages), sum(tokens) FROM gone
                GROUP BY term HAVING sum(passages) <> 0
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM kept)
            """,
            [space_id, space_id, space_id],
        )
        return int(cursor.fetchone()[0])


def space_reweigh(space_id: uuid.UUID, average: float) -> None:
    """Give every passage of a space the word weights that belong to a new mean length.

    New passages are weighed with it from now on; the old ones follow in batches. In between both
    kinds are there, which moves scores by less than the drift that called for it.
    """
    Space.objects.filter(pk=space_id).update(average_tokens=average)
    last = uuid.UUID(int=0)
    while True:
        batch = list(
            Chunk.objects.filter(space=space_id, pk__gt=last)
            .order_by("pk")
            .values_list("pk", "sequence")[:REWEIGH_BATCH]
        )
        if not batch:
            break
        last = batch[-1][0]
        _weights_store(
            [
                (
                    pk,
                    sparse_pack(
                        passage_weights(word_counts(sequence_unpack(bytes(packed))), average)
                    ),
                )
                for pk, packed in batch
            ]
        )
    log.info("space_reweighed", space=str(space_id), average=round(average, 1))


def _weights_store(rows: list[tuple[uuid.UUID, bytes]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE new_weights (id uuid, terms sparsevec)")
        with cursor.copy("COPY new_weights FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid", "bytea"])
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            """
            UPDATE knowledge_chunk SET terms = new_weights.terms
            FROM new_weights WHERE knowledge_chunk.id = new_weights.id
            """
        )
        cursor.execute("DROP TABLE new_weights")
