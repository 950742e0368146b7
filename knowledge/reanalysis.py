"""Bringing the words of stored passages up to the present analysis, without an outage.

Passages that an older analysis made go on to be found by its terms, since every passage says which
analysis it is of and questions ask for both. Batch by batch they get their new terms, in the
transaction that also moves their counts in the statistics. Texts, vectors and ids stay: no model is
asked, and no citation moves.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F

from knowledge.analysis import ANALYSIS_VERSION
from knowledge.binary import lexemes_pack, sequence_unpack, sparse_pack
from knowledge.cuttings import Cuttings
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import IndexedVersion, Node, Space
from knowledge.passages import IndexedPassage, passages_of, reanalysed
from knowledge.past import Pair, versions_of
from knowledge.statistics import TYPICAL_LENGTH, Difference, difference_append, spoken_in
from knowledge.vocabulary import words_learn
from knowledge.weights import passage_weights, word_counts
from project.inference.types import EmbeddingUnavailable
from project.locks import try_lock

log = structlog.get_logger(__name__)

BATCH = 50  # versions a transaction
SECONDS = 45.0
"""How long a run goes on; what it leaves, the next one does."""

_STORED = """
SELECT id, node_id, version, position, start, "end", text, heading_path, language, sequence,
    analysis
FROM {table} WHERE (node_id, version) IN (SELECT * FROM unnest(%s::uuid[], %s::int[]))
ORDER BY node_id, position FOR UPDATE
"""
_CHANGE = """
UPDATE {table} AS stored SET language = new.language, search = new.search, terms = new.terms,
    sequence = new.sequence, analysis = %s
FROM new_words AS new WHERE stored.id = new.id
"""


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that is to be analysed anew: what it says, and its passages as cut now."""

    space_id: uuid.UUID
    title: str
    language: str
    passages: dict[int, IndexedPassage]


def passages_reanalyse(*, seconds: float = SECONDS) -> int:
    """Analyse passages of an older analysis anew, for a bounded time; return of how many versions.

    Safe to run anywhere at any time.
    """
    done = 0
    with try_lock("knowledge.passages_reanalyse") as held:
        until = time.monotonic() + seconds
        while held and (not done or time.monotonic() < until):
            outdated = IndexedVersion.objects.filter(analysis__lt=ANALYSIS_VERSION)
            rows = list(
                outdated.order_by("-is_served", "pk").values_list(
                    "node_id", "version", "is_served", "analysis"
                )[:BATCH]
            )
            if not rows:
                break
            served = [(node, version) for node, version, is_served, _old in rows if is_served]
            _recut([node for node, _version, is_served, old in rows if is_served and not old])
            _batch(served, "knowledge_chunk")
            _batch([row[:2] for row in rows if not row[2]], "knowledge_pastchunk")
            done += len(rows)
    if done:
        log.info("passages_reanalysed", versions=done)
    return done


def _recut(node_ids: list[uuid.UUID]) -> None:
    """Cut nodes anew whose passages are to be other ones; with no model at hand, only analyse."""
    nodes = Node.objects.filter(pk__in=node_ids, indexed_version=F("version"))
    try:
        swap(prepare_nodes(list(nodes)))
    except EmbeddingUnavailable as error:
        log.warning("passages_not_recut", nodes=len(node_ids), reason=error.reason)


def _batch(pairs: list[Pair], table: str) -> None:
    if not pairs:
        return
    versions = _versions(pairs)
    is_served = table == "knowledge_chunk"
    with transaction.atomic():
        held = _locked(pairs, is_served=is_served)
        stored: dict[Pair, list[Any]] = {pair: [] for pair in held}
        with connection.cursor() as cursor:
            columns: list[Any] = [[pair[0] for pair in held], [pair[1] for pair in held]]
            cursor.execute(_STORED.format(table=table), columns)
            for row in cursor.fetchall():
                stored[row[1], row[2]].append(row)
        changed: dict[uuid.UUID, list[tuple[Any, IndexedPassage]]] = {}
        for pair, rows in stored.items():
            version = versions.get(pair)
            if version is None:
                continue
            new = [(row, _analysed(row, version)) for row in rows]
            changed.setdefault(version.space_id, []).extend(new)
            _note(pair, [indexed for _row, indexed in new])
        for space_id in sorted(changed):
            _space_change(space_id, changed[space_id], table)
        # What has no text to analyse any more is done with, too.
        left = IndexedVersion.objects.filter(node_id__in=[pair[0] for pair in pairs])
        for node, number in set(pairs) - versions.keys():
            left.filter(node_id=node, version=number).update(analysis=ANALYSIS_VERSION)


def _versions(pairs: list[Pair]) -> dict[Pair, _Version]:
    rows: dict[Pair, Any] = {(row.id, row.version): row for row in versions_of(pairs)}
    for node in Node.objects.filter(pk__in=[pair[0] for pair in pairs]):
        rows.setdefault((node.pk, node.version), node)
    cuttings = Cuttings(rows.values())
    return {
        pair: _Version(
            rows[pair].space_id,
            rows[pair].title,
            rows[pair].language,
            {
                each.passage.position: each
                for each in passages_of(rows[pair], cuttings.of(rows[pair]))
            },
        )
        for pair in pairs
        if pair in rows
    }


def _locked(pairs: list[Pair], *, is_served: bool) -> list[Pair]:
    """Lock what a swap locks, in its order; return the versions that are still to be done."""
    if is_served:
        nodes = Node.objects.filter(pk__in=[pair[0] for pair in pairs]).order_by("pk")
        list(nodes.select_for_update(no_key=True).values_list("pk"))
    rows = IndexedVersion.objects.filter(
        node_id__in=[pair[0] for pair in pairs],
        is_served=is_served,
        analysis__lt=ANALYSIS_VERSION,
    ).order_by("pk")
    found = rows.select_for_update().values_list("node_id", "version")
    wanted = set(pairs)
    return [pair for pair in found if pair in wanted]


def _analysed(row: Any, version: _Version) -> IndexedPassage:
    """Return a stored passage as the present analysis has it."""
    _pk, _node, _version, position, start, _end, text, headings, *_rest = row
    cut = version.passages.get(position)
    if cut is not None and (cut.passage.start, cut.passage.text) == (start, text):
        return cut
    # It was cut in another way: what stands in it counts, and the headings above it.
    return reanalysed(version.title, version.language, headings, text)


def _note(pair: Pair, indexed: Sequence[IndexedPassage]) -> None:
    lengths = [sum(word_counts(sequence_unpack(each.sequence)).values()) for each in indexed]
    IndexedVersion.objects.filter(node_id=pair[0], version=pair[1]).update(
        analysis=ANALYSIS_VERSION,
        words=round(sum(lengths)),
        language=spoken_in(indexed[0].language) if indexed else "",
    )


def _space_change(space_id: uuid.UUID, new: list[tuple[Any, IndexedPassage]], table: str) -> None:
    """Give passages of a space their new words, and count them anew if they are served."""
    space = Space.objects.filter(pk=space_id)
    other: list[tuple[Any, IndexedPassage]] = []
    same: list[uuid.UUID] = []
    for row, indexed in new:
        if (row[8], bytes(row[9])) == (indexed.language, indexed.sequence) and not _was_other(row):
            same.append(row[0])
        else:
            other.append((row, indexed))
    if other:
        space.update(index_revision=F("index_revision") + 1)
    average = space.values_list("average_tokens", flat=True).get() or TYPICAL_LENGTH
    difference = Difference()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE new_words (id uuid, language text, search tsvector, "
            "terms sparsevec, sequence bytea) ON COMMIT DROP"
        )
        with cursor.copy("COPY new_words FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid", "text", "bytea", "bytea", "bytea"])
            for row, indexed in other:
                before = word_counts(sequence_unpack(bytes(row[9])))
                counts = word_counts(sequence_unpack(indexed.sequence))
                difference.count(before, sum(before.values()), row[8], -1, analysis=row[10])
                difference.count(counts, sum(counts.values()), indexed.language)
                copy.write_row(
                    (
                        row[0],
                        indexed.language,
                        lexemes_pack(indexed.lexemes),
                        sparse_pack(passage_weights(counts, average)),
                        indexed.sequence,
                    )
                )
        cursor.execute(_CHANGE.format(table=table), [ANALYSIS_VERSION])
        cursor.execute("DROP TABLE new_words")
        cursor.execute(
            f"UPDATE {table} SET analysis = %s WHERE id = ANY(%s)", [ANALYSIS_VERSION, same]
        )
    if table == "knowledge_chunk":
        difference_append(space_id, difference)
    words_learn(space_id, {pair for _row, each in new for pair in each.spellings.items()})


def _was_other(row: Any) -> bool:
    """Return whether a stored passage counts for another language than its own."""
    return spoken_in(row[8], row[10]) != spoken_in(row[8])
