"""Bringing the index up to the versions of nodes."""

import uuid

import pytest
from django.db import transaction

from knowledge import indexing, statistics
from knowledge.choices import NodeStatus
from knowledge.indexing import index_node, prepare_nodes, swap, unindex_node
from knowledge.models import Chunk, Embedding, IndexGeneration, Node, Space, TermStatistic
from project.events.models import Event
from project.inference.types import EmbeddingUnavailable

LONG = "# Moorings\n\n" + "\n\n".join(
    f"## Berth {n}\n\nBerth {n} takes boats of up to {n + 5} metres. Ask the harbour master first."
    for n in range(6)
)


def make_node(space: Space, title: str, content: str, **extra: object) -> Node:
    values: dict[str, object] = {"status": NodeStatus.PUBLISHED, "checksum": "x", **extra}
    return Node.objects.bulk_create([Node(space=space, title=title, content=content, **values)])[0]


def statistics_of(space: Space) -> tuple[int, dict[int, int]]:
    rows = TermStatistic.objects.filter(space=space)
    counted = statistics.totals([space.pk], rows.values_list("term", flat=True))
    return counted.passages, counted.passages_with


def test_passages_are_slices_of_the_version_with_vectors_and_words(space: Space) -> None:
    node = make_node(space, "Berths", LONG)
    assert index_node(node.pk)
    node.refresh_from_db()
    chunks = list(Chunk.objects.filter(node=node))
    assert len(chunks) == 6
    assert all(node.content[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [chunk.heading_path[-1] for chunk in chunks] == [f"Berth {n}" for n in range(6)]
    assert {chunk.version for chunk in chunks} == {node.indexed_version} == {1}
    assert Embedding.objects.filter(node=node).count() == 6
    assert statistics_of(space)[0] == 6
    assert Event.objects.filter(type="knowledge.node.indexed").count() == 1


def test_a_new_version_takes_the_place_of_the_old(space: Space) -> None:
    node = make_node(space, "Berths", LONG)
    index_node(node.pk)
    revision = Space.objects.get(pk=space.pk).index_revision
    Node.objects.filter(pk=node.pk).update(content="All berths are closed.", version=2)
    assert index_node(node.pk)
    assert list(Chunk.objects.values_list("version", "text")) == [(2, "All berths are closed.")]
    assert Embedding.objects.count() == 1
    assert statistics_of(space)[0] == 1
    assert Space.objects.get(pk=space.pk).index_revision > revision


def test_indexing_twice_does_nothing_twice(space: Space) -> None:
    node = make_node(space, "Berths", LONG)
    assert index_node(node.pk)
    assert not index_node(node.pk)
    assert statistics_of(space)[0] == 6
    assert not index_node(uuid.uuid4())


def test_only_published_nodes_are_indexed(space: Space) -> None:
    node = make_node(space, "Berths", LONG, status=NodeStatus.DRAFT)
    assert not index_node(node.pk)
    assert not Chunk.objects.exists()


def test_what_was_overtaken_while_it_was_prepared_is_left_out(space: Space) -> None:
    moved, archived = make_node(space, "A", "Text a."), make_node(space, "B", "Text b.")
    prepared = prepare_nodes([moved, archived])
    Node.objects.filter(pk=moved.pk).update(version=2)
    Node.objects.filter(pk=archived.pk).update(status=NodeStatus.ARCHIVED)
    assert swap(prepared) == 0
    assert not Chunk.objects.exists()


def test_unindexing_leaves_no_trace(space: Space) -> None:
    stays, goes = make_node(space, "Stays", "Ropes and knots."), make_node(space, "Goes", LONG)
    index_node(stays.pk)
    before = statistics_of(space)
    index_node(goes.pk)
    with transaction.atomic():
        unindex_node(goes)
    goes.refresh_from_db()
    assert goes.indexed_version is None
    assert set(Chunk.objects.values_list("node", flat=True)) == {stays.pk}
    assert set(Embedding.objects.values_list("node", flat=True)) == {stays.pk}
    assert statistics_of(space) == before


def test_folding_keeps_the_sums(space: Space) -> None:
    nodes = [make_node(space, f"Note {n}", f"Rope {n} is wet.") for n in range(4)]
    for node in nodes:
        index_node(node.pk)
    with transaction.atomic():
        unindex_node(nodes[0])
    before, rows = statistics_of(space), TermStatistic.objects.count()
    assert statistics.statistics_fold() > 0
    assert statistics_of(space) == before
    assert TermStatistic.objects.count() < rows
    terms = TermStatistic.objects.filter(space=space).values_list("term", flat=True)
    assert len(terms) == len(set(terms))


def test_a_space_is_reweighed_when_its_passages_changed_in_length(space: Space) -> None:
    node = make_node(space, "Short", "Rope.")
    index_node(node.pk)
    before = Chunk.objects.get().terms
    Space.objects.filter(pk=space.pk).update(average_tokens=9.0)
    statistics.statistics_fold()
    space.refresh_from_db()
    after = Chunk.objects.get().terms
    assert space.average_tokens is not None
    assert space.average_tokens > 50
    assert after.indices() == before.indices()
    statistics.space_reweigh(space.pk, 9.0)
    assert Chunk.objects.get().terms.values() != pytest.approx(after.values())


def test_many_nodes_are_prepared_together_and_appear_at_once(space: Space) -> None:
    nodes = [make_node(space, f"Note {n}", f"Rope number {n} is wet.") for n in range(30)]
    told: list[tuple[int, int]] = []
    prepared = prepare_nodes(nodes, progress=lambda *counts: told.append(counts))
    assert not Chunk.objects.exists()
    assert swap(prepared) == 30
    assert told[-1] == (30, 30)
    assert Embedding.objects.count() == Chunk.objects.count() == prepared.passages == 30
    assert IndexGeneration.objects.get().status == "active"


def test_a_failed_embedding_leaves_the_old_version_serving(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(space, "Berths", "All berths are open.")
    index_node(node.pk)
    Node.objects.filter(pk=node.pk).update(content="All berths are closed.", version=2)
    fresh = make_node(space, "Ropes", "Ropes are sold at the kiosk.")

    def away(*_args: object, **_options: object) -> None:
        raise EmbeddingUnavailable("timeout", "The model is away.")

    monkeypatch.setattr(indexing, "embed_texts", away)
    with pytest.raises(EmbeddingUnavailable):
        index_node(node.pk)
    assert index_node(fresh.pk)  # known by its words until the model is back
    assert list(Chunk.objects.order_by("text").values_list("text", flat=True)) == [
        "All berths are open.",
        "Ropes are sold at the kiosk.",
    ]
    assert Embedding.objects.count() == 1
