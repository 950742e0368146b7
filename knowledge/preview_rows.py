"""The passages of previews as rows: written by COPY, and read back as what an index takes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection

from knowledge.binary import sequence_unpack, vector_pack, vector_unpack
from knowledge.chunk_rows import COLUMNS, chunk_row
from knowledge.chunking import Passage
from knowledge.generations import ensure_generation
from knowledge.indexing import PreparedNode
from knowledge.models import Proposal, Space
from knowledge.passages import IndexedPassage
from knowledge.statistics import mean_length, totals
from knowledge.weights import word_counts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PREVIEWED = (*COLUMNS, ("proposal_id", "uuid"), ("vector", "bytea"), ("model_key", "text"))


def passages_copy(proposal: Proposal, nodes: Sequence[PreparedNode]) -> None:
    """Store the passages of previewed nodes, with the vectors of the active generation."""
    space = Space.objects.only("average_tokens").get(pk=proposal.space_id)
    average = space.average_tokens or mean_length(totals([proposal.space_id]))
    active = ensure_generation(proposal.space_id)
    columns = ", ".join(name for name, _kind in PREVIEWED)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY knowledge_previewchunk ({columns}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([kind for _name, kind in PREVIEWED])
        for node in nodes:
            owner = node.node_id, node.space_id, node.version
            vectors = node.vectors.get(active.pk)
            key = "" if vectors is None else active.model_key
            for number, indexed in enumerate(node.passages):
                words = word_counts(sequence_unpack(indexed.sequence))
                row = chunk_row(uuid.uuid4(), owner, indexed, words, average)
                vector = None if vectors is None else vector_pack(vectors[number])
                copy.write_row((*row, proposal.pk, vector, key))


def passages_read(
    proposal: Proposal, node_ids: Iterable[uuid.UUID], model_key: str
) -> dict[uuid.UUID, tuple[list[IndexedPassage], npt.NDArray[np.float32] | None]]:
    """Return the passages of some previewed nodes, and their vectors where all are there."""
    import numpy as np

    found: dict[uuid.UUID, tuple[list[IndexedPassage], list[Any]]] = {
        pk: ([], []) for pk in node_ids
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, [proposal.pk, list(found)])
        for row in cursor.fetchall():
            node_id, language, sequence, lexemes, analysis, key, vector, *rest = row
            position, start, end, text, headings, tokens, page = rest
            passage = Passage(position, start, end, text, tuple(headings), tokens, page, "")
            passages, vectors = found[node_id]
            indexed = IndexedPassage(
                passage, language, "", bytes(sequence), frozenset(lexemes), analysis
            )
            passages.append(indexed)
            if key == model_key and vector is not None:
                vectors.append(vector_unpack(bytes(vector)))
    return {
        pk: (passages, np.array(vectors, np.float32) if len(vectors) == len(passages) else None)
        for pk, (passages, vectors) in found.items()
    }


_READ = """
    SELECT node_id, language, sequence, tsvector_to_array(search), analysis, model_key,
           vector_send(vector), position, start, "end", text, heading_path, tokens, page
    FROM knowledge_previewchunk
    WHERE proposal_id = %s AND node_id = ANY(%s)
    ORDER BY node_id, position
"""
