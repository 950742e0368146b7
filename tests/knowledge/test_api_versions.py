"""Histories over REST: tags, differences with relations, bulk reverts and erasures."""

from typing import Any

import pytest

from knowledge.models import Node, Space
from project.accounts.models import User
from tests.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(api: Api, space: Space) -> dict[str, Any]:
    """A node with two versions."""
    body = {"space": str(space.pk), "title": "Tides", "content": "One.", "status": "published"}
    made = api.post("/api/v1/nodes/", body).json()
    url = f"/api/v1/nodes/{made['id']}/"
    return dict(api.patch(url, {"content": "Two.", "reason": "Counted"}).json())


def test_versions_say_where_they_come_from(api: Api, node: dict[str, Any], owner: User) -> None:
    newest, oldest = api.get(f"/api/v1/nodes/{node['id']}/versions/").json()["results"]
    assert (newest["parents"], oldest["parents"]) == ([1], [])
    assert (newest["origin"], newest["origin_id"], newest["erased_at"]) == ("edit", None, None)
    assert len(newest["chain"]) == 64
    assert newest["chain"] != oldest["chain"]
    assert newest["author_name"] == owner.username


def test_a_version_is_tagged_and_untagged(
    api: Api, teammate_api: Api, node: dict[str, Any]
) -> None:
    url = f"/api/v1/nodes/{node['id']}/versions/1/"
    tagged = api.post(f"{url}tags/", {"name": "board 2026"})
    assert tagged.json()["version_tags"] == ["board 2026"]
    assert api.get(url).json()["version_tags"] == ["board 2026"]
    other = api.post(f"/api/v1/nodes/{node['id']}/versions/2/tags/", {"name": "board 2026"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "tag_taken")
    assert api.post(f"{url}tags/", {"name": "x", "colour": "red"}).status_code == 400
    assert (
        api.delete(f"/api/v1/nodes/{node['id']}/versions/2/tags/board%202026/").status_code == 404
    )
    assert teammate_api.delete(f"{url}tags/board%202026/").status_code == 204
    api.post(f"{url}tags/", {"name": "2026/11"})
    assert teammate_api.delete(f"{url}tags/2026%2F11/").status_code == 204
    assert api.get(url).json()["version_tags"] == []


def test_a_difference_holds_relations(
    api: Api, node: dict[str, Any], space: Space, stranger_api: Api
) -> None:
    pier = {"space": str(space.pk), "title": "Pier", "status": "published"}
    target = api.post("/api/v1/nodes/", pier).json()["id"]
    api.patch(f"/api/v1/nodes/{node['id']}/", {"content": "See [[Pier]]."})
    url = f"/api/v1/nodes/{node['id']}/diff/"
    change = api.get(url, {"from": 2, "to": 3}).json()["relations"]
    assert [(each["old"], each["new"]["target"], each["new"]["kind"]) for each in change] == [
        (None, target, "links_to")
    ]
    assert api.get(url, {"from": 1, "to": 2}).json()["relations"] == []
    assert stranger_api.get(url, {"from": 2, "to": 3}).status_code == 404


def test_a_bulk_revert_can_be_tried_first(
    api: Api, teammate_api: Api, space: Space, teammate: User
) -> None:
    made = teammate_api.post("/api/v1/nodes/", {"space": str(space.pk), "title": "Spam"}).json()
    body = {"space": str(space.pk), "author": teammate.username, "dry_run": True}
    tried = api.post("/api/v1/nodes/bulk-revert/", body).json()
    assert [(each["node"], each["outcome"]) for each in tried["nodes"]] == [(made["id"], "archive")]
    assert Node.objects.get(pk=made["id"]).status == "draft"
    done = api.post("/api/v1/nodes/bulk-revert/", {**body, "dry_run": False}).json()
    assert [each["outcome"] for each in done["nodes"]] == ["archive"]
    assert Node.objects.get(pk=made["id"]).status == "archived"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, 400, "author"),
        ({"author": "nobody"}, 400, "author"),
        ({"author": "owner", "job": "7d0c1b7e-6c1b-4c43-9c1f-111111111111"}, 400, "author"),
        (
            {"author": "owner", "since": "2026-02-01T00:00Z", "until": "2026-01-01T00:00Z"},
            400,
            "until",
        ),
    ],
)
def test_a_bulk_revert_says_what_is_wrong(
    api: Api, owner: User, space: Space, body: dict[str, Any], code: int, field: str
) -> None:
    if body.get("author") == "owner":
        body = {**body, "author": owner.username}
    answer = api.post("/api/v1/nodes/bulk-revert/", {"space": str(space.pk), **body})
    assert (answer.status_code, answer.json()["error"]["field"]) == (code, field)


def test_editors_take_out_and_erase_nothing(
    teammate_api: Api, owner: User, space: Space, node: dict[str, Any]
) -> None:
    body = {"space": str(space.pk), "author": owner.username}
    assert teammate_api.post("/api/v1/nodes/bulk-revert/", body).status_code == 403
    url = f"/api/v1/nodes/{node['id']}/erase/"
    assert teammate_api.post(url, {"reason": "Order", "versions": [1]}).status_code == 403


def test_an_erased_version_is_empty_and_says_so(api: Api, node: dict[str, Any]) -> None:
    url = f"/api/v1/nodes/{node['id']}/"
    current = api.post(f"{url}erase/", {"reason": "Order", "versions": [2]})
    assert (current.status_code, current.json()["error"]["code"]) == (409, "version_is_current")
    erased = api.post(f"{url}erase/", {"reason": "Order", "versions": [1]}).json()
    assert (erased["node"], erased["versions"]) == (node["id"], [1])
    version = api.get(f"{url}versions/1/").json()
    assert (version["content"], version["title"]) == ("", "")
    assert version["erased_at"]
    assert api.post(f"{url}revert/", {"version": 1}).json()["error"]["code"] == "version_erased"
    assert api.post(f"{url}erase/", {"reason": "Order"}).json()["versions"] == [1, 2, 3]
    assert api.get(url).status_code == 404
    assert api.post(f"{url}erase/", {"reason": "Order"}).status_code == 200


def test_a_space_has_rules_for_its_changes(api: Api, space: Space) -> None:
    url = f"/api/v1/spaces/{space.pk}/"
    rules = api.get(url).json()
    assert (rules["required_approvals"], rules["allows_self_approval"]) == (1, True)
    changed = api.patch(
        url, {"required_approvals": 2, "allows_self_approval": False, "past_vectors_days": None}
    ).json()
    assert (changed["required_approvals"], changed["past_vectors_days"]) == (2, None)
    assert api.patch(url, {"gate_k": 0}).status_code == 400
