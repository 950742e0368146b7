"""The page of a save that came too late: the merge in the form, and the places to choose."""

import json
import re
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from knowledge import services
from knowledge.models import Node, NodeVersion, Space
from project.accounts.models import User
from tests.knowledge.test_admin_nodes import form_of, page_of
from tests.support.admin_client import signed_in

TEXT = "# Tides\n\nThe tide comes at noon.\n\n## Boats\n\nBoats wait in the harbour.\n"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content=TEXT, tags=["sea"]
    )


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


def kept_by(answer: HttpResponse) -> str:
    found = re.search(r'<textarea name="_mine"[^>]*>([^<]*)<', answer.content.decode())
    assert found
    return found[1]


def shown(answer: Any) -> dict[str, Any]:
    """Return what the form holds, as the browser would send it again."""
    form = answer.context["adminform"].form
    names = ("title", "content", "tags", "metadata", "kind", "language", "owner", "reason")
    values = {name: form[name].value() or "" for name in names}
    values |= {name: form[name].value() or "" for name in ("expected_version", "merged_from")}
    values |= {"external_id": form["external_id"].value() or "", "_mine": kept_by(answer)}
    for prefix in ("relations_out", "relations_in"):
        values |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return values


def test_changes_that_do_not_touch_are_merged_in_the_form(
    client: Client, node: Node, teammate: User
) -> None:
    mine = form_of(node, content=TEXT.replace("noon", "one"), tags="sea, moon", reason="My reason")
    theirs = TEXT.replace("Boats wait", "Ferries wait")
    services.node_update(acting_user=teammate, node=node, content=theirs, title="The tides")
    answer = client.post(page_of(node), mine)
    assert answer.status_code == 200
    node.refresh_from_db()
    assert node.version == 2
    html = unescape(answer.content.decode())
    assert 'id="conflict"' in html
    assert "do not touch each other" in html
    assert not answer.context["merge"].places
    form = shown(answer)
    assert form["content"] == theirs.replace("noon", "one")
    assert (form["title"], form["tags"], form["reason"]) == ("The tides", "sea, moon", "My reason")
    assert client.post(page_of(node), form).status_code == 302
    node.refresh_from_db()
    assert (node.version, node.content, node.title, node.tags) == (
        3,
        theirs.replace("noon", "one"),
        "The tides",
        ["sea", "moon"],
    )
    assert NodeVersion.objects.get(id=node.pk, version=3).parents == [2, 1]


def test_a_place_that_both_changed_shows_all_three_and_waits_for_a_choice(
    client: Client, node: Node, teammate: User
) -> None:
    mine = form_of(node, content=TEXT.replace("Boats wait", "Ferries wait"))
    theirs = TEXT.replace("Boats wait", "Ships wait").replace("noon", "one")
    services.node_update(acting_user=teammate, node=node, content=theirs, reason="New ships")
    answer = client.post(page_of(node), mine)
    (place,) = answer.context["merge"].places
    assert (place.label, place.base) == ("Text below “Boats”", "Boats wait in the harbour.\n")
    assert place.values["both"] == "Ferries wait in the harbour.\n\nShips wait in the harbour.\n"
    html = answer.content.decode()
    assert "<ins>Ferries</ins> wait in the harbour." in html
    assert "<ins>Ships</ins> wait in the harbour." in html
    assert "New ships" in html
    form = shown(answer)
    assert form["content"] == TEXT.replace("noon", "one").replace(
        "Boats wait in the harbour.\n",
        "<<<<<<< 1\nFerries wait in the harbour.\n======= 1\nShips wait in the harbour.\n"
        ">>>>>>> 1\n",
    )
    undecided = client.post(page_of(node), form)
    assert undecided.status_code == 200
    assert "still undecided" in undecided.content.decode()
    assert len(undecided.context["merge"].places) == 1
    assert kept_by(undecided)
    node.refresh_from_db()
    assert node.version == 2
    result = TEXT.replace("noon", "one").replace("Boats wait", "Ferries and ships wait")
    assert client.post(page_of(node), {**form, "content": result}).status_code == 302
    node.refresh_from_db()
    assert (node.version, node.content) == (3, result)


def test_fields_that_both_changed_are_places_too(
    client: Client, node: Node, teammate: User, owner: User
) -> None:
    metadata = json.dumps({"area": "north"})
    mine = form_of(node, title="Low tide", metadata=metadata, valid_from_0="2026-12-01")
    mine |= {"valid_from_1": "10:00:00"}
    services.node_update(
        acting_user=owner,
        node=node,
        title="High tide",
        metadata={"area": "south", "depth": 3},
        owner=teammate,
    )
    answer = client.post(page_of(node), mine)
    places = {place.label: place for place in answer.context["merge"].places}
    assert set(places) == {"Title", "Metadata: area"}
    assert places["Title"].values["theirs"] == {"inputs": {"title": "High tide"}}
    assert places["Metadata: area"].values["theirs"] == {"path": ["area"], "value": "south"}
    form = shown(answer)
    assert form["title"] == "Low tide"
    assert json.loads(form["metadata"]) == {"area": "north", "depth": 3}
    assert str(form["owner"]) == str(teammate.pk), "their new owner stays"
    posted = {**form, "valid_from_0": "2026-12-01", "valid_from_1": "10:00:00"}
    assert client.post(page_of(node), posted).status_code == 302
    node.refresh_from_db()
    assert (node.title, node.owner, node.version) == ("Low tide", teammate, 3)


def test_who_is_late_again_merges_again_and_keeps_the_first_base(
    client: Client, node: Node, teammate: User
) -> None:
    mine = form_of(node, content=TEXT.replace("noon", "one"))
    services.node_update(acting_user=teammate, node=node, title="Two")
    first = shown(client.post(page_of(node), mine))
    services.node_update(acting_user=teammate, node=node, tags=["late"])
    second = client.post(page_of(node), first)
    assert second.status_code == 200
    form = shown(second)
    assert (form["expected_version"], form["merged_from"]) == (3, 1)
    assert (form["title"], form["tags"]) == ("Two", "late")
    assert client.post(page_of(node), form).status_code == 302
    assert NodeVersion.objects.get(id=node.pk, version=4).parents == [3, 1]


def test_a_mistake_on_the_merge_page_keeps_the_page_and_every_word(
    client: Client, node: Node, teammate: User
) -> None:
    mine = form_of(node, content=TEXT.replace("Boats", "Ferries"), reason="Why")
    services.node_update(acting_user=teammate, node=node, content=TEXT.replace("Boats", "Ships"))
    form = shown(client.post(page_of(node), mine))
    answer = client.post(page_of(node), {**form, "kind": "Not A Kind", "content": "Chosen words."})
    assert answer.status_code == 200
    again = shown(answer)
    assert (again["content"], again["reason"], again["kind"]) == (
        "Chosen words.",
        "Why",
        "Not A Kind",
    )
    assert len(answer.context["merge"].places) == 2
    assert "Ferries" in answer.context["merge"].typed


def test_what_the_page_sends_along_cannot_be_forged(
    client: Client, node: Node, teammate: User
) -> None:
    services.node_update(acting_user=teammate, node=node, title="Two")
    sent = form_of(node, kind="Not A Kind", merged_from=1, expected_version=2, _mine="forged")
    answer = client.post(page_of(node), sent)
    assert answer.status_code == 200
    assert answer.context["merge"] is None


def test_a_form_of_an_unknown_version_shows_every_difference(client: Client, node: Node) -> None:
    answer = client.post(page_of(node), form_of(node, content="Mine.", expected_version=9))
    (place,) = answer.context["merge"].places
    assert (place.base, "".join(text for text, _own in place.mine)) == ("", "Mine.")


def test_line_ends_of_browsers_are_no_change(client: Client, owner: User, space: Space) -> None:
    content = TEXT.replace("\n", "\r\n")
    node = services.node_create(acting_user=owner, space=space, title="Tides", content=content)
    mine = form_of(node, content=content.replace("noon", "one"))
    services.node_update(
        acting_user=owner, node=node, content=content.replace("Boats wait", "Ferries wait")
    )
    form = shown(client.post(page_of(node), mine))
    assert "<<<<" not in form["content"]
    assert client.post(page_of(node), form).status_code == 302
    node.refresh_from_db()
    assert node.content == content.replace("noon", "one").replace("Boats wait", "Ferries wait")


def test_marks_of_other_tools_may_be_written_about(client: Client, node: Node) -> None:
    sent = form_of(node, content="So it looks:\n<<<<<<< 1\n")
    assert client.post(page_of(node), sent).status_code == 302
