"""The nodes that may be near a node: by the vectors of its passages, and by its rarest words.

What is looked at has bounds that do not grow with the space: a generation with an HNSW index is
asked through it, others are small and scanned; words so common that they name nothing are left out.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from knowledge.analysis import base_language, term_key
from knowledge.ann import ANN_FROM, ann_vector
from knowledge.binary import sparse_text, vector_text
from knowledge.choices import GenerationStatus, NodeStatus
from knowledge.models import IndexGeneration, Node, Space
from knowledge.quality.neighbours import reader_of
from knowledge.querysets import Reader
from knowledge.relating.passages import Held
from knowledge.retrieval._shelves import Statement, quoted
from knowledge.statistics import Totals, totals
from knowledge.weights import rarity

SEEKING = 6
"""Passages of the node that are looked for by their vectors; of more, evenly chosen."""
NEAREST = 60  # passages by vectors, and as many by words
MOST_NODES = 32
MOST_SPACES = 8
"""Other spaces that are looked into."""
TERMS = 24
MOST_WITH = 3000
"""Passages that the words may bring together, before they are ranked."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where neighbours are looked for.

    `permitted` is SQL with parameters that yields ids of nodes. `generations` hold vectors of one
    model; none where no model reads the language.
    """

    space_ids: tuple[uuid.UUID, ...]
    permitted: str
    parameters: tuple[Any, ...]
    generations: tuple[IndexGeneration, ...]
    languages: frozenset[str] | None = frozenset()

    def reads(self, language: str) -> bool:
        """Return whether the model of the generations reads a language."""
        return self.languages is None or base_language(language) in self.languages

    @property
    def generation_ids(self) -> list[uuid.UUID]:
        """Return the ids of the generations."""
        return [each.pk for each in self.generations]


def ground_of(node: Node, user: Reader | None) -> Ground:
    """Return where a reader finds neighbours of a node; None: everywhere in the node's space."""
    spaces = _spaces(node, user)
    if user is None:
        nodes = Node.objects.filter(status=NodeStatus.PUBLISHED)
    else:
        nodes = Node.objects.searchable_by(user)
    query = nodes.filter(space__in=spaces).order_by().values("pk").query
    sql, parameters = query.sql_with_params()
    reader = reader_of(node.space_id, node.language)
    if reader is None:
        return Ground(tuple(spaces), sql, tuple(parameters), ())
    known = reader.model.languages
    languages = known and frozenset(base_language(each) for each in known)
    rows = _generations(node, spaces)
    return Ground(tuple(spaces), sql, tuple(parameters), rows, languages)


def _spaces(node: Node, user: Reader | None) -> list[uuid.UUID]:
    """Return the node's space and, for a reader, the newest others that may be read."""
    if user is None:
        return [node.space_id]
    others = Space.objects.visible_to(user).exclude(pk=node.space_id).order_by("-updated_at", "pk")
    return [node.space_id, *others.values_list("pk", flat=True)[:MOST_SPACES]]


def _generations(node: Node, spaces: Sequence[uuid.UUID]) -> tuple[IndexGeneration, ...]:
    """Return the generations of the spaces in the model of the node's.

    Of those without an HNSW index only as many as are quickly scanned.
    """
    rows = IndexGeneration.objects.filter(space__in=spaces, status=GenerationStatus.ACTIVE)
    known = {row.space_id: row for row in rows}
    own = known.pop(node.space_id)
    kept, scanned = [own], 0 if own.has_ann_index else totals([own.space_id]).passages
    for space in spaces[1:]:
        row = known.get(space)
        if row is None or row.model_key != own.model_key:
            continue
        scanned += 0 if row.has_ann_index else totals([space]).passages
        if scanned <= ANN_FROM:
            kept.append(row)
    return tuple(kept)


def candidates_of(
    node_id: uuid.UUID, own: Sequence[Held], ground: Ground
) -> dict[uuid.UUID, set[uuid.UUID]]:
    """Return the nodes that may be near, each with the passages that say so."""
    found: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    by_vectors = _by_vectors(node_id, own, ground)
    by_words = _by_words(node_id, ground)
    for rows in (by_vectors, by_words):
        nodes = list(dict.fromkeys(node for _chunk, node in rows))[:MOST_NODES]
        for chunk, node in rows:
            if node in nodes:
                found[node].add(chunk)
    return found


_Pairs = list[tuple[uuid.UUID, uuid.UUID]]


def _by_vectors(node_id: uuid.UUID, own: Sequence[Held], ground: Ground) -> _Pairs:
    """Return passage and node of the nearest to any of the own passages, nearest first."""
    known = [each.vector for each in own if each.vector is not None]
    if not known or not ground.generations:
        return []
    step = max(1.0, len(known) / SEEKING)
    chosen = [known[int(number * step)] for number in range(min(SEEKING, len(known)))]
    asked = [vector_text(vector) for vector in chosen]
    scans = Statement()
    scanned = [each.pk for each in ground.generations if not each.has_ann_index]
    if scanned:
        # One scan for all: reading a vector costs more than comparing it.
        nearest = ", ".join(["e.vector <#> %s::vector"] * len(asked))
        scans.add(
            f"(SELECT chunk_id, node_id, LEAST({nearest}) AS distance "  # noqa: S608 - of ours
            "FROM knowledge_embedding e WHERE generation_id = ANY(%s) AND node_id <> %s "
            "ORDER BY distance LIMIT %s)",
            *(*asked, scanned, node_id, NEAREST),
        )
    for each in ground.generations:
        if each.has_ann_index:
            vector = ann_vector(each.dimensions, is_half=each.ann_is_half)
            asked_as = f"{'halfvec' if each.ann_is_half else 'vector'}({int(each.dimensions)})"
            scans.add(
                f"{' UNION ALL ' if scans.parts else ''}"  # noqa: S608 - types and numbers
                "(SELECT near.chunk_id, near.node_id, min(near.distance) AS distance "
                "FROM unnest(%s::text[]) AS own (vector) CROSS JOIN LATERAL ("
                f"SELECT chunk_id, node_id, {vector} <#> own.vector::{asked_as} AS distance "
                "FROM knowledge_embedding WHERE generation_id = %s ORDER BY distance LIMIT %s) "
                "AS near WHERE near.node_id <> %s GROUP BY 1, 2)",
                *(asked, each.pk, NEAREST, node_id),
            )
    statement = Statement()
    statement.add("SELECT chunk_id, node_id FROM (")
    statement.extend(scans)
    statement.add(") AS found WHERE node_id IN (")
    statement.add(ground.permitted, *ground.parameters)
    statement.add(") ORDER BY distance LIMIT %s", NEAREST)
    return [(chunk, node) for chunk, node in statement.run()]


def _by_words(node_id: uuid.UUID, ground: Ground) -> _Pairs:
    """Return passage and node of those that share the most telling words, best first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, count(*) FROM knowledge_chunk, unnest(tsvector_to_array(search)) AS word "
            "WHERE node_id = %s GROUP BY word",
            [node_id],
        )
        counts = dict(cursor.fetchall())
    counted = totals(ground.space_ids, [term_key(word) for word in counts])
    weights = _telling(counts, counted)
    if not weights:
        return []
    asked = {term_key(word): weight for word, weight in weights.items()}
    statement = Statement()
    statement.add(
        "SELECT id, node_id FROM knowledge_chunk WHERE search @@ %s::tsquery AND node_id <> %s "
        "AND node_id IN (",
        *(" | ".join(quoted([*weights])), node_id),
    )
    statement.add(ground.permitted, *ground.parameters)
    statement.add(") ORDER BY terms <#> %s::sparsevec LIMIT %s", sparse_text(asked), NEAREST)
    return [(chunk, node) for chunk, node in statement.run()]


def _telling(counts: dict[str, int], counted: Totals) -> dict[str, float]:
    """Return the words that tell a text from others, with their weights.

    The ones with most weight in the text, as long as few enough passages have any of them. A word
    that no other passage has leads nowhere.
    """
    weights: dict[str, tuple[float, int]] = {}
    for word, count in counts.items():
        held = counted.passages_with.get(term_key(word), 0)
        if held > count:
            idf = rarity(held, counted.passages)
            weights[word] = (idf * (1.0 + count) ** 0.5, held)
    chosen: dict[str, float] = {}
    bound = MOST_WITH
    for word, (weight, held) in sorted(weights.items(), key=lambda item: (-item[1][0], item[0])):
        if held <= bound:
            bound -= held
            chosen[word] = weight
            if len(chosen) == TERMS:
                break
    return chosen
