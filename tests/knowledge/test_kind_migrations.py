"""Changing a kind's schema with all its nodes: planned, tried, done at once, and undone."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from knowledge import services
from knowledge.choices import (
    KindMigrationStatus,
    MigratedState,
    NodeStatus,
    VersionOrigin,
)
from knowledge.indexing import index_node
from knowledge.kind_work import migration_work
from knowledge.models import (
    Chunk,
    Kind,
    KindMigration,
    Node,
    NodeVersion,
    PastChunk,
    PastVector,
    Space,
)
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, NotFound
from tests.support.migrating import (
    NEW,
    done,
    made,
    metadata_of,
    planned,
    three_nodes,
    undone,
)


@pytest.fixture
def kind(owner: User, space: Space) -> Kind:
    return services.kind_create(acting_user=owner, space=space, name="policy")


@pytest.fixture
def nodes(owner: User, space: Space, kind: Kind) -> list[Node]:
    return three_nodes(owner, space)


def test_a_plan_says_what_happens_to_every_node_and_changes_none(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    before = metadata_of(nodes)
    migration = planned(owner, kind)
    assert migration.status == KindMigrationStatus.VALIDATED
    assert migration.counts == {
        "nodes": 3, "changed": 3, "unchanged": 0, "invalid": 0, "conflict": 0,
        "steps": [3, 2, 1, 1],
    }  # fmt: skip
    row = migration.nodes.get(node_id=nodes[1].pk)
    assert row.before == {"mail": "bia@example.org", "fax": "1"}
    assert row.after == {"contact": {"email": "bia@example.org"}, "level": 1}
    assert row.changed_by == [0, 2, 3]
    assert metadata_of(nodes) == before
    kind.refresh_from_db()
    assert (kind.schema_version, kind.metadata_schema) == (1, {})


def test_a_node_that_would_not_fit_keeps_the_plan_from_being_valid(
    owner: User, space: Space, kind: Kind, nodes: list[Node]
) -> None:
    bad = made(owner, space, "dora", metadata={"mail": "nowhere", "level": "many"})
    worse = made(owner, space, "edu", metadata={"level": 0})
    migration = planned(owner, kind)
    assert migration.status == KindMigrationStatus.PLANNED
    assert migration.counts["invalid"] == 2
    problems = migration.nodes.get(node_id=bad.pk).problems
    assert [each["path"] for each in problems] == ["level"]
    assert "Step 2" in problems[0]["message"]
    problems = migration.nodes.get(node_id=worse.pk).problems
    assert {each["path"] for each in problems} == {"contact", "level"}
    with pytest.raises(Conflict) as caught:
        services.kind_migration_apply(acting_user=owner, migration=migration)
    assert (caught.value.code, caught.value.details["invalid"]) == ("nodes_invalid", 2)
    services.node_delete(acting_user=owner, node=worse)
    services.node_update(acting_user=owner, node=bad, metadata={"mail": "d@example.org"})
    again = services.kind_migration_replan(acting_user=owner, migration=migration)
    assert again.status == KindMigrationStatus.VALIDATED


def test_a_trial_stores_nothing(owner: User, kind: Kind, nodes: list[Node]) -> None:
    trial = services.kind_migration_try(acting_user=owner, kind=kind, schema=NEW, steps=[])
    assert trial.migration.counts["invalid"] == 3
    assert trial.rows[0].problems
    assert not KindMigration.objects.exists()


def test_all_nodes_follow_as_versions_with_the_migration_as_their_origin(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    migration = done(owner, planned(owner, kind))
    assert (migration.status, migration.error_code) == (KindMigrationStatus.COMPLETED, "")
    assert metadata_of(nodes)[0] == {"contact": {"email": "ana@example.org"}, "level": 2}
    kind.refresh_from_db()
    assert (kind.schema_version, kind.metadata_schema) == (2, NEW)
    for node in nodes:
        version = NodeVersion.objects.get(id=node.pk, version=2)
        assert (version.change_origin, version.change_origin_id) == (
            VersionOrigin.MIGRATION,
            migration.pk,
        )
        assert version.parents == [1]
        assert migration.nodes.get(node_id=node.pk).version_after == 2


def test_the_old_metadata_is_kept_in_a_file(owner: User, kind: Kind, nodes: list[Node]) -> None:
    migration = done(owner, planned(owner, kind))
    kept = json.loads((Path(settings.ACERVO_DATA) / migration.backup).read_text())
    assert kept["schema"] == {}
    assert {each["node"]: each["metadata"] for each in kept["nodes"]} == {
        str(node.pk): node.metadata for node in nodes
    }


def test_drafts_and_archived_nodes_of_all_spaces_follow_too(
    owner: User, admin_user: User, space: Space
) -> None:
    shared = services.kind_create(acting_user=admin_user, space=None, name="policy")
    other = Space.objects.create(name="Other", slug="other")
    own = Space.objects.create(name="Own", slug="own")
    services.kind_create(acting_user=admin_user, space=own, name="policy")
    draft = made(owner, space, "ana")
    archived = made(admin_user, other, "bia", status=NodeStatus.PUBLISHED)
    services.node_archive(acting_user=admin_user, node=archived)
    apart = made(admin_user, own, "caio")
    done(admin_user, planned(admin_user, shared))
    assert [len(each) for each in metadata_of([draft, archived])] == [2, 2]
    assert metadata_of([apart]) == [apart.metadata]


def test_passages_stay_and_stand_for_the_new_version(
    owner: User, kind: Kind, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    index_node(nodes[2].pk)
    before = Chunk.objects.get(node=nodes[2])
    monkeypatch.setattr("knowledge.indexing.embed_texts", None)  # nothing is embedded
    done(owner, planned(owner, kind))
    after = Chunk.objects.get(node=nodes[2])
    assert (after.pk, after.version, after.text) == (before.pk, 2, before.text)
    assert Node.objects.get(pk=nodes[2].pk).indexed_version == 2


def test_the_way_back_restores_all_of_it_as_new_versions(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    before = metadata_of(nodes)
    migration = undone(owner, done(owner, planned(owner, kind)))
    assert migration.status == KindMigrationStatus.ROLLED_BACK
    assert metadata_of(nodes) == before
    assert {node.version for node in Node.objects.all()} == {3}
    kind.refresh_from_db()
    assert (kind.schema_version, kind.metadata_schema) == (1, {})
    assert migration.nodes.get(node_id=nodes[0].pk).version_undone == 3


def test_the_way_back_keeps_edits_of_other_fields(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    migration = done(owner, planned(owner, kind))
    services.node_update(acting_user=owner, node=nodes[2], title="New", content="New text.")
    edited = {"contact": {"email": "bia@example.org"}, "level": 5}
    assert services.node_update(acting_user=owner, node=nodes[1], metadata=edited).version == 3
    undone(owner, migration)
    migration.refresh_from_db()
    assert (migration.status, migration.error_code) == (
        KindMigrationStatus.COMPLETED,
        "nodes_conflict",
    )  # she had no level before: the edit and the way back both change it
    row = migration.nodes.get(state=MigratedState.CONFLICT)
    assert (row.node_id, [each["path"] for each in row.problems]) == (nodes[1].pk, ["level"])
    assert {node.version for node in Node.objects.exclude(pk=nodes[1].pk)} == {2, 3}
    undone(owner, migration, keep_later=True)
    assert migration.status == KindMigrationStatus.ROLLED_BACK
    assert metadata_of(nodes)[1] == {"mail": "bia@example.org", "fax": "1", "level": 5}
    assert Node.objects.get(pk=nodes[2].pk).content == "New text."


def test_the_way_back_names_newer_nodes_that_the_old_schema_refuses(
    owner: User, space: Space, kind: Kind
) -> None:
    old = {"type": "object", "required": ["mail"]}
    kind = services.kind_update(acting_user=owner, kind=kind, metadata_schema=old)
    made(owner, space, "ana")
    migration = done(owner, planned(owner, kind))
    newer = made(owner, space, "new", metadata={"contact": {"email": "n@example.org"}})
    undone(owner, migration)
    assert migration.error_code == "nodes_conflict"
    assert migration.nodes.get(state=MigratedState.CONFLICT).node_id == newer.pk
    services.node_delete(acting_user=owner, node=newer)
    assert undone(owner, migration).status == KindMigrationStatus.ROLLED_BACK
    assert not migration.nodes.filter(state=MigratedState.CONFLICT).exists()


def test_only_the_last_migration_of_a_kind_goes_back(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    first = done(owner, planned(owner, kind))
    kind.refresh_from_db()
    done(owner, planned(owner, kind, schema={}, steps=[]))
    with pytest.raises(Conflict) as caught:
        services.kind_migration_rollback(acting_user=owner, migration=first)
    assert caught.value.code == "schema_changed"


def test_migrations_are_for_managers(
    owner: User, teammate: User, stranger: User, kind: Kind, nodes: list[Node]
) -> None:
    migration = planned(owner, kind)
    with pytest.raises(Forbidden):
        planned(teammate, kind)
    for user in (teammate, stranger):
        with pytest.raises(NotFound):
            services.kind_migration_apply(acting_user=user, migration=migration)


def test_one_who_is_no_manager_any_more_migrates_nothing(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    owner.groups.clear()
    migration_work(migration.pk)
    migration.refresh_from_db()
    assert migration.status == KindMigrationStatus.FAILED
    assert {node.version for node in Node.objects.all()} == {1}


def test_a_large_plan_is_made_by_a_worker(
    owner: User, kind: Kind, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.services.kinds.PLANNED_AT_ONCE", 2)
    migration = planned(owner, kind)
    assert (migration.status, migration.counts) == (KindMigrationStatus.RUNNING, {})
    migration_work(migration.pk)
    migration.refresh_from_db()
    assert (migration.status, migration.counts["nodes"]) == (KindMigrationStatus.VALIDATED, 3)


def test_a_thousand_nodes_take_few_statements(
    owner: User, space: Space, kind: Kind, django_assert_max_num_queries: Any
) -> None:
    rows: list[Any] = [
        {"title": f"n{n}", "kind": "policy", "external_id": str(uuid.uuid4()), "content": "Text.\n",
         "status": "published" if n % 2 else "draft", "metadata": {"mail": "a@example.org"}}
        for n in range(1000)
    ]  # fmt: skip
    services.nodes_upsert(acting_user=owner, space=space, rows=rows)
    with django_assert_max_num_queries(20):
        migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    with django_assert_max_num_queries(120):
        migration_work(migration.pk)
    migration.refresh_from_db()
    assert (migration.status, migration.counts["changed"]) == (KindMigrationStatus.COMPLETED, 1000)
    assert Node.objects.filter(version=2, metadata__level=1).count() == 1000


def test_an_edit_of_facts_alone_embeds_nothing_and_keeps_the_past(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = made(owner, space, "ana", status=NodeStatus.PUBLISHED, content="Some text of tides.\n")
    index_node(node.pk)
    with monkeypatch.context() as patched:
        patched.setattr("knowledge.indexing.embed_texts", None)
        for number in range(3):
            services.node_update(acting_user=owner, node=node, tags=[f"t{number}"])
            assert index_node(node.pk)
    assert Chunk.objects.get(node=node).version == 4
    assert sorted(PastChunk.objects.values_list("version", flat=True)) == [1, 2, 3]
    assert PastVector.objects.count() == 3
    services.node_update(acting_user=owner, node=node, content="Some other text of moons.\n")
    index_node(node.pk)
    assert Chunk.objects.get(node=node).text.startswith("Some other")
    assert PastChunk.objects.count() == 4
