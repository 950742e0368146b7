"""Filters cost no results: what is permitted is found, however far from the question it is."""

import uuid

import numpy as np
import pytest
from django.db import connection
from pgvector import SparseVector

from knowledge.ann import ann_vector
from knowledge.binary import sequence_pack, vector_text
from knowledge.choices import NodeStatus, SearchMode
from knowledge.generations import ensure_generation, generation_model
from knowledge.models import Chunk, Embedding, IndexGeneration, Node, Space
from knowledge.retrieval import _route, search
from knowledge.statistics import Difference, difference_append
from knowledge.types import TERM_SPACE, SearchRequest
from project.accounts.models import User
from project.inference.embeddings import embed_texts

QUESTION = "harbour"
NEAR, FAR = 1200, 40


@pytest.fixture
def crowd(space: Space) -> IndexGeneration:
    """Many nodes near the question, and a few with a tag far behind them, all in an index."""
    generation = ensure_generation(space.pk)
    asked = embed_texts(generation_model(generation), [QUESTION], purpose="query")[0]
    numbers = np.random.default_rng(3)
    vectors = numbers.standard_normal((NEAR + FAR, len(asked))) / np.sqrt(len(asked))
    vectors += np.where(np.arange(NEAR + FAR) < NEAR, 0.9, 0.15)[:, None] * asked
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nodes = Node.objects.bulk_create(
        Node(
            space=space,
            title=f"Node {number}",
            content="-",
            status=NodeStatus.PUBLISHED,
            checksum="",
            tags=["rare"] if number >= NEAR else [],
        )
        for number in range(NEAR + FAR)
    )
    chunks = Chunk.objects.bulk_create(
        Chunk(
            node=node,
            space=space,
            version=1,
            position=0,
            start=0,
            end=1,
            tokens=1,
            language="en",
            text="-",
            search="",
            terms=SparseVector({1: 1.0}, TERM_SPACE),
            sequence=sequence_pack([], [], [1]),
        )
        for node in nodes
    )
    Embedding.objects.bulk_create(
        Embedding(chunk=chunk, node_id=chunk.node_id, generation=generation, vector=vector)
        for chunk, vector in zip(chunks, vectors, strict=True)
    )
    difference = Difference()
    for _chunk in chunks:
        difference.count([], 1.0, "en")
    difference_append(space.pk, difference)
    with connection.cursor() as cursor:
        vector = ann_vector(generation.dimensions, is_half=True)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no index is made before
        cursor.execute(
            f"CREATE INDEX near ON knowledge_embedding USING hnsw ({vector} halfvec_ip_ops) "
            "WHERE generation_id = %s",
            [generation.pk],
        )
        cursor.execute("ANALYZE knowledge_embedding")
        cursor.execute("ANALYZE knowledge_node")
    generation.has_ann_index = generation.ann_is_half = True
    generation.save()
    return generation


def nearest(generation: IndexGeneration, *, by_index: bool) -> list[uuid.UUID]:
    """Return the ten nearest nodes with the tag: by looking at all, or filtered afterwards."""
    asked = embed_texts(generation_model(generation), [QUESTION], purpose="query")[0]
    vector = ann_vector(generation.dimensions, is_half=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL enable_sort = {'off' if by_index else 'on'}")
        cursor.execute(f"SET LOCAL enable_indexscan = {'on' if by_index else 'off'}")
        cursor.execute(
            "SELECT node_id FROM knowledge_embedding AS e WHERE generation_id = %s AND EXISTS "
            "(SELECT 1 FROM knowledge_node AS n WHERE n.id = e.node_id AND 'rare' = ANY(tags)) "
            f"ORDER BY {vector} <#> %s::halfvec LIMIT 10",
            [generation.pk, vector_text(asked)],
        )
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute("SET LOCAL enable_sort = on; SET LOCAL enable_indexscan = on")
    return found


@pytest.mark.parametrize("is_exact", [True, False])
def test_what_a_filter_permits_is_found_behind_a_crowd(
    crowd: IndexGeneration, owner: User, monkeypatch: pytest.MonkeyPatch, is_exact: bool
) -> None:
    truth = nearest(crowd, by_index=False)
    assert len(truth) == 10
    assert len(nearest(crowd, by_index=True)) < 5  # a scan that is filtered afterwards loses them
    if not is_exact:
        monkeypatch.setattr(_route, "LEAST_EXACT", 1)
        monkeypatch.setattr(_route, "EXACT_PER_PASSAGE", 0)
    request = SearchRequest(query=QUESTION, tags=("rare",), mode=SearchMode.VECTOR, explain=True)
    found = search(request, user=owner)
    assert (found.explanation or {})["exact"] == is_exact
    assert {result.node for result in found.results} == set(truth)
