"""The revision of a space: every change of what its searches find, whoever makes it."""

import datetime
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from knowledge.choices import GenerationStatus, NodeStatus, RelationStatus
from knowledge.models import IndexGeneration, Node, ProfileActivation, Relation, Space, SpaceChange
from knowledge.profiles import builtin_store
from knowledge.revisions import changes_fold, revisions_of
from project.inference.choices import Backend, Purpose
from project.inference.models import ModelEndpoint
from tests.knowledge.test_retrieval import make_node

Changes = Callable[[Callable[[], object]], bool]


@pytest.fixture
def changes(space: Space) -> Changes:
    """Tell whether a write changes the revision of the space."""

    def raised_by(write: Callable[[], object]) -> bool:
        before = revisions_of([space.pk])[space.pk]
        SpaceChange.objects.all().delete()  # one transaction notes a space once
        Space.objects.filter(pk=space.pk).update(index_revision=before)
        write()
        return revisions_of([space.pk])[space.pk] > before

    return raised_by


def test_a_write_of_a_node_that_search_can_see_is_noted(space: Space, changes: Changes) -> None:
    node, draft = make_node(space, "Berth", "Ropes."), make_node(space, "Draft", "Nothing.")
    Node.objects.filter(pk=draft.pk).update(status=NodeStatus.DRAFT)
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    rows, now = Node.objects.filter(pk=node.pk), timezone.now()
    for values in (
        {"title": "Pier"},
        {"kind": "policy"},
        {"language": "pt"},
        {"tags": ["a"]},
        {"metadata": {"a": 1}},
        {"external_id": "X-1"},
        {"valid_from": now},
        {"valid_until": now + datetime.timedelta(days=1)},
        {"status": NodeStatus.ARCHIVED},
        {"status": NodeStatus.PUBLISHED},
        {"space": elsewhere},
        {"space": space},
    ):
        assert changes(lambda values=values: rows.update(**values)), values
    for values in ({"title": "Pier"}, {"updated_at": now}, {"indexed_version": 1}):
        assert not changes(lambda values=values: rows.update(**values)), values
    assert not changes(lambda: Node.objects.filter(pk=draft.pk).update(title="Other"))
    assert changes(lambda: rows._raw_delete("default"))


def test_so_is_one_of_a_relation_that_leads(space: Space, changes: Changes) -> None:
    node, other = make_node(space, "Berth", "Ropes."), make_node(space, "Quay", "Cranes.")
    suggested = Relation(source=node, target=other, status=RelationStatus.SUGGESTED)
    assert not changes(lambda: Relation.objects.bulk_create([suggested]))
    relations = Relation.objects.all()
    assert changes(lambda: relations.update(status=RelationStatus.CONFIRMED))
    assert changes(lambda: relations.update(weight=0.5))
    assert changes(lambda: relations._raw_delete("default"))
    confirmed = Relation(source=node, target=other)
    assert changes(lambda: Relation.objects.bulk_create([confirmed]))


def test_so_is_one_of_what_a_search_is_made_with(space: Space, changes: Changes) -> None:
    endpoint = ModelEndpoint.objects.create(
        name="e", purpose=Purpose.EMBEDDING, backend=Backend.OPENAI, dimensions=3
    )
    generation = IndexGeneration(
        space=space, model_key="k", dimensions=3, endpoint=endpoint, status=GenerationStatus.ACTIVE
    )
    assert changes(generation.save)
    assert changes(lambda: ModelEndpoint.objects.update(languages=["pt"]))
    assert changes(lambda: ModelEndpoint.objects.update(is_active=False))
    assert not changes(lambda: ModelEndpoint.objects.update(max_concurrency=5))
    assert changes(lambda: IndexGeneration.objects.update(has_ann_index=True))
    assert changes(lambda: IndexGeneration.objects.all().delete())
    profile = builtin_store()
    assert changes(
        lambda: ProfileActivation.objects.create(
            space=space, profile=profile, is_current=False, reason="own"
        )
    )
    for_all = ProfileActivation(profile=profile, is_current=False, reason="for all")
    assert changes(for_all.save)
    assert changes(lambda: ProfileActivation.objects.filter(pk=for_all.pk).delete())


def test_folding_the_notes_changes_no_revision(space: Space) -> None:
    other = Space.objects.create(name="Other", slug="other")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO knowledge_spacechange SELECT %s, number FROM generate_series(1, 7) number",
            [space.pk],
        )
    before = revisions_of([space.pk, other.pk])
    assert before[space.pk] == space.index_revision + 7
    assert changes_fold() == 7
    assert revisions_of([space.pk, other.pk]) == before
    assert not SpaceChange.objects.exists()
