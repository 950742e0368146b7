"""Related nodes and suggested relations: from evidence to a decision that is remembered."""

import uuid

import pytest

from chat.models import Citation, Conversation, Message, Turn
from knowledge import services
from knowledge.choices import NodeStatus, SuggestionStatus, Visibility
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import (
    Node,
    Proposal,
    Relation,
    RelationSuggestion,
    RelationVersion,
    Space,
)
from knowledge.relating.refreshing import node_relate, refresh
from knowledge.relating.related import related_of
from project.accounts.models import User
from project.events.models import Event
from tests.conftest import Api
from tests.knowledge.test_retrieval import index, make_node
from tests.support.admin_client import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf(space: Space, owner: User) -> dict[str, Node]:
    """Two texts on tides, one that names another, and some that are about other things."""
    texts = {
        "tides": ("Spring tides", "Spring tides lift the pontoon; the basin gate stays shut."),
        "gate": ("The basin gate", "Shut the basin gate when spring tides lift the pontoon."),
        "bread": ("Baking", "Knead flour, yeast and salt; bake for an hour."),
        "wages": ("Paying wages", "Wages are due on Friday, after the Harbour dues 2026 are in."),
        "dues": ("Harbour dues 2026", "A small boat pays twelve crowns a night."),
        "moon": ("Lunar phases", "New moon and full moon come twice a month."),
    }
    nodes = {
        name: services.node_create(
            acting_user=owner, space=space, title=title, content=content, status="published"
        )
        for name, (title, content) in texts.items()
    }
    index(*nodes.values())
    return nodes


def between(one: Node, other: Node) -> RelationSuggestion | None:
    rows = RelationSuggestion.objects.filter(source__in=[one, other], target__in=[one, other])
    return rows.first()


def cite_together(user: User, nodes: list[Node], conversations: int) -> None:
    for _number in range(conversations):
        conversation = Conversation.objects.create(user=user, title="x")
        question = Message.objects.create(conversation=conversation, role="user", content="?")
        turn = Turn.objects.create(conversation=conversation, question=question, status="completed")
        for place, node in enumerate(nodes, 1):
            Citation.objects.create(
                turn=turn, index=place, node=node, cited_id=node.pk, version=1,
                chunk_id=uuid.uuid4(), title=node.title, snippet="", start=0, end=1,
            )  # fmt: skip


def test_what_belongs_together_is_suggested_with_its_evidence(
    shelf: dict[str, Node], teammate: User
) -> None:
    cite_together(teammate, [shelf["moon"], shelf["bread"]], conversations=4)
    cite_together(teammate, [shelf["moon"], shelf["wages"]], conversations=1)
    assert refresh() == len(shelf)
    similar, cited = between(shelf["tides"], shelf["gate"]), between(shelf["moon"], shelf["bread"])
    named = between(shelf["wages"], shelf["dues"])
    assert similar
    assert "similar" in similar.ways
    assert cited
    assert cited.ways == ["cited"]
    assert cited.evidence[0]["conversations"] == 4
    assert named
    assert (named.source, named.target) == (shelf["wages"], shelf["dues"])
    place = next(each for each in named.evidence if each["way"] == "mention")
    text = shelf["wages"].content
    assert text[place["start"] : place["end"]] == "Harbour dues 2026"
    assert between(shelf["moon"], shelf["wages"]) is None  # one conversation says nothing
    assert between(shelf["tides"], shelf["bread"]) is None


def test_a_suggestion_goes_with_its_evidence_and_a_refused_one_never_comes_back(
    shelf: dict[str, Node], owner: User
) -> None:
    refresh()
    gone, refused = between(shelf["wages"], shelf["dues"]), between(shelf["tides"], shelf["gate"])
    assert gone
    assert refused
    services.suggestion_refuse(acting_user=owner, suggestion=refused, reason="No.")
    node = services.node_update(acting_user=owner, node=shelf["wages"], content="Paid on Friday.")
    swap(prepare_nodes([node]))
    for each in shelf.values():
        node_relate(each.pk)
    assert between(shelf["wages"], shelf["dues"]) is None
    kept = between(shelf["tides"], shelf["gate"])
    assert kept
    assert (kept.status, kept.reason) == (SuggestionStatus.REFUSED, "No.")
    Node.objects.filter(pk=shelf["gate"].pk).update(status=NodeStatus.ARCHIVED)
    services.suggestion_reopen(acting_user=owner, suggestion=kept)
    node_relate(shelf["gate"].pk)
    assert between(shelf["tides"], shelf["gate"]) is None


def test_confirming_makes_a_relation_with_its_history_and_can_be_undone(
    shelf: dict[str, Node], api: Api, owner: User
) -> None:
    refresh()
    row = between(shelf["wages"], shelf["dues"])
    assert row
    assert not RelationVersion.objects.exists()
    listed = api.get(f"/api/v1/relation-suggestions/?node={shelf['dues'].pk}").json()["results"]
    assert [each["id"] for each in listed] == [str(row.pk)]
    path = f"/api/v1/relation-suggestions/{row.pk}"
    body = {"kind": "depends_on", "direction": "reverse", "reason": "Asked for."}
    answer = api.post(f"{path}/confirm/", body)
    assert answer.status_code == 200, answer.json()
    relation = Relation.objects.get(pk=answer.json()["relation"])
    ends = relation.source, relation.kind, relation.target
    assert ends == (shelf["dues"], "depends_on", shelf["wages"])
    version = RelationVersion.objects.get(id=relation.pk)
    assert (version.history_user, version.history_change_reason) == (owner, "Asked for.")
    assert Event.objects.filter(type="knowledge.suggestion.confirmed").count() == 1
    again = api.post(f"{path}/refuse/", {})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_decided")
    node_relate(shelf["dues"].pk)
    assert api.get("/api/v1/relation-suggestions/?status=confirmed").json()["results"]
    assert api.post(f"{path}/undo/", {}).json()["status"] == "open"
    again = api.post(f"{path}/confirm/", {}).json()["relation"]
    assert api.delete(f"/api/v1/relations/{again}/").status_code == 204
    row.refresh_from_db()
    assert (row.status, row.relation) == ("confirmed", None)  # it was decided, and stays so
    assert api.post(f"{path}/undo/", {}).json()["status"] == "open"
    assert not Relation.objects.exists()
    assert api.post(f"{path}/undo/", {}).json()["error"]["code"] == "not_decided"


def test_related_nodes_come_with_reasons_and_only_if_they_may_be_read(
    shelf: dict[str, Node], api: Api, stranger_api: Api, owner: User, stranger: User
) -> None:
    services.relation_create(acting_user=owner, source=shelf["tides"], target=shelf["moon"])
    cite_together(owner, [shelf["tides"], shelf["bread"]], conversations=3)
    path = f"/api/v1/nodes/{shelf['tides'].pk}/related/"
    rows = {row["title"]: row for row in api.get(path).json()["results"]}
    assert [each["words"] for each in rows["Lunar phases"]["reasons"]] == ["related"]
    assert rows["Baking"]["reasons"][0]["words"] == "cited together in 3 answers"
    assert rows["The basin gate"]["reasons"][0]["way"] == "similar"
    assert "Harbour dues 2026" not in rows
    assert len(api.get(f"{path}?limit=1").json()["results"]) == 1
    assert api.get(f"{path}?limit=0").status_code == 400
    assert stranger_api.get(path).status_code == 404
    public = Space.objects.create(name="Open", slug="open", visibility=Visibility.PUBLIC)
    outside = make_node(public, "Tides for all", "Spring tides lift the pontoon and basin gate.")
    index(outside)
    assert [each.node for each in related_of(outside, stranger)] == []
    assert shelf["gate"] in [each.node for each in related_of(outside, owner)]


def test_a_pair_that_is_no_duplicate_is_told_once(shelf: dict[str, Node], owner: User) -> None:
    from knowledge.quality.refreshing import node_check

    twin = make_node(shelf["tides"].space, "Spring tides again", shelf["tides"].content)
    index(twin)

    def codes() -> set[str]:
        for node in (twin, shelf["tides"]):
            node_check(node.pk)
        row = node_check(twin.pk)
        assert row is not None
        return set(row.codes)

    assert "duplicate" in codes()
    node_relate(twin.pk)
    row = between(twin, shelf["tides"])
    assert row
    assert "duplicate" in row.ways
    services.pair_part(acting_user=owner, nodes=(twin, shelf["tides"]))
    assert "duplicate" not in codes()
    services.pair_part(acting_user=owner, nodes=(shelf["tides"], twin), is_distinct=False)
    assert "duplicate" in codes()


def test_two_that_are_nearly_the_same_become_one_by_a_proposal(
    shelf: dict[str, Node], space: Space, owner: User
) -> None:
    kept, client = shelf["tides"], signed_in(owner)
    twin = services.node_create(
        acting_user=owner,
        space=space,
        title="Spring tides again",
        content=f"{kept.content}\n\n## Ropes\n\nDouble the ropes at the outer pier.",
        tags=["sea"],
        status="published",
    )
    services.relation_create(acting_user=owner, source=twin, target=shelf["moon"], kind="part_of")
    pair = f"/admin/knowledge/nodequality/pair/{kept.pk}/{twin.pk}/"
    assert "Keep “Spring tides”" in client.get(pair).content.decode()
    answer = client.post(pair, {"do": "left"})
    proposal = Proposal.objects.get()
    assert str(proposal.pk) in answer["Location"]
    changes = {(row.action, row.relation_kind): row for row in proposal.changes.all()}
    edited = changes["edit", ""]
    assert edited.fields["content"].startswith(kept.content)
    assert edited.fields["content"].count("lift the pontoon") == 1
    assert "Double the ropes" in edited.fields["content"]
    assert edited.fields["tags"] == ["sea"]
    assert changes["archive", ""].node_id == twin.pk
    carried, supersedes = changes["relate", "part_of"], changes["relate", "supersedes"]
    assert (carried.source_id, carried.target_id) == (kept.pk, shelf["moon"].pk)
    assert (supersedes.source_id, supersedes.target_id) == (kept.pk, twin.pk)


def test_the_admin_decides_many_at_once_and_takes_it_back(
    shelf: dict[str, Node], owner: User, teammate: User
) -> None:
    cite_together(teammate, [shelf["moon"], shelf["bread"]], conversations=4)
    refresh()
    client, path = signed_in(owner), "/admin/knowledge/relationsuggestion/"
    page = client.get(path).content.decode()
    assert "cited together in 4 answers" in page
    assert "<mark>Harbour dues 2026</mark>" in page
    rows = list(RelationSuggestion.objects.undecided())
    assert len(rows) >= 3
    named = between(shelf["wages"], shelf["dues"])
    assert named
    chosen = {"chosen": [str(row.pk) for row in rows], "kind": "part of", "direction": "reverse"}
    client.post(path, {**chosen, "do": "confirm", "reason": "One evening's work."})
    assert Relation.objects.filter(kind="part_of").count() == len(rows)
    assert Relation.objects.filter(source=shelf["dues"], target=shelf["wages"]).exists()
    page = client.get(path).content.decode()
    assert "Undo" in page
    assert "One evening" in client.get(f"{path}?status=confirmed").content.decode()
    client.post(path, {"do": "undo"})
    assert not Relation.objects.exists()
    assert RelationSuggestion.objects.undecided().count() == len(rows)
    client.post(path, {"do": f"refuse:{named.pk}"})
    assert f"s-{named.pk}" not in client.get(path).content.decode()
    assert f"s-{named.pk}" in client.get(f"{path}?status=refused").content.decode()
    assert "suggested relations wait" in client.get("/admin/").content.decode()
