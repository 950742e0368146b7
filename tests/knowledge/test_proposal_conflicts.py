"""What a branch and what others wrote meanwhile cannot both have, and how that is settled."""

from typing import Any

import pytest

from knowledge import services
from knowledge.models import Node, NodeVersion, Space
from knowledge.proposal_conflicts import MergeRefused
from project.accounts.models import User
from project.http.errors import Invalid
from tests.support.desk import MINE, THEIRS, Desk, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(owner: User, space: Space) -> Desk:
    return Desk(owner, space)


@pytest.mark.parametrize(
    ("resolution", "first"),
    [
        ({"choice": "ours"}, "The tide comes at two.\n"),
        ({"choice": "theirs"}, "The tide comes at one.\n"),
        ({"choice": "base"}, "The tide comes at noon.\n"),
        ({"choice": "both"}, "The tide comes at two.\nThe tide comes at one.\n"),
        ({"text": "It comes.\n"}, "It comes.\n"),
    ],
)
def test_a_part_of_a_text_takes_a_side_or_words_of_its_own(
    desk: Desk, resolution: dict[str, str], first: str
) -> None:
    node = desk.node()
    desk.edit(node, content=MINE)
    desk.meanwhile(node, content=THEIRS.replace("Boats", "Ferries"))
    conflict = desk.only("text")
    assert (conflict.field, conflict.part, conflict.node) == ("content", 0, node.pk)
    desk.settle(conflict, **resolution)
    assert stored(node).content == first + "\nFerries wait in the harbour.\n"
    versions = NodeVersion.objects.filter(id=node.pk, version=3)
    parents = [row.parents for row in versions]
    assert parents == ([] if resolution == {"choice": "theirs"} else [[2, 1]])
    change = desk.proposal.changes.get()
    assert list(change.resolutions) == [conflict.id]


def test_two_conflicts_of_one_text_are_settled_each(desk: Desk) -> None:
    other = desk.node("Other", content="One.\n\nThe middle stays.\n\nTwo.\n")
    desk.edit(other, content="Mine one.\n\nThe middle stays.\n\nMine two.\n")
    desk.meanwhile(other, content="Their one.\n\nThe middle stays.\n\nTheir two.\n")
    first, second = desk.conflicts()
    desk.merge({first.id: {"choice": "theirs"}, second.id: {"choice": "ours"}})
    assert stored(other).content == "Their one.\n\nThe middle stays.\n\nMine two.\n"


def test_both_sides_renamed(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, title="High tides")
    desk.meanwhile(node, title="Low tides")
    conflict = desk.only("renamed")
    assert (conflict.base, conflict.ours, conflict.theirs) == ("Tides", "High tides", "Low tides")
    desk.settle(conflict, value="All tides")
    assert stored(node).title == "All tides"


def test_a_value_that_no_node_may_have_is_refused(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, title="High tides", tags=["sea"])
    desk.meanwhile(node, title="Low tides")
    conflict = desk.only("renamed")
    for value in ("", "x" * 400, 7, None):
        with pytest.raises(Invalid):
            desk.settle(conflict, value=value)
    assert stored(node).title == "Low tides"


def test_one_place_in_metadata(desk: Desk) -> None:
    node = desk.node(metadata={"a": {"b": 1, "c": 1}})
    desk.edit(node, metadata={"a": {"b": 2, "c": 1}})
    desk.meanwhile(node, metadata={"a": {"b": 3}})
    conflict = desk.only("metadata")
    assert conflict.path == ("a", "b")
    desk.settle(conflict, choice="theirs")
    assert stored(node).metadata == {"a": {"b": 3}}


def test_a_field_that_both_set(desk: Desk, teammate: User, owner: User) -> None:
    node = desk.node()
    desk.edit(node, owner=teammate.pk, kind="policy")
    services.node_update(acting_user=owner, node=node, kind="faq")
    conflict = desk.only("field")
    desk.settle(conflict, choice="ours")
    after = stored(node)
    assert (after.kind, after.owner) == ("policy", teammate)


@pytest.mark.parametrize(("choice", "status"), [("ours", "archived"), ("theirs", "published")])
def test_the_branch_archives_what_others_went_on_writing(
    desk: Desk, choice: str, status: str
) -> None:
    node = desk.node(status="published")
    desk.propose("archive", node=node.pk)
    desk.meanwhile(node, content=THEIRS)
    desk.settle(desk.only("archived_edited"), choice=choice)
    after = stored(node)
    assert (after.status, after.content) == (status, THEIRS)
    assert (after.indexed_version is not None) is (status == "published")


@pytest.mark.parametrize(("choice", "status"), [("ours", "published"), ("theirs", "archived")])
def test_the_branch_edits_what_others_archived(desk: Desk, choice: str, status: str) -> None:
    node = desk.node(status="published")
    desk.edit(node, content=MINE)
    services.node_archive(acting_user=desk.user, node=node)
    desk.settle(desk.only("archived_edited"), choice=choice)
    assert (stored(node).status, stored(node).content) == (status, MINE)


def test_a_node_that_was_published_meanwhile_stays_so(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, content=MINE)
    services.node_publish(acting_user=desk.user, node=node)
    desk.merge()
    after = stored(node)
    assert (after.status, after.content, after.indexed_version) == ("published", MINE, 2)


def test_a_deleted_node_is_stored_again_as_a_new_one_or_left_out(desk: Desk) -> None:
    for title in ("Tides", "Ebb"):
        node = desk.node(title, status="published")
        desk.edit(node, content=MINE)
        services.node_delete(acting_user=desk.user, node=node)
    first, second = desk.conflicts()
    for conflict in (first, second):
        assert (conflict.kind, conflict.choices) == ("deleted", ("ours", "theirs"))
    desk.merge({first.id: {"choice": "ours"}, second.id: {"choice": "theirs"}})
    again = Node.objects.get()
    assert (again.title, again.content, again.version) == ("Tides", MINE, 1)
    assert again.indexed_version == 1


def test_the_archiving_of_a_deleted_node_is_done_already(desk: Desk) -> None:
    node = desk.node()
    desk.propose("archive", node=node.pk)
    services.node_delete(acting_user=desk.user, node=node)
    desk.merge()
    assert not Node.objects.exists()


def test_a_created_node_whose_title_exists_by_now(desk: Desk) -> None:
    desk.propose("create", fields={"title": "Lanterns", "content": "Mine."})
    taken = desk.node("lanterns", content="Theirs.")
    conflict = desk.only("title_taken")
    assert conflict.others == (str(taken.pk),)
    desk.settle(conflict, value="Lanterns at night")
    assert {node.title for node in Node.objects.all()} == {"lanterns", "Lanterns at night"}


@pytest.mark.parametrize(("choice", "count"), [("ours", 2), ("theirs", 1)])
def test_a_title_is_shared_or_its_creation_left_out(desk: Desk, choice: str, count: int) -> None:
    desk.propose("create", fields={"title": "Lanterns"})
    desk.node("Lanterns")
    desk.settle(desk.only("title_taken"), choice=choice)
    assert Node.objects.count() == count


def test_a_new_name_that_is_taken_as_well_is_a_conflict_again(desk: Desk) -> None:
    desk.propose("create", fields={"title": "Lanterns"})
    desk.node("Lanterns")
    desk.node("Lamps")
    first = desk.only("title_taken")
    with pytest.raises(MergeRefused) as refusal:
        desk.settle(first, value="Lamps")
    (second,) = refusal.value.conflicts
    assert (second.kind, second.ours) == ("title_taken", "Lamps")
    desk.merge({first.id: {"value": "Lamps"}, second.id: {"value": "Lights"}})
    assert Node.objects.filter(title="Lights").exists()


def test_two_nodes_of_a_proposal_with_one_title(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, title="Lanterns")
    desk.propose("create", fields={"title": "lanterns"})
    desk.settle(desk.only("title_twice"), choice="theirs")
    assert [each.title for each in Node.objects.all()] == ["Lanterns"]


def test_titles_that_change_places_are_no_conflict(desk: Desk) -> None:
    first, second = desk.node("First"), desk.node("Second")
    desk.edit(first, title="Second")
    desk.edit(second, title="First")
    desk.merge()
    assert (stored(first).title, stored(second).title) == ("Second", "First")


def test_an_external_id_that_is_taken_by_now(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, external_id="t-1", tags=["sea"])
    desk.node("Other", external_id="t-1")
    conflict = desk.only("external_id_taken")
    with pytest.raises(Invalid):
        desk.settle(conflict, choice="ours")
    desk.settle(conflict, value="t-2")
    assert stored(node).external_id == "t-2"


def test_two_nodes_of_a_proposal_with_one_external_id(desk: Desk) -> None:
    for title in ("First", "Second"):
        desk.propose("create", fields={"title": title, "external_id": "n-1"})
    desk.settle(desk.only("external_id_twice"), choice="theirs")
    assert set(Node.objects.values_list("title", "external_id")) == {
        ("First", "n-1"),
        ("Second", None),
    }


def test_a_resolution_of_what_changed_since_is_refused(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, title="High tides")
    desk.meanwhile(node, title="Low tides")
    seen = desk.only("renamed")
    desk.meanwhile(node, title="Neap tides")
    with pytest.raises(MergeRefused) as refusal:
        desk.settle(seen, choice="ours")
    assert refusal.value.code == "stale_resolutions"
    assert refusal.value.details == {"stale": [seen.id]}
    (current,) = refusal.value.conflicts
    assert current.theirs == "Neap tides"
    assert stored(node).title == "Neap tides"


@pytest.mark.parametrize(
    "resolution", [{}, {"choice": "mine"}, {"choice": "both"}, {"text": 7}, {"a": 1}, 7, None]
)
def test_resolutions_that_make_no_sense_are_refused(desk: Desk, resolution: Any) -> None:
    node = desk.node()
    desk.edit(node, title="High tides")
    desk.meanwhile(node, title="Low tides")
    conflict = desk.only("renamed")
    with pytest.raises(Invalid) as refusal:
        desk.merge({conflict.id: resolution})
    assert refusal.value.field == "resolutions"


def test_a_rebased_branch_has_no_conflict_and_keeps_both_parents(desk: Desk) -> None:
    node = desk.node()
    desk.edit(node, content=MINE, tags=["sea"])
    desk.meanwhile(node, content=THEIRS)
    (conflict,) = desk.conflicts()
    with pytest.raises(MergeRefused):  # else what others wrote would be lost without a word
        services.proposal_rebase(acting_user=desk.user, proposal=desk.proposal)
    services.proposal_rebase(
        acting_user=desk.user,
        proposal=desk.proposal,
        resolutions={conflict.id: {"text": "At two or at one.\n"}},
    )
    assert desk.conflicts() == []
    desk.merge()
    assert stored(node).content == "At two or at one.\n\nBoats wait in the harbour.\n"
    assert NodeVersion.objects.get(id=node.pk, version=3).parents == [2, 1]
