"""Conflicts of proposals in the admin: shown with all sides, settled, suggested for, merged."""

from typing import Any

import pytest
from django.test import Client

from knowledge import services
from knowledge.choices import NodeStatus, ProposalStatus
from knowledge.models import Node, NodeVersion, Proposal, Relation, Space
from project.accounts.models import User
from project.inference.models import ModelEndpoint
from tests.knowledge.test_admin_proposals import page_of, text_of
from tests.support.admin_client import signed_in
from tests.support.model_server import ModelServer

TEXT = "# Tides\n\nThe tide comes at noon.\n\n## Boats\n\nBoats wait in the harbour.\n"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner,
        space=space,
        title="Tides",
        content=TEXT,
        metadata={"area": "sea"},
        status=NodeStatus.PUBLISHED,
    )


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


@pytest.fixture
def proposal(teammate: User, owner: User, space: Space, node: Node) -> Proposal:
    """An approved proposal whose paragraph and title others have changed since."""
    made = services.proposal_create(acting_user=teammate, space=space, title="Night tides")
    ours = TEXT.replace("noon", "midnight")
    services.change_add(
        acting_user=teammate,
        proposal=made,
        action="edit",
        node=node.pk,
        fields={"content": ours, "title": "Night tides", "metadata": {"area": "quay"}},
    )
    services.proposal_submit(acting_user=teammate, proposal=made)
    services.proposal_review(acting_user=owner, proposal=made, verdict="approved")
    theirs = TEXT.replace("noon", "one").replace("Boats wait", "Ferries wait")
    services.node_update(
        acting_user=owner, node=node, content=theirs, title="All tides", metadata={"area": "pier"}
    )
    return Proposal.objects.get(pk=made.pk)


def conflicts_of(answer: Any) -> dict[str, Any]:
    """Return what the page shows, by kind."""
    nodes = answer.context["found"].nodes
    return {each.conflict.kind: each for node in nodes for each in node.conflicts}


def choose(answer: Any, **choices: tuple[str, str] | str) -> dict[str, str]:
    """Return what the browser would send: a choice, or (own, text), by the kinds of conflicts."""
    shown = conflicts_of(answer)
    sent = {"revision": str(answer.context["proposal"].revision)}
    for kind, choice in choices.items():
        value, own = choice if isinstance(choice, tuple) else (choice, "")
        sent |= {f"choice-{shown[kind].id}": value, f"own-{shown[kind].id}": own}
    return sent


def test_all_three_sides_and_the_result_being_made_are_shown(
    client: Client, proposal: Proposal
) -> None:
    answer = client.get(page_of(proposal, "conflicts"))
    shown = conflicts_of(answer)
    assert set(shown) == {"text", "renamed", "metadata"}
    text = shown["text"]
    assert text.label == "Text below “Tides”"
    assert text.base == "The tide comes at noon.\n"
    assert [part for part, is_own in text.mine if is_own] == ["midnight"]
    assert [part for part, is_own in text.theirs if is_own] == ["one"]
    node = answer.context["found"].nodes[0]
    assert "<<<<<<< " in node.text
    assert "Ferries wait" in node.text, "what only one side changed is merged already"
    page = text_of(answer)
    assert "undecided" in page
    assert "version 1, version 2 is stored" in page


def test_each_choice_changes_the_result_without_storing_anything(
    client: Client, proposal: Proposal
) -> None:
    address = page_of(proposal, "conflicts")
    first = client.get(address)
    results = {}
    for choice in ("ours", "theirs", "base", "both", ("own", "The tide comes at dawn.\r\n")):
        sent = choose(first, text=choice, renamed="ours", metadata="theirs")
        found = client.post(address, {**sent, "_update": "1"}).context["found"]
        assert found.decided == 3
        results[str(choice)[:5]] = found.nodes[0].text.split("\n\n## Boats")[0]
    assert results["ours"].endswith("comes at midnight.")
    assert results["theirs"[:5]].endswith("comes at one.")
    assert results["base"].endswith("comes at noon.")
    assert results["both"].endswith("comes at midnight.\n\nThe tide comes at one.")
    assert results["('own"].endswith("comes at dawn.")
    assert NodeVersion.objects.count() == 2
    piece = client.post(address, {**choose(first, text="ours"), "piece": "1"})
    assert 'data-done="1" data-all="3"' in text_of(piece)
    assert "<html" not in text_of(piece)


def test_a_merge_waits_until_everything_is_decided_and_then_names_both_parents(
    client: Client, proposal: Proposal, node: Node
) -> None:
    address = page_of(proposal, "conflicts")
    first = client.get(address)
    half = choose(first, text=("own", "The tide comes at dawn."))
    answer = client.post(address, {**half, "_merge": "1"})
    assert "2 conflicts are still to be decided" in text_of(answer)
    assert conflicts_of(answer)["text"].own == "The tide comes at dawn."
    whole = {**half, **choose(first, renamed=("own", "The tides"), metadata="ours")}
    answer = client.post(address, {**whole, "_merge": "1"})
    assert answer["Location"] == page_of(proposal, "happened")
    node.refresh_from_db()
    assert (
        node.content
        == "# Tides\n\nThe tide comes at dawn.\n\n## Boats\n\nFerries wait in the harbour.\n"
    )
    assert (node.title, node.metadata, node.version) == ("The tides", {"area": "quay"}, 3)
    assert NodeVersion.objects.get(id=node.pk, version=3).parents == [2, 1]


def test_choices_are_settled_into_the_proposal_for_another_review(
    client: Client, proposal: Proposal, node: Node
) -> None:
    address = page_of(proposal, "conflicts")
    sent = choose(client.get(address), text="theirs", renamed="ours", metadata="ours")
    assert client.post(address, {**sent, "_settle": "1"})["Location"] == page_of(proposal)
    proposal.refresh_from_db()
    assert proposal.status == ProposalStatus.IN_REVIEW, "what was approved is not what it is now"
    assert proposal.changes.get().base_version == 2
    assert client.get(address).context["found"].total == 0


def test_what_was_typed_survives_an_edit_in_between(
    client: Client, proposal: Proposal, node: Node, owner: User
) -> None:
    address = page_of(proposal, "conflicts")
    sent = choose(client.get(address), text=("own", "At dawn."), renamed="ours", metadata="theirs")
    node.refresh_from_db()
    services.node_update(
        acting_user=owner, node=node, content=node.content.replace("at one", "at two")
    )
    answer = client.post(address, {**sent, "_merge": "1"})
    assert answer.status_code == 200
    assert answer.context["found"].lost == ["At dawn."]
    assert "At dawn." in text_of(answer)
    shown = conflicts_of(answer)
    assert not shown["text"].is_decided
    assert shown["renamed"].is_decided, "a choice between the same two counts still"


def test_one_side_everywhere_leaves_what_was_decided(client: Client, proposal: Proposal) -> None:
    address = page_of(proposal, "conflicts")
    sent = choose(client.get(address), text="base")
    found = client.post(address, {**sent, "_all": "theirs"}).context["found"]
    assert found.decided == found.total == 3
    chosen = {each["choice"] for each in found.chosen().values()}
    assert chosen == {"base", "theirs"}


def test_conflicts_between_nodes_say_what_each_choice_means(
    client: Client, space: Space, teammate: User, owner: User, node: Node
) -> None:
    other = services.node_create(
        acting_user=owner, space=space, title="Moorings", content="x", status="published"
    )
    made = services.proposal_create(acting_user=teammate, space=space, title="Relate")
    services.change_add(
        acting_user=teammate, proposal=made, action="relate", source=node.pk, target=other.pk
    )
    services.proposal_submit(acting_user=teammate, proposal=made)
    services.proposal_review(acting_user=owner, proposal=made, verdict="approved")
    services.node_archive(acting_user=owner, node=other)
    answer = client.get(page_of(made, "conflicts"))
    page = text_of(answer)
    assert "relates a node that is archived by now" in page
    assert "Leave the relation out" in page
    sent = choose(answer, end_archived="theirs")
    client.post(page_of(made, "conflicts"), {**sent, "_merge": "1"})
    made.refresh_from_db()
    assert made.status == ProposalStatus.MERGED
    assert not Relation.objects.exists()


@pytest.mark.django_db(transaction=True)  # the model is asked from another thread
def test_a_suggestion_is_shown_beside_and_inserted_by_a_click_only(
    client: Client, proposal: Proposal
) -> None:
    address = page_of(proposal, "conflicts")
    first = client.get(address)
    assert "Ask for a suggestion" not in text_of(first), "there is no language model"
    with ModelServer() as server:
        server.behave("stub", answer="The tide comes at half past twelve.")
        ModelEndpoint.objects.create(name="stub", base_url=server.base_url, model_name="stub")
        key = conflicts_of(first)["text"].id
        asked = client.post(address, {"_suggest": key, "revision": proposal.revision})
        shown = conflicts_of(asked)["text"]
        assert shown.suggestion
        assert not shown.is_decided
        quick = client.post(page_of(proposal, "suggest"), {"conflict": key}).json()
        assert quick["suggestion"] == shown.suggestion
        server.behave("stub", status=400)
        failed = client.post(page_of(proposal, "suggest"), {"conflict": key})
        assert failed.status_code == 409
        assert failed.json()["message"]
    sent = {f"suggestion-{key}": shown.suggestion, "_insert": key}
    inserted = conflicts_of(client.post(address, sent))["text"]
    assert inserted.own == shown.suggestion
    assert [option.value for option in inserted.options if option.is_chosen] == ["own"]


def test_editors_settle_their_own_and_leave_the_merge_to_curators(
    proposal: Proposal, teammate: User, node: Node
) -> None:
    editor = signed_in(teammate)
    address = page_of(proposal, "conflicts")
    answer = editor.get(address)
    page = text_of(answer)
    assert 'name="_merge"' not in page
    assert 'name="_settle"' in page
    sent = choose(answer, text="ours", renamed="ours", metadata="ours")
    editor.post(address, {**sent, "_merge": "1"})
    node.refresh_from_db()
    assert node.version == 2
