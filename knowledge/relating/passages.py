"""The passages of nodes as the index holds them: places, vectors, words."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from knowledge.binary import sequence_unpack, vector_unpack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST = 24
"""Passages of one node that are looked at; of a longer one, evenly chosen."""


@dataclass(frozen=True, slots=True)
class Held:
    """A passage: `words` are the numbers of its words with those of title and headings.

    `vector` is None without one in the generation that was asked.
    """

    chunk: uuid.UUID
    node: uuid.UUID
    version: int
    start: int
    end: int
    language: str
    words: frozenset[int]
    vector: npt.NDArray[np.float32] | None


def passages_held(
    nodes: Mapping[uuid.UUID, Collection[uuid.UUID]],
    generation_ids: Collection[uuid.UUID],
    reads: Callable[[str], bool],
) -> dict[uuid.UUID, list[Held]]:
    """Return the passages of nodes in order; the named ones of each are among those chosen.

    Vectors are those of the generations, whose model `reads` the language of the passage.
    """
    chosen = _chosen(nodes)
    found: dict[uuid.UUID, list[Held]] = defaultdict(list)
    if not chosen:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT c.id, c.node_id, c.version, c.start, c."end", c.language, c.sequence, '
            "vector_send(e.vector::vector) FROM knowledge_chunk c LEFT JOIN knowledge_embedding e "
            "ON e.chunk_id = c.id AND e.generation_id = ANY(%s) WHERE c.id = ANY(%s) "
            "ORDER BY c.node_id, c.position",
            [list(generation_ids), chosen],
        )
        for pk, node, version, start, end, language, sequence, packed in cursor:
            words = frozenset(sequence_unpack(bytes(sequence)).tolist()) - {0}
            is_read = packed is not None and reads(language)
            vector = vector_unpack(bytes(packed)) if is_read else None
            found[node].append(Held(pk, node, version, start, end, language, words, vector))
    return found


def _chosen(nodes: Mapping[uuid.UUID, Collection[uuid.UUID]]) -> list[uuid.UUID]:
    rows: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT node_id, id FROM knowledge_chunk WHERE node_id = ANY(%s) "
            "ORDER BY node_id, position",
            [list(nodes)],
        )
        for node, pk in cursor:
            rows[node].append(pk)
    chosen: list[uuid.UUID] = []
    for node, passages in rows.items():
        step = max(1.0, len(passages) / MOST)
        even = {passages[int(number * step)] for number in range(min(MOST, len(passages)))}
        chosen += even | (set(nodes[node]) & set(passages))
    return chosen
