"""What a branch and what others wrote meanwhile cannot both have, and how that is settled."""

import uuid
from typing import Any

import pytest

from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.models import Node, NodeVersion, Proposal, ProposalChange, Relation, Space
from knowledge.proposal_conflicts import MergeConflict, MergeRefused
from project.accounts.models import User
from project.http.errors import Invalid

pytestmark = pytest.mark.django_db

TEXT = "The tide comes at noon.\n\nBoats wait in the harbour.\n"
MINE = TEXT.replace("noon", "two")
THEIRS = TEXT.replace("noon", "one")


class Desk:
    """The owner, who writes proposals and what happens meanwhile."""

    def __init__(self, owner: User, space: Space) -> None:
        self.user, self.space = owner, space
        self.proposal = services.proposal_create(
            acting_user=owner, space=space, title="My proposal"
        )

    def node(self, title: str = "Tides", **fields: Any) -> Node:
        values = {"content": TEXT, "status": "draft", **fields}
        return services.node_create(acting_user=self.user, space=self.space, title=title, **values)

    def propose(self, action: str, **values: Any) -> ProposalChange:
        return services.change_add(
            acting_user=self.user, proposal=self.proposal, action=action, **values
        )

    def edit(self, node: Node, **fields: Any) -> ProposalChange:
        return self.propose("edit", node=node.pk, fields=fields)

    def meanwhile(self, node: Node, **fields: Any) -> None:
        services.node_update(acting_user=self.user, node=node, **fields)

    def conflicts(self) -> list[MergeConflict]:
        return services.proposal_conflicts(acting_user=self.user, proposal=self.proposal)

    def only(self, kind: str) -> MergeConflict:
        """Return the one conflict there is, and see that a merge is refused for it."""
        self.accept()
        with pytest.raises(MergeRefused) as refusal:
            self.merge()
        (conflict,) = refusal.value.conflicts
        assert (conflict.kind, [conflict.id]) == (kind, [each.id for each in self.conflicts()])
        return conflict

    def accept(self) -> None:
        self.proposal.refresh_from_db()
        if self.proposal.status == "draft":
            services.proposal_submit(acting_user=self.user, proposal=self.proposal)
            services.proposal_review(
                acting_user=self.user, proposal=self.proposal, verdict="approved"
            )

    def merge(self, resolutions: dict[str, Any] | None = None) -> Proposal:
        self.accept()
        return services.proposal_merge(
            acting_user=self.user, proposal=self.proposal, resolutions=resolutions
        )

    def settle(self, conflict: MergeConflict, **resolution: Any) -> None:
        self.merge({conflict.id: resolution})


@pytest.fixture
def desk(owner: User, space: Space) -> Desk:
    return Desk(owner, space)


def stored(node: Node) -> Node:
    return Node.objects.get(pk=node.pk)


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
