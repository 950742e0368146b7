"""The words of spaces as they are written: what a misspelled question may have meant.

Words are learned in the transaction that puts their passages in place, and only from what a search
may find. Whether one still occurs is told by the statistics; what no passage has any more is
dropped by a sweep, and at once where a version is erased.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

from django.db import connection, transaction

from knowledge.analysis import term_key, words
from knowledge.models import Space, Spelling
from knowledge.passages import spellings_of, without_markup
from knowledge.spelling import Near, distance, farthest, keys_of_word
from knowledge.statistics import totals
from project.locks import try_lock

MOST_NEAR = 2_000  # rows looked at for a question
BEST = 3
"""Words as near as each other that stand in for a typed one together."""
SWEEP_BATCH = 2_000
EXAMPLES = 5  # passages of a term that are read again when a version with it is erased


def words_learn(space_id: uuid.UUID, spellings: Iterable[tuple[str, str]]) -> None:
    """Add words with their terms to those of a space, in the caller's transaction.

    Never waits for another writer; a word that two learn at once is there twice for a while.
    """
    wanted = set(spellings)
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, term FROM knowledge_spelling WHERE space_id = %s AND word = ANY(%s)",
            [space_id, list({word for word, _term in wanted})],
        )
        new = sorted(wanted.difference(cursor.fetchall()))
        if not new:
            return
        with cursor.copy(
            "COPY knowledge_spelling (space_id, word, term, keys) FROM STDIN (FORMAT BINARY)"
        ) as copy:
            copy.set_types(["uuid", "text", "text", "int4[]"])
            for word, term in new:
                copy.write_row((space_id, word, term, keys_of_word(word)))


def words_near(space_ids: Sequence[uuid.UUID], typed: Iterable[str]) -> dict[str, tuple[Near, ...]]:
    """Return what of the spaces' words each typed one may be a misspelling of, nearest first.

    Some of them may not occur any more. A word two letters apart has to begin with the same letter.
    """
    asked = list(dict.fromkeys(typed))
    keys = sorted({key for word in asked for key in keys_of_word(word)})
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT word, term FROM knowledge_spelling "
            "WHERE keys && %s::int4[] AND space_id = ANY(%s) LIMIT %s",
            [keys, list(space_ids), MOST_NEAR],
        )
        rows = cursor.fetchall()
    found: dict[str, tuple[Near, ...]] = {}
    for word in asked:
        nears = []
        for other, term in rows:
            apart = distance(word, other, farthest(word))
            if 0 < apart <= farthest(word) and (apart == 1 or other[0] == word[0]):
                nears.append(Near(other, term, apart, word))
        if nears:
            found[word] = tuple(sorted(nears, key=lambda near: (near.distance, near.word)))
    return found


def nearest(nears: Sequence[Near], passages: Mapping[str, int]) -> tuple[Near, ...]:
    """Return those of the near words to use: of the least distance that occurs, the most common.

    `passages` says of terms in how many passages they occur.
    """
    alive = [near for near in nears if passages.get(near.term, 0) > 0]
    if not alive:
        return ()
    least = min(near.distance for near in alive)
    alive = [near for near in alive if near.distance == least]
    alive.sort(key=lambda near: (-passages[near.term], near.word))
    return tuple({near.term: near for near in reversed(alive)}.values())[::-1][:BEST]


def words_forget(space_id: uuid.UUID, terms: Iterable[str]) -> None:
    """Forget how words were written in what has just been deleted; learn what else has them.

    Part of the caller's transaction, after the deletion. Of a term that is still there, the ways to
    write it are read again from some of its passages.
    """
    gone = sorted(set(terms))
    if not gone:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM knowledge_spelling WHERE space_id = %s AND term = ANY(%s)",
            [space_id, gone],
        )
        cursor.execute(
            """
            SELECT DISTINCT held.id, held.language, held.title, held.text
            FROM unnest(%s::text[]) AS word (term) CROSS JOIN LATERAL (
                (SELECT chunk.id, chunk.language, node.title, chunk.text
                FROM knowledge_chunk AS chunk JOIN knowledge_node AS node ON node.id = chunk.node_id
                WHERE chunk.space_id = %s AND search @@ (%s || word.term || %s)::tsquery LIMIT %s)
                UNION ALL
                (SELECT past.id, past.language, '', past.text FROM knowledge_pastchunk AS past
                WHERE past.space_id = %s AND search @@ (%s || word.term || %s)::tsquery LIMIT %s)
            ) AS held
            """,
            [gone, space_id, "'", "'", EXAMPLES, space_id, "'", "'", EXAMPLES],
        )
        again: set[tuple[str, str]] = set()
        for _pk, language, title, text in cursor.fetchall():
            spelled = spellings_of({*words(title), *words(without_markup(text))}, language)
            again.update(spelled.items())
    wanted = set(gone)
    words_learn(space_id, (pair for pair in again if pair[1] in wanted))


def past_terms(pairs: Sequence[tuple[uuid.UUID, int]]) -> dict[uuid.UUID, set[str]]:
    """Return the terms of past versions by their spaces."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT space_id, unnest(tsvector_to_array(search)) FROM knowledge_pastchunk "
            "WHERE (node_id, version) IN (SELECT * FROM unnest(%s::uuid[], %s::int[]))",
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs]],
        )
        found: dict[uuid.UUID, set[str]] = {}
        for space_id, term in cursor.fetchall():
            if term.isalpha():
                found.setdefault(space_id, set()).add(term)
    return found


def spellings_fold() -> int:
    """Drop words that are there twice, or that no passage of their space has; return how many rows.

    Safe to run anywhere at any time.
    """
    with try_lock("knowledge.spellings_fold") as held:
        if not held:
            return 0
        return sum(_fold(pk) for pk in Space.objects.values_list("pk", flat=True))


def _fold(space_id: uuid.UUID) -> int:
    dropped, last = 0, 0
    while True:
        with transaction.atomic():
            rows = list(
                Spelling.objects.filter(space=space_id, pk__gt=last)
                .order_by("pk")
                .values_list("pk", "word", "term")[:SWEEP_BATCH]
            )
            if not rows:
                return dropped
            last = rows[-1][0]
            terms = {term for _pk, _word, term in rows}
            unused = terms - _occurring(space_id, terms)
            gone = {pk for pk, _word, term in rows if term in unused} | _doubles(space_id, rows)
            Spelling.objects.filter(pk__in=gone).delete()
            dropped += len(gone)


def _occurring(space_id: uuid.UUID, terms: set[str]) -> set[str]:
    """Return which of the terms a passage of the space has, of today or of the past."""
    counted = totals([space_id], map(term_key, terms)).passages_with
    now = {term for term in terms if term_key(term) in counted}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT term FROM unnest(%s::text[]) AS word (term) WHERE EXISTS ("
            "SELECT 1 FROM knowledge_pastchunk WHERE space_id = %s "
            "AND search @@ (%s || word.term || %s)::tsquery)",
            [sorted(terms - now), space_id, "'", "'"],
        )
        return now | {row[0] for row in cursor.fetchall()}


def _doubles(space_id: uuid.UUID, rows: Sequence[tuple[int, str, str]]) -> set[int]:
    """Return the rows whose word and term an older row has."""
    words_of_rows = {word for _pk, word, _term in rows}
    known = Spelling.objects.filter(space=space_id, word__in=words_of_rows).order_by("pk")
    first: dict[tuple[str, str], int] = {}
    for pk, word, term in known.values_list("pk", "word", "term"):
        first.setdefault((word, term), pk)
    return {pk for pk, word, term in rows if first.get((word, term), pk) < pk}
