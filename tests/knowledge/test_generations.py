"""One model's index replaced by another's while the space is searched and changed."""

import pytest
from django.db import connection

from knowledge import services
from knowledge.ann import ann_index_ensure, ann_index_name
from knowledge.choices import GenerationStatus, NodeStatus
from knowledge.generation_building import generation_build, generations_maintain
from knowledge.generations import (
    ensure_generation,
    generation_activate,
    generation_start,
)
from knowledge.indexing import index_node, prepare_nodes, swap
from knowledge.ingestion import job_work
from knowledge.models import Chunk, Embedding, IndexGeneration, Node, Space
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.inference.choices import Backend, Purpose
from project.inference.models import ModelEndpoint


def make_node(space: Space, title: str, content: str) -> Node:
    node = Node(
        space=space, title=title, content=content, status=NodeStatus.PUBLISHED, checksum="x"
    )
    return Node.objects.bulk_create([node])[0]


@pytest.fixture
def hashing(db: None) -> ModelEndpoint:
    return ModelEndpoint.objects.create(
        name="Hashing", purpose=Purpose.EMBEDDING, backend=Backend.HASHING
    )


def test_a_space_has_one_active_generation(space: Space) -> None:
    assert ensure_generation(space.pk) == ensure_generation(space.pk)
    assert IndexGeneration.objects.get().status == GenerationStatus.ACTIVE


def test_a_generation_takes_over_when_nothing_is_missing(
    space: Space, owner: User, hashing: ModelEndpoint
) -> None:
    index_node(make_node(space, "Old", "Ropes were here before.").pk)
    before = ensure_generation(space.pk)
    fresh = generation_start(space, hashing)
    index_node(make_node(space, "New", "Anchors came while it was built.").pk)
    assert Embedding.objects.filter(generation=fresh).count() == 1
    assert not generation_activate(fresh.pk)
    assert ensure_generation(space.pk) == before

    generation_build(fresh.pk)
    assert Embedding.objects.filter(generation=fresh).count() == 2
    assert generation_activate(fresh.pk)
    before.refresh_from_db()
    assert (before.status, ensure_generation(space.pk)) == (GenerationStatus.RETIRED, fresh)
    found = search(SearchRequest(query="anchors", explain=True), user=owner)
    assert found.results[0].title == "New"
    assert (found.explanation or {})["models"][0]["model"] == fresh.model_key

    IndexGeneration.objects.filter(pk=before.pk).delete()
    assert Embedding.objects.count() == Chunk.objects.count() == 2


def test_missing_vectors_are_made_up_for(space: Space) -> None:
    prepared = prepare_nodes([make_node(space, "Note", "A rope.\n\n# More\n\nA knot.")])
    for node in prepared.nodes:
        node.vectors.clear()
    swap(prepared)
    assert Embedding.objects.count() == 0
    generations_maintain()
    assert Embedding.objects.count() == Chunk.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_large_generation_is_searched_through_its_own_index(
    space: Space, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.retrieval import _route

    nodes = [
        make_node(space, f"Note {n}", f"Rope number {n} hangs on hook {n * 3}.") for n in range(40)
    ]
    swap(prepare_nodes(nodes))
    request = SearchRequest(query="Which rope hangs on hook 21?", explain=True, limit=10)
    exact = search(request, user=owner)

    generation = ensure_generation(space.pk)
    assert not ann_index_ensure(generation)
    assert ann_index_ensure(generation, least=1)
    assert generation.has_ann_index
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = %s", [ann_index_name(generation.pk)]
        )
        assert "hnsw" in cursor.fetchone()[0]
    monkeypatch.setattr(_route, "LEAST_EXACT", 1)
    large = search(request, user=owner)
    assert not (large.explanation or {})["exact"]
    assert [one.node for one in large.results] == [one.node for one in exact.results]
    IndexGeneration.objects.update(status=GenerationStatus.RETIRED)
    job = services.generation_remove(acting_user=owner, generation=generation)
    job_work(job.pk)
    assert not IndexGeneration.objects.exists()
    assert not Embedding.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'embedding_ann%%'")
        assert cursor.fetchone()[0] == 0
