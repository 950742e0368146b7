"""Relations that a branch and others changed meanwhile, or whose ends they did away with."""

import uuid
from typing import Any

import pytest

from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.models import Relation, Space
from project.accounts.models import User
from tests.support.desk import TEXT, Desk, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(owner: User, space: Space) -> Desk:
    return Desk(owner, space)


def test_a_relation_to_a_node_that_is_archived_by_now(desk: Desk) -> None:
    source, target = desk.node("Source"), desk.node("Target")
    desk.propose("relate", source=source.pk, target=target.pk, kind="explains")
    services.node_archive(acting_user=desk.user, node=target)
    conflict = desk.only("end_archived")
    assert (conflict.field, conflict.others) == ("target", (str(target.pk),))
    desk.settle(conflict, choice="ours")
    assert Relation.objects.get().kind == "explains"


def test_a_relation_to_a_node_that_is_deleted_by_now(desk: Desk) -> None:
    source, target = desk.node("Source"), desk.node("Target")
    desk.propose("relate", source=source.pk, target=target.pk)
    desk.edit(source, tags=["sea"])
    services.node_delete(acting_user=desk.user, node=target)
    conflict = desk.only("end_deleted")
    assert conflict.choices == ("theirs",)
    desk.settle(conflict, choice="theirs")
    assert (Relation.objects.count(), stored(source).tags) == (0, ["sea"])


def test_a_relation_to_a_node_that_the_proposal_archives_itself(desk: Desk) -> None:
    source, target = desk.node("Source"), desk.node("Target")
    desk.propose("relate", source=source.pk, target=target.pk)
    desk.propose("archive", node=target.pk)
    desk.settle(desk.only("end_archived"), choice="theirs")
    assert not Relation.objects.exists()


def test_a_relation_to_a_node_that_the_proposal_makes(desk: Desk) -> None:
    source = desk.node("Source")
    pk = uuid.uuid4()
    desk.propose("create", node=pk, fields={"title": "Target"})
    desk.propose("relate", source=source.pk, target=pk, fields={"weight": 0.5})
    desk.merge()
    relation = Relation.objects.get()
    assert (relation.target_id, relation.weight, relation.version) == (pk, 0.5, 1)
    assert relation.versions.get().change_origin_id == desk.proposal.pk


@pytest.mark.parametrize("by_link", [False, True])
def test_the_branch_archives_what_others_have_begun_to_use(desk: Desk, *, by_link: bool) -> None:
    node, other = desk.node(status="published"), desk.node("Other")
    desk.propose("archive", node=node.pk)
    if by_link:
        desk.meanwhile(other, content="See [[Tides]].")
    else:
        services.relation_create(acting_user=desk.user, source=other, target=node)
    conflict = desk.only("archived_related")
    assert conflict.theirs == ["Other"]
    desk.settle(conflict, choice="theirs")
    assert stored(node).status == NodeStatus.PUBLISHED


def test_what_was_related_before_the_branch_began_is_archived_with_it_in_mind(desk: Desk) -> None:
    node, other = desk.node(), desk.node("Other")
    services.relation_create(acting_user=desk.user, source=other, target=node)
    desk.propose("archive", node=node.pk)
    desk.merge()
    assert stored(node).status == NodeStatus.ARCHIVED


def test_a_link_to_a_node_that_is_archived_by_now(desk: Desk) -> None:
    node, target = desk.node(), desk.node("Harbour")
    desk.edit(node, content=TEXT + "\nSee [[Harbour]].\n")
    services.node_archive(acting_user=desk.user, node=target)
    conflict = desk.only("link_to_archived")
    assert (conflict.others, conflict.choices) == ((str(target.pk),), ("ours",))
    desk.settle(conflict, choice="ours")
    assert "[[Harbour]]" in stored(node).content


def relation_of(desk: Desk, **values: Any) -> Relation:
    return services.relation_create(
        acting_user=desk.user, source=desk.node("Source"), target=desk.node("Target"), **values
    )


def test_relations_are_merged_value_by_value(desk: Desk) -> None:
    from knowledge.relation_writing import relation_write

    relation = relation_of(desk, weight=0.2, metadata={"a": 1, "b": 1})
    desk.propose(
        "relation_edit",
        relation=relation.pk,
        fields={"weight": 0.9, "metadata": {"a": 2, "b": 1}},
    )
    theirs = Relation.objects.get(pk=relation.pk)
    theirs.metadata = {"a": 3, "b": 2}
    relation_write(theirs, Relation.objects.get(pk=relation.pk), author=desk.user)
    conflict = desk.only("relation_value")
    assert (conflict.field, conflict.path, conflict.ours) == ("metadata", ("a",), 2)
    desk.settle(conflict, choice="ours")
    after = Relation.objects.get()
    assert (after.weight, after.metadata, after.version) == (0.9, {"a": 2, "b": 2}, 3)


@pytest.mark.parametrize(("choice", "count"), [("ours", 0), ("theirs", 1)])
def test_the_removal_of_a_relation_that_was_changed(desk: Desk, choice: str, count: int) -> None:
    from knowledge.relation_writing import relation_write

    relation = relation_of(desk)
    desk.propose("unrelate", relation=relation.pk)
    theirs = Relation.objects.get(pk=relation.pk)
    theirs.weight = 0.1
    relation_write(theirs, Relation.objects.get(pk=relation.pk), author=desk.user)
    desk.settle(desk.only("relation_changed"), choice=choice)
    assert Relation.objects.count() == count


@pytest.mark.parametrize(("choice", "count"), [("ours", 1), ("theirs", 0)])
def test_the_change_of_a_relation_that_was_removed(desk: Desk, choice: str, count: int) -> None:
    relation = relation_of(desk, weight=0.3)
    desk.propose("relation_edit", relation=relation.pk, fields={"metadata": {"a": 1}})
    services.relation_delete(acting_user=desk.user, relation=relation)
    desk.settle(desk.only("relation_deleted"), choice=choice)
    rows = Relation.objects.values_list("weight", "metadata")
    assert list(rows) == [(0.3, {"a": 1})] * count


def test_a_removed_relation_is_gone_and_one_that_both_removed_too(desk: Desk) -> None:
    relation = relation_of(desk)
    desk.propose("unrelate", relation=relation.pk)
    services.relation_delete(acting_user=desk.user, relation=relation)
    desk.merge()
    assert not Relation.objects.exists()


def test_a_relation_that_both_made_is_made_once(desk: Desk) -> None:
    source, target = desk.node("Source"), desk.node("Target")
    desk.propose("relate", source=source.pk, target=target.pk, fields={"weight": 0.4})
    services.relation_create(acting_user=desk.user, source=source, target=target, weight=0.6)
    conflict = desk.only("relation_value")
    desk.settle(conflict, value=0.5)
    assert Relation.objects.get().weight == 0.5


def test_a_relation_that_the_merged_text_makes_as_well(desk: Desk) -> None:
    source, target = desk.node("Source"), desk.node("Target")
    desk.edit(source, content="See [[Target]].")
    desk.propose(
        "relate", source=source.pk, target=target.pk, kind="links_to", fields={"weight": 0.5}
    )
    desk.merge()
    assert Relation.objects.get().weight == 0.5
