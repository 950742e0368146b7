"""Passages as rows for COPY, in PostgreSQL's binary form: served and past ones alike."""

from __future__ import annotations

import uuid
from typing import Any

from knowledge.binary import lexemes_pack, sparse_pack
from knowledge.passages import IndexedPassage
from knowledge.weights import passage_weights

COLUMNS = (
    ("id", "uuid"),
    ("node_id", "uuid"),
    ("space_id", "uuid"),
    ("version", "int4"),
    ("position", "int4"),
    ("heading_path", "text[]"),
    ("start", "int4"),
    ('"end"', "int4"),
    ("page", "int4"),
    ("tokens", "int4"),
    ("language", "text"),
    ("text", "text"),
    ("search", "bytea"),
    ("terms", "bytea"),
    ("sequence", "bytea"),
    ("analysis", "int2"),
)


def chunk_row(
    chunk_id: uuid.UUID,
    owner: tuple[uuid.UUID, uuid.UUID, int],
    indexed: IndexedPassage,
    words: dict[int, float],
    average: float,
) -> tuple[Any, ...]:
    """Return the values of COLUMNS for a passage; `owner` is its node, space and version.

    `words` are its weighted counts, `average` the mean length of its space's passages.
    """
    passage = indexed.passage
    return (
        chunk_id,
        *owner,
        passage.position,
        [*passage.heading_path],
        passage.start,
        passage.end,
        passage.page,
        passage.tokens,
        indexed.language,
        passage.text,
        lexemes_pack(indexed.lexemes),
        sparse_pack(passage_weights(words, average)),
        indexed.sequence,
        indexed.analysis,
    )
