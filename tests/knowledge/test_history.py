"""The history: what it refuses, what shows in it, what is taken out of it and what is erased."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from knowledge import services
from knowledge.bulk import rows_write
from knowledge.chains import Counts, history_problems
from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.models import (
    Erasure,
    Node,
    NodeVersion,
    PastChunk,
    Publication,
    Relation,
    RelationVersion,
    Space,
    VersionTag,
)
from knowledge.relation_history import relation_changes
from knowledge.relation_writing import relations_insert, relations_remove
from knowledge.reverting import Unwanted
from knowledge.types import Origin
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid, NotFound

pytestmark = pytest.mark.django_db

GUARD = "ALTER TABLE knowledge_nodeversion {} TRIGGER node_versions_are_immutable"
CHANGES = [
    "UPDATE knowledge_nodeversion SET content = 'X'",
    "DELETE FROM knowledge_nodeversion",
]


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    """A published node with two versions."""
    made = services.node_create(
        acting_user=owner, space=space, title="Tides", content="One.\n", status="published"
    )
    return services.node_update(acting_user=owner, node=made, content="Two.\n", reason="Counted")


def problems() -> list[tuple[str, int | None]]:
    return [(each.code, each.version) for each in history_problems(Counts())]


@pytest.fixture
def behind_the_guard() -> Any:
    """Change rows as somebody with the keys of the database could."""

    def run(sql: str, *parameters: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(GUARD.format("DISABLE"))
            cursor.execute(sql, parameters)
            cursor.execute(GUARD.format("ENABLE"))

    return run


def test_an_untouched_history_is_clean(node: Node, owner: User, space: Space) -> None:
    other = services.node_create(acting_user=owner, space=space, title="Pier", content="[[Tides]]")
    services.relation_create(acting_user=owner, source=node, target=other)
    services.node_archive(acting_user=owner, node=node)
    services.node_publish(acting_user=owner, node=node)
    services.node_delete(acting_user=owner, node=other)
    counts = Counts()
    assert list(history_problems(counts)) == []
    assert (counts.nodes, counts.relations) == (2, 2)
    assert counts.versions == 2 + 2 + 4
    out = StringIO()
    call_command("verify_history", stdout=out)
    assert "all as they were written" in out.getvalue()


@pytest.mark.parametrize(
    "change",
    ["UPDATE knowledge_nodeversion SET content = 'X'", "DELETE FROM knowledge_nodeversion"],
)
def test_the_database_refuses_to_change_the_past(node: Node, change: str) -> None:
    with (
        pytest.raises(IntegrityError, match="immutable"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)
    assert problems() == []


@pytest.mark.parametrize(
    "table",
    ["knowledge_nodeversion", "knowledge_relationversion", "knowledge_release CASCADE"],
)
def test_the_database_refuses_to_empty_the_past(node: Node, table: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits would refuse a TRUNCATE, too
        cursor.execute("SET LOCAL acervo.throwaway = ''")
        with pytest.raises(IntegrityError, match="immutable: TRUNCATE"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table}")
        cursor.execute("SET LOCAL acervo.throwaway = 'on'")
    assert NodeVersion.objects.filter(id=node.pk).exists()


def test_a_relation_has_versions_that_stay(node: Node, owner: User, space: Space) -> None:
    other = services.node_create(acting_user=owner, space=space, title="Pier")
    made = services.relation_create(acting_user=owner, source=node, target=other, weight=0.5)
    services.relation_delete(acting_user=owner, relation=made)
    rows = RelationVersion.objects.filter(id=made.pk).order_by("version")
    assert [(row.version, row.history_type, row.author_name) for row in rows] == [
        (1, "+", owner.username),
        (2, "-", owner.username),
    ]
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        rows.update(weight=1.0)


def test_an_account_that_goes_away_breaks_no_chain(space: Space, teammate: User) -> None:
    made = services.node_create(acting_user=teammate, space=space, title="Tides")
    name = teammate.username
    teammate.delete()
    row = NodeVersion.objects.get(id=made.pk)
    assert (row.history_user_id, row.author_name) == (None, name)
    assert problems() == []


@pytest.mark.parametrize(
    ("tampering", "expected"),
    [
        ("SET content = 'Never.' WHERE version = 1", [("content_changed", 1)]),
        ("SET author_name = 'somebody' WHERE version = 1", [("chain_broken", 1)]),
        (
            "SET history_date = history_date - interval '1 day' WHERE version = 2",
            [("chain_broken", 2)],
        ),
        ("SET history_change_reason = 'Other' WHERE version = 2", [("chain_broken", 2)]),
        (
            "SET content = '', erased_at = history_date WHERE version = 1",
            [("erased_by_nobody", 1)],
        ),
    ],
)
def test_a_changed_past_shows(
    node: Node,
    behind_the_guard: Callable[..., None],
    tampering: str,
    expected: list[tuple[str, int]],
) -> None:
    behind_the_guard(f"UPDATE knowledge_nodeversion {tampering}")
    assert problems() == expected
    with pytest.raises(CommandError, match="was changed"):
        call_command("verify_history", stdout=StringIO())


def test_a_missing_version_shows(node: Node, behind_the_guard: Callable[..., None]) -> None:
    behind_the_guard("DELETE FROM knowledge_nodeversion WHERE version = 1")
    assert [code for code, _version in problems()] == ["gap", "chain_broken"]


def test_missing_last_versions_and_lone_rows_show(
    node: Node, behind_the_guard: Callable[..., None]
) -> None:
    behind_the_guard("DELETE FROM knowledge_nodeversion WHERE version = 2")
    assert problems() == [("not_the_last", 2)]
    behind_the_guard("DELETE FROM knowledge_nodeversion")
    assert problems() == [("no_history", None)]


def test_a_row_that_is_not_its_version_shows(
    node: Node, behind_the_guard: Callable[..., None]
) -> None:
    behind_the_guard("UPDATE knowledge_node SET content = 'Mine.'")
    assert problems() == [("not_its_version", 2)]
    behind_the_guard("DELETE FROM knowledge_publication")
    assert ("publication", 2) in problems()


def test_the_report_for_programs_has_the_heads(node: Node) -> None:
    out = StringIO()
    call_command("verify_history", "--json", "--heads", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["problems"] == []
    last = NodeVersion.objects.get(id=node.pk, version=2)
    assert answer["heads"] == {str(node.pk): last.chain}
    with pytest.raises(CommandError, match="There are: "):
        call_command("verify_history", "--space", "nowhere", stdout=StringIO())


def test_a_save_past_the_services_is_refused(node: Node) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        node.save()
    with pytest.raises(RuntimeError), transaction.atomic():
        node.delete()
    assert problems() == []


def test_times_of_publication_follow_the_node(node: Node, owner: User) -> None:
    services.node_archive(acting_user=owner, node=node)
    services.node_update(acting_user=owner, node=node, content="Three.\n")
    services.node_publish(acting_user=owner, node=node)
    first, second, third = Publication.objects.filter(node_id=node.pk).order_by("started_at")
    assert [first.version, second.version, third.version] == [1, 2, 3]
    assert first.ended_at == second.started_at
    assert second.ended_at is not None
    assert second.ended_at < third.started_at
    assert third.ended_at is None
    services.node_delete(acting_user=owner, node=node)
    assert not Publication.objects.filter(node_id=node.pk, ended_at=None).exists()


def test_a_tag_names_one_version(node: Node, owner: User, stranger: User) -> None:
    services.version_tag(acting_user=owner, node=node, version=1, name="  board  2026 ")
    services.version_tag(acting_user=owner, node=node, version=1, name="board 2026")
    assert VersionTag.objects.get().name == "board 2026"
    with pytest.raises(Conflict) as refusal:
        services.version_tag(acting_user=owner, node=node, version=2, name="board 2026")
    assert refusal.value.details == {"version": 1}
    with pytest.raises(Invalid):
        services.version_tag(acting_user=owner, node=node, version=9, name="later")
    with pytest.raises(Invalid):
        services.version_tag(acting_user=owner, node=node, version=1, name=" ")
    with pytest.raises(NotFound):
        services.version_untag(acting_user=stranger, node=node, name="board 2026")
    services.version_untag(acting_user=owner, node=node, name="board 2026")
    assert not VersionTag.objects.exists()


def test_two_versions_differ_in_their_relations_too(node: Node, owner: User, space: Space) -> None:
    pier = services.node_create(acting_user=owner, space=space, title="Pier")
    quay = services.node_create(acting_user=owner, space=space, title="Quay")
    services.relation_create(acting_user=owner, source=node, target=quay, kind="part_of")
    services.node_update(acting_user=owner, node=node, content="See [[Pier]].")
    versions = {row.version: row for row in NodeVersion.objects.filter(id=node.pk)}
    changes = relation_changes(versions[2], versions[3])
    assert [(each.old, each.new.target_id) for each in changes] == [(None, pier.pk)]
    assert [each.version.target_id for each in relation_changes(versions[1], versions[2])] == [
        quay.pk
    ]
    assert relation_changes(versions[3], versions[3]) == []


# -- taking out in bulk --------------------------------------------------------------------------


def test_one_authors_changes_are_taken_out_and_others_stay(
    node: Node, owner: User, teammate: User, space: Space
) -> None:
    text = "First.\n\nSecond.\n\nThird.\n"
    mixed = services.node_create(acting_user=owner, space=space, title="Mixed", content=text)
    services.node_update(acting_user=teammate, node=mixed, content=text.replace("First", "Wrong"))
    services.node_update(
        acting_user=owner, node=mixed, content=text.replace("First", "Wrong").replace("Th", "F")
    )
    theirs = services.node_create(acting_user=teammate, space=space, title="Spam")
    clash = services.node_create(acting_user=owner, space=space, title="Clash", content="A\n")
    services.node_update(acting_user=teammate, node=clash, content="B\n")
    services.node_update(acting_user=owner, node=clash, content="C\n")
    plan = services.nodes_revert(acting_user=owner, unwanted=Unwanted(space, author=teammate))
    assert {each.node.title: each.outcome for each in plan.nodes} == {
        "Mixed": "revert",
        "Spam": "archive",
        "Clash": "conflict",
    }
    mixed.refresh_from_db()
    assert mixed.content == text.replace("Th", "F")
    row = NodeVersion.objects.get(id=mixed.pk, version=mixed.version)
    assert (row.change_origin, row.author_name) == (VersionOrigin.REVERT, owner.username)
    theirs.refresh_from_db()
    clash.refresh_from_db()
    node.refresh_from_db()
    assert theirs.status == NodeStatus.ARCHIVED
    assert (clash.content, node.version) == ("C\n", 2)
    assert problems() == []
    again = services.nodes_revert(acting_user=owner, unwanted=Unwanted(space, author=teammate))
    assert {each.outcome for each in again.nodes} == {"unchanged", "conflict"}


def test_an_imports_nodes_and_relations_are_taken_out(
    owner: User, space: Space, node: Node
) -> None:
    origin = Origin(VersionOrigin.IMPORT, node.pk)
    rows = [{"title": "Kept", "external_id": "k", "content": "new"}, {"title": "New"}]
    old = services.node_create(
        acting_user=owner, space=space, title="Kept", external_id="k", content="old"
    )
    made = rows_write(owner, space, rows, origin=origin)
    relations_insert([Relation(source=made[1], target=old)], author=owner, origin=origin)
    services.nodes_revert(acting_user=owner, unwanted=Unwanted(space, origin=origin))
    old.refresh_from_db()
    assert old.content == "old"
    assert Node.objects.get(pk=made[1].pk).status == NodeStatus.ARCHIVED
    assert not Relation.objects.exists()
    assert problems() == []


def test_what_a_proposal_archived_is_published_again(owner: User, space: Space) -> None:
    space.required_approvals = 0
    space.save()
    quay, pier, berth = [
        services.node_create(acting_user=owner, space=space, title=title, status="published")
        for title in ("Quay", "Pier", "Berth")
    ]
    proposal = services.proposal_create(acting_user=owner, space=space, title="Tidy")
    changes = [
        {"action": "archive", "node": quay.pk},
        {"action": "archive", "node": pier.pk},
        {"action": "edit", "node": berth.pk, "fields": {"status": "archived", "content": "Old.\n"}},
    ]
    services.changes_add(acting_user=owner, proposal=proposal, changes=changes)
    services.proposal_submit(acting_user=owner, proposal=proposal)
    services.proposal_merge(acting_user=owner, proposal=proposal)
    services.node_publish(acting_user=owner, node=pier)
    services.node_archive(acting_user=owner, node=pier)  # by somebody who saw it public again
    unwanted = Unwanted(space, origin=Origin(VersionOrigin.PROPOSAL, proposal.pk))
    plan = services.nodes_revert(acting_user=owner, unwanted=unwanted)
    assert {each.node.title: each.outcome for each in plan.nodes} == {
        "Quay": "restore",
        "Berth": "revert",
    }
    for node in (quay, pier, berth):
        node.refresh_from_db()
    assert [node.status for node in (quay, pier, berth)] == ["published", "archived", "published"]
    assert berth.content == ""
    assert Publication.objects.get(node_id=berth.pk, ended_at=None).version == berth.version
    assert problems() == []


def test_a_relation_that_came_and_went_does_not_come_back(
    owner: User, teammate: User, space: Space, node: Node
) -> None:
    other = services.node_create(acting_user=owner, space=space, title="Other")
    services.node_update(acting_user=teammate, node=other, content="x\n")
    made = relations_insert([Relation(source=node, target=other)], author=teammate)
    relations_remove(made, author=teammate)
    plan = services.nodes_revert(acting_user=owner, unwanted=Unwanted(space, author=teammate))
    assert (plan.relations_removed, plan.relations_restored) == ([], [])
    assert not Relation.objects.exists()


def test_changes_of_relations_are_taken_out_field_by_field(
    owner: User, teammate: User, space: Space, node: Node
) -> None:
    pier = services.node_create(acting_user=owner, space=space, title="Pier")
    made = services.relation_create(acting_user=owner, source=node, target=pier, weight=0.5)
    services.relation_update(
        acting_user=teammate, relation=made, weight=0.1, status="suggested", kind="part_of"
    )
    services.relation_update(acting_user=owner, relation=made, status="confirmed")
    plan = services.nodes_revert(acting_user=owner, unwanted=Unwanted(space, author=teammate))
    made.refresh_from_db()
    assert (made.weight, made.kind, made.status, made.version) == (
        0.5,
        "related_to",
        "confirmed",
        4,
    )
    assert len(plan.relations_changed) == 1
    assert problems() == []
    again = services.nodes_revert(acting_user=owner, unwanted=Unwanted(space, author=teammate))
    assert again.relations_changed == []


def test_a_bulk_revert_needs_a_curator_and_somebody_to_revert(
    space: Space, teammate: User, owner: User, stranger: User
) -> None:
    with pytest.raises(Forbidden):
        services.nodes_revert(acting_user=teammate, unwanted=Unwanted(space, author=owner))
    with pytest.raises(NotFound):
        services.nodes_revert(acting_user=stranger, unwanted=Unwanted(space, author=owner))
    with pytest.raises(Invalid):
        services.nodes_revert(acting_user=owner, unwanted=Unwanted(space))


# -- erasing -------------------------------------------------------------------------------------


def test_an_erased_version_leaves_a_tombstone(node: Node, owner: User, space: Space) -> None:
    chain = NodeVersion.objects.get(id=node.pk, version=1).chain
    PastChunk.objects.filter(node_id=node.pk).delete()
    erasure = services.versions_erase(
        acting_user=owner, space=space, node_id=node.pk, versions=[1], reason="Court order 7"
    )
    row = NodeVersion.objects.get(id=node.pk, version=1)
    assert (row.title, row.content, row.chain) == ("", "", chain)
    assert row.erased_at is not None
    assert Erasure.objects.get() == erasure
    assert problems() == []
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        NodeVersion.objects.filter(version=2).update(content="")


def test_a_whole_node_can_be_erased(node: Node, owner: User, space: Space) -> None:
    services.versions_erase(acting_user=owner, space=space, node_id=node.pk, reason="Court order")
    assert not Node.objects.filter(pk=node.pk).exists()
    rows = NodeVersion.objects.filter(id=node.pk)
    assert {(row.title, row.content) for row in rows} == {("", "")}
    assert rows.count() == 3
    assert problems() == []


def test_who_may_erase_what(
    node: Node, owner: User, teammate: User, stranger: User, space: Space
) -> None:
    def erase(user: User, **options: Any) -> None:
        services.versions_erase(
            acting_user=user, space=space, node_id=node.pk, **{"reason": "Order", **options}
        )

    for user, expected in ((teammate, Forbidden), (stranger, NotFound)):
        with pytest.raises(expected):
            erase(user)
    for options in ({"versions": [1], "reason": " "}, {"versions": [9]}, {"versions": []}):
        with pytest.raises(Invalid):
            erase(owner, **options)
    with pytest.raises(Conflict):
        erase(owner, versions=[2])
    assert problems() == []
