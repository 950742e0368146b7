"""Proposals over REST, as an integrator sees them."""

from collections.abc import Iterator
from typing import Any

import pytest

from knowledge import services
from knowledge.models import Node, Space
from project.accounts.models import User
from project.inference.choices import Tier
from project.inference.models import ModelEndpoint
from tests.conftest import Api
from tests.support.model_server import ModelServer

pytestmark = pytest.mark.django_db

TEXT = "The tide comes at noon.\n\nBoats wait in the harbour.\n"
PATH = "/api/v1/proposals/"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content=TEXT, status="published"
    )


@pytest.fixture
def proposal(teammate_api: Api, space: Space, node: Node) -> dict[str, Any]:
    answer = teammate_api.post(
        PATH,
        {
            "space": str(space.pk),
            "title": "Night tides",
            "changes": [
                {"node": str(node.pk), "content": TEXT.replace("noon", "midnight")},
                {"action": "create", "title": "Lanterns", "content": "Lit at dusk."},
            ],
        },
    )
    assert answer.status_code == 201, answer.json()
    return answer.json()


def post(api: Api, proposal: dict[str, Any], what: str, code: int = 200, **body: Any) -> Any:
    answer = api.post(f"{PATH}{proposal['id']}/{what}/", body)
    assert answer.status_code == code, answer.json()
    return answer.json()


def get(api: Api, proposal: dict[str, Any], what: str = "", code: int = 200) -> Any:
    answer = api.get(f"{PATH}{proposal['id']}/{what}")
    assert answer.status_code == code, answer.json()
    return answer.json()


def test_a_proposal_goes_all_the_way(
    api: Api, teammate_api: Api, proposal: dict[str, Any], node: Node
) -> None:
    assert (proposal["status"], proposal["changes_count"]) == ("draft", 2)
    assert [change["action"] for change in proposal["changes"]] == ["edit", "create"]
    diff = get(teammate_api, proposal, "diff/")["results"]
    assert diff[0]["changes"][0]["field"] == "content"
    assert "+The tide comes at midnight." in diff[0]["unified"]
    assert post(teammate_api, proposal, "submit")["status"] == "in_review"
    checks = get(api, proposal, "checks/")
    assert (checks["mergeable"], checks["approvals_missing"]) == (False, 1)
    assert post(api, proposal, "approve", comment="Good.")["status"] == "approved"
    checks = get(api, proposal, "checks/")
    assert (checks["mergeable"], checks["conflicts"]) == (True, 0)
    assert checks["approvals"][0]["comment"] == "Good."
    preview = get(api, proposal, f"preview/?node={node.pk}")
    assert (preview["version"], preview["merged_version"]) == (2, 1)
    assert "midnight" in preview["state"]["content"]
    merged = post(api, proposal, "merge")
    assert (merged["status"], merged["reviews"][0]["is_stale"]) == ("merged", False)
    assert "midnight" in api.get(f"/api/v1/nodes/{node.pk}/").json()["content"]


def test_conflicts_are_listed_settled_and_merged(
    api: Api, teammate_api: Api, proposal: dict[str, Any], node: Node
) -> None:
    post(teammate_api, proposal, "submit")
    post(api, proposal, "approve")
    api.patch(f"/api/v1/nodes/{node.pk}/", {"content": TEXT.replace("noon", "one")})
    refused = post(api, proposal, "merge", 409)
    assert refused["error"]["code"] == "merge_conflicts"
    assert refused["error"]["request_id"]
    (conflict,) = refused["conflicts"]
    assert get(api, proposal, "conflicts/")["conflicts"] == [conflict]
    assert (conflict["field"], conflict["kind"], conflict["part"]) == ("content", "text", 0)
    assert conflict["theirs"] == "The tide comes at one.\n"
    wrong = post(api, proposal, "merge", 400, resolutions={conflict["id"]: {"choice": "mine"}})
    assert wrong["error"]["field"] == "resolutions"
    stale = post(api, proposal, "merge", 409, resolutions={"text-0": {"choice": "ours"}})
    assert stale["error"]["code"] == "stale_resolutions"
    assert stale["conflicts"] == [conflict]
    post(api, proposal, "merge", resolutions={conflict["id"]: {"text": "Tides come.\n"}})
    versions = api.get(f"/api/v1/nodes/{node.pk}/versions/").json()["results"]
    assert versions[0]["parents"] == [2, 1]
    assert (versions[0]["origin"], versions[0]["origin_id"]) == ("proposal", proposal["id"])


def test_writes_name_what_they_saw(api: Api, teammate_api: Api, proposal: dict[str, Any]) -> None:
    change = proposal["changes"][0]
    path = f"{PATH}{proposal['id']}/changes/{change['id']}/"
    assert teammate_api.patch(path, {"title": "High"}).json()["error"]["code"] == "required"
    done = teammate_api.patch(path, {"title": "High tides", "version": 1})
    assert (done.status_code, done.json()["version"], done["ETag"]) == (200, 2, '"2"')
    late = api.patch(path, {"title": "Low tides"}, HTTP_IF_MATCH='"1"')
    assert late.status_code == 409
    assert late.json()["error"]["details"]["fields"]["title"] == "High tides"
    assert api.delete(path).status_code == 400
    assert api.delete(path, HTTP_IF_MATCH='"2"').status_code == 204
    assert api.get(path).status_code == 404
    for what in ("submit", "reject"):
        refused = post(teammate_api, proposal, what, 409, revision=1)
        assert refused["error"]["code"] == "version_conflict"
    late = teammate_api.patch(f"{PATH}{proposal['id']}/", {"title": "Other"}, HTTP_IF_MATCH='"1"')
    assert late.status_code == 409


def test_changes_of_every_kind_are_added_and_unknown_fields_refused(
    api: Api, teammate_api: Api, proposal: dict[str, Any], node: Node, space: Space
) -> None:
    other = services.node_create(acting_user=node.owner, space=space, title="Ebb")
    third = services.node_create(acting_user=node.owner, space=space, title="Flood")
    relation = services.relation_create(
        acting_user=node.owner, source=other, target=third, kind="precedes"
    )
    made = post(
        teammate_api,
        proposal,
        "changes",
        201,
        changes=[
            {"action": "publish", "node": str(other.pk)},
            {"action": "archive", "node": str(third.pk)},
            {
                "action": "relate",
                "source": str(node.pk),
                "target": str(other.pk),
                "kind": "explains",
                "weight": 0.5,
            },
            {"action": "relation_edit", "relation": str(relation.pk), "metadata": {"a": 1}},
        ],
    )["changes"]
    assert [change["fields"] for change in made] == [
        {"status": "published"},
        {"status": "archived"},
        {"weight": 0.5},
        {"metadata": {"a": 1}},
    ]
    listed = get(teammate_api, proposal, "changes/")["results"]
    assert [change["id"] for change in listed[2:]] == [change["id"] for change in made]
    diff = get(teammate_api, proposal, "diff/")["results"]
    assert diff[4]["title"] == "Tides → explains → Ebb"
    answer = post(teammate_api, proposal, "changes", 400, action="create", title="x", colour="red")
    assert (answer["error"]["code"], answer["error"]["field"]) == ("unknown_field", "colour")
    answer = post(teammate_api, proposal, "changes", 400, action="create", title="x", weight=0.5)
    assert answer["error"]["field"] == "weight"


def test_texts_are_checked_as_if_merged(
    api: Api, teammate_api: Api, proposal: dict[str, Any], node: Node, space: Space
) -> None:
    broken = {"content": "See [[Nowhere]] and [[Lanterns]].", "version": 1}
    path = f"{PATH}{proposal['id']}/changes/{proposal['changes'][0]['id']}/"
    assert teammate_api.patch(path, broken).status_code == 200
    other = services.node_create(acting_user=node.owner, space=space, title="Ebb")
    services.relation_create(acting_user=node.owner, source=other, target=node)
    checks = get(api, proposal, "checks/")
    found = {check["code"]: check for check in checks["checks"] if check["node"] == str(node.pk)}
    assert "Nowhere" in found["broken_link"]["message"]
    assert "Lanterns" not in found["broken_link"]["message"]  # made by the same proposal
    assert {each["kind"] for each in checks["dependents"]} >= {"relation_in", "proposal"}
    rows = get(api, proposal, "findings/")["results"]
    assert [row["node"] for row in rows] == [change["node"] for change in proposal["changes"]]
    assert "broken_link" in [finding["code"] for finding in rows[0]["findings"]]


def test_lists_are_filtered(
    api: Api, teammate_api: Api, proposal: dict[str, Any], node: Node, space: Space
) -> None:
    def ids(**query: Any) -> list[str]:
        return [row["id"] for row in api.get(PATH, query).json()["results"]]

    mine = api.post(PATH, {"space": str(space.pk), "title": "Mine"}).json()
    assert ids() == [mine["id"], proposal["id"]]
    assert ids(author=mine["author"]) == [mine["id"]]
    assert ids(node=str(node.pk)) == [proposal["id"]]
    post(teammate_api, proposal, "submit")
    assert ids(status="in_review", space=str(space.pk)) == [proposal["id"]]


def test_comments_and_reviewers(
    api: Api, teammate_api: Api, proposal: dict[str, Any], owner: User
) -> None:
    change = proposal["changes"][0]["id"]
    comment = post(api, proposal, "comments", 201, body="Why?", change=change, line=1)
    assert (comment["field"], comment["change_version"]) == ("content", 1)
    post(teammate_api, proposal, "comments", 201, body="It is so.", parent=comment["id"])
    settled = post(teammate_api, proposal, f"comments/{comment['id']}/resolve")
    assert settled["resolved_at"]
    assert len(get(api, proposal, "comments/")["results"]) == 2
    assert len(get(api, proposal, "comments/?resolved=true")["results"]) == 1
    path = f"{PATH}{proposal['id']}/reviewers/"
    assert teammate_api.put(path, {"reviewers": [owner.pk]}).json() == {"reviewers": [owner.pk]}
    assert teammate_api.put(path, {"reviewers": [999999]}).status_code == 400


def test_strangers_find_nothing_and_editors_may_not_decide(
    stranger_api: Api, teammate_api: Api, proposal: dict[str, Any]
) -> None:
    assert stranger_api.get(PATH).json()["results"] == []
    for what in ("", "diff/", "conflicts/", "checks/", "changes/", "comments/"):
        get(stranger_api, proposal, what, 404)
    for what in ("submit", "approve", "merge", "reject", "comments"):
        post(stranger_api, proposal, what, 404)
    post(teammate_api, proposal, "submit")
    assert post(teammate_api, proposal, "approve", 403)["error"]["code"] == "role_needed"
    assert post(teammate_api, proposal, "merge", 403)["error"]["code"] == "role_needed"


def test_a_repeated_merge_with_one_key_is_answered_alike(
    api: Api, teammate_api: Api, proposal: dict[str, Any]
) -> None:
    post(teammate_api, proposal, "submit")
    post(api, proposal, "approve")
    path = f"{PATH}{proposal['id']}/merge/"
    answers = [api.post(path, {}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert Node.objects.filter(title="Lanterns").count() == 1


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def conflict(api: Api, proposal: dict[str, Any], node: Node) -> dict[str, Any]:
    api.patch(f"/api/v1/nodes/{node.pk}/", {"content": TEXT.replace("noon", "one")})
    return get(api, proposal, "conflicts/")["conflicts"][0]


@pytest.mark.django_db(transaction=True)
def test_a_language_model_suggests_and_changes_nothing(
    api: Api,
    proposal: dict[str, Any],
    conflict: dict[str, Any],
    model_server: ModelServer,
    node: Node,
) -> None:
    refused = post(api, proposal, "conflicts/suggest", 409, conflict=conflict["id"])
    assert refused["error"]["code"] == "no_language_model"
    ModelEndpoint.objects.create(
        name="stub",
        base_url=model_server.base_url,
        model_name="stub",
        tier=Tier.SIMPLE,
    )
    answer = post(api, proposal, "conflicts/suggest", conflict=conflict["id"])
    assert answer["suggestion"]
    asked = model_server.requests[-1]["messages"]
    assert "midnight" in asked[-1]["content"]
    assert "one" in asked[-1]["content"]
    assert get(api, proposal, "conflicts/")["conflicts"] == [conflict]
    post(api, proposal, "conflicts/suggest", 409, conflict="text-0")
