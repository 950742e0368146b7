"""Passages of versions that are no longer served."""

from datetime import timedelta

import pytest
from django.utils import timezone

from knowledge import past
from knowledge.indexing import index_node
from knowledge.models import (
    Chunk,
    Embedding,
    IndexedVersion,
    Node,
    PastChunk,
    PastVector,
    Publication,
    Space,
    TermStatistic,
)
from knowledge.services import (
    node_archive,
    node_create,
    node_delete,
    node_publish,
    node_update,
    versions_erase,
)
from project.accounts.models import User


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    made = node_create(
        acting_user=owner,
        space=space,
        title="Ferry",
        content="The steam ferry crosses at nine.",
        status="published",
    )
    index_node(made.pk)
    return made


def edit(owner: User, node: Node, content: str, *, indexed: bool = True) -> Node:
    changed = node_update(acting_user=owner, node=node, content=content)
    if indexed:
        index_node(node.pk)
    return changed


def kept(version: int) -> tuple[bool, int, bool, bool]:
    row = IndexedVersion.objects.get(version=version)
    return row.is_served, row.passages, row.model_key != "", row.period is not None


def test_a_replaced_version_moves_with_words_and_vectors(owner: User, node: Node) -> None:
    served = Chunk.objects.get()
    edit(owner, node, "The diesel ferry crosses at ten.")
    moved = PastChunk.objects.get()
    assert (moved.pk, moved.version, moved.text) == (served.pk, 1, served.text)
    assert (bytes(moved.sequence), moved.search) == (bytes(served.sequence), served.search)
    public = Publication.objects.get(version=1)
    assert (moved.period.lower, moved.period.upper) == (public.started_at, public.ended_at)
    assert PastVector.objects.get().chunk_id == served.pk
    assert Chunk.objects.get().version == 2
    assert Embedding.objects.count() == 1
    assert kept(1) == (False, 1, True, True)
    assert kept(2) == (True, 1, False, False)


def test_archived_and_deleted_nodes_keep_their_passages(owner: User, node: Node) -> None:
    node_archive(acting_user=owner, node=node)
    assert (Chunk.objects.count(), PastChunk.objects.count()) == (0, 1)
    assert all(row.passages == 0 for row in totals())
    node_publish(acting_user=owner, node=node)
    index_node(node.pk)
    assert (Chunk.objects.count(), PastChunk.objects.count(), PastVector.objects.count()) == (
        1,
        0,
        0,
    )
    node.refresh_from_db()
    node_delete(acting_user=owner, node=node)
    first = Publication.objects.order_by("started_at")[0]
    assert not Chunk.objects.exists()
    assert PastChunk.objects.get().period.lower == first.started_at


def totals() -> list[TermStatistic]:
    """Return the sums of a space's statistics."""
    from knowledge.statistics import statistics_fold

    statistics_fold()
    return list(TermStatistic.objects.all())


def test_what_was_never_public_is_not_kept(space: Space) -> None:
    (bare,) = Node.objects.bulk_create(
        [Node(space=space, title="Draft", content="Words.", status="published", checksum="x")]
    )
    index_node(bare.pk)
    Node.objects.filter(pk=bare.pk).update(content="Others.", version=2)
    index_node(bare.pk)
    assert not PastChunk.objects.exists()
    assert list(IndexedVersion.objects.values_list("version", "is_served")) == [(2, True)]


def test_versions_that_were_never_indexed_are_cut_later(owner: User, node: Node) -> None:
    edit(owner, node, "The sail ferry crosses at noon.", indexed=False)
    edit(owner, node, "The diesel ferry crosses at ten.")
    assert not IndexedVersion.objects.filter(version=2).exists()
    assert past.versions_fill() == 1
    assert past.versions_fill() == 0
    made = PastChunk.objects.get(version=2)
    assert "sail ferry" in made.text
    assert Chunk.objects.get().version == 3
    assert kept(2) == (False, 1, False, True)
    assert made.period == IndexedVersion.objects.get(version=2).period


def test_a_version_cut_later_can_be_served_and_retired_again(owner: User, node: Node) -> None:
    node_archive(acting_user=owner, node=node)
    IndexedVersion.objects.all().delete()
    PastVector.objects.all().delete()
    PastChunk.objects.all().delete()
    assert past.versions_fill() == 1
    node_publish(acting_user=owner, node=node)
    index_node(node.pk)
    assert not PastChunk.objects.exists()
    edit(owner, node, "The diesel ferry crosses at ten.")
    assert PastChunk.objects.get().version == 1


def test_a_version_published_again_has_a_wider_period(owner: User, node: Node) -> None:
    node_archive(acting_user=owner, node=node)
    node_publish(acting_user=owner, node=node)  # and never indexed again
    node_archive(acting_user=owner, node=node)
    last = Publication.objects.order_by("-started_at")[0]
    assert PastChunk.objects.get().period.upper < last.ended_at
    past.versions_fill()
    for model in (PastChunk, PastVector, IndexedVersion):
        assert model.objects.get().period.upper == last.ended_at


def test_vectors_go_when_their_space_keeps_them_no_longer(
    owner: User, node: Node, space: Space
) -> None:
    edit(owner, node, "The diesel ferry crosses at ten.")
    assert past.vectors_drop() == 0
    IndexedVersion.objects.filter(version=1).update(retired_at=timezone.now() - timedelta(days=400))
    Space.objects.update(past_vectors_days=None)
    assert past.vectors_drop() == 0
    Space.objects.update(past_vectors_days=365)
    assert past.vectors_drop() == 1
    assert (PastVector.objects.count(), PastChunk.objects.count()) == (0, 1)
    assert kept(1) == (False, 1, False, True)


def test_a_space_may_keep_no_past_vectors(owner: User, node: Node) -> None:
    Space.objects.update(past_vectors_days=0)
    edit(owner, node, "The diesel ferry crosses at ten.")
    assert (PastVector.objects.count(), PastChunk.objects.count()) == (0, 1)


def test_an_erased_version_leaves_nothing(owner: User, node: Node) -> None:
    edit(owner, node, "The diesel ferry crosses at ten.")
    past.passages_erase([(node.pk, 1)])
    assert not PastChunk.objects.exists()
    assert not PastVector.objects.exists()
    assert not IndexedVersion.objects.filter(version=1).exists()
    assert Chunk.objects.count() == 1


def test_erasing_a_version_that_still_serves_takes_it_out_of_search(
    owner: User, node: Node, space: Space
) -> None:
    edit(owner, node, "The diesel ferry crosses at ten.", indexed=False)
    assert Chunk.objects.get().version == 1
    versions_erase(acting_user=owner, space=space, node_id=node.pk, versions=[1], reason="Wrong.")
    assert not Chunk.objects.exists()
    assert not PastChunk.objects.exists()
    assert not IndexedVersion.objects.exists()
    assert index_node(node.pk)
    assert Chunk.objects.get().version == 2
