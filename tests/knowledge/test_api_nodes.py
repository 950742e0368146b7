"""Nodes over REST, as an integrator sees them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from knowledge.models import Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import Api, grant, make_user

pytestmark = pytest.mark.django_db


def made(api: Api, space: Space, **more: Any) -> dict[str, Any]:
    body = {
        "space": str(space.pk),
        "title": "Mooring",
        "content": "Two lines fore and aft.",
        **more,
    }
    answer = api.post("/api/v1/nodes/", body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_a_node_comes_whole(api: Api, space: Space) -> None:
    row = made(api, space, kind="procedure", tags=["harbour"], metadata={"dept": "ops"})
    assert row["version"] == 1
    assert len(row["checksum"]) == 64
    assert row["status"] == "draft"
    assert row["url"].startswith(f"/knowledge/nodes/{row['id']}/")
    again = api.get(f"/api/v1/nodes/{row['id']}/")
    assert again.json() == row
    assert again["ETag"] == '"1"'


def test_without_a_space_it_goes_to_the_callers_default(api: Api, space: Space) -> None:
    answer = api.post("/api/v1/nodes/", {"title": "Somewhere"})
    assert answer.json()["space"] == str(space.pk)


def test_published_on_create_where_the_role_allows(
    api: Api, teammate_api: Api, space: Space
) -> None:
    assert made(api, space, status="published")["published_at"]
    refused = teammate_api.post(
        "/api/v1/nodes/", {"space": str(space.pk), "title": "x", "status": "published"}
    )
    assert refused.status_code == 403


def test_each_change_is_a_version_with_author_and_reason(api: Api, space: Space) -> None:
    row = made(api, space)
    url = f"/api/v1/nodes/{row['id']}/"
    changed = api.patch(url, {"content": "Three lines.", "version": 1, "reason": "Gales"}).json()
    assert (changed["version"], changed["content"]) == (2, "Three lines.")
    versions = api.get(f"{url}versions/").json()["results"]
    assert [each["version"] for each in versions] == [2, 1]
    assert (versions[0]["reason"], versions[0]["parents"]) == ("Gales", [1])
    assert versions[0]["author_name"] == "owner"
    first = api.get(f"{url}versions/1/").json()
    assert (first["content"], first["checksum"]) == (row["content"], row["checksum"])


@pytest.mark.parametrize("by_header", [True, False])
def test_a_stale_write_is_refused_with_the_current_version(
    api: Api, space: Space, by_header: bool
) -> None:
    row = made(api, space)
    url = f"/api/v1/nodes/{row['id']}/"
    api.patch(url, {"title": "Mooring lines", "version": 1})
    if by_header:
        stale = api.patch(url, {"title": "Lost"}, headers={"if-match": '"1"'})
    else:
        stale = api.patch(url, {"title": "Lost", "version": 1})
    assert stale.status_code == 409
    assert stale.json()["error"]["code"] == "version_conflict"
    assert stale.json()["error"]["details"]["current"] == 2
    assert api.get(url).json()["title"] == "Mooring lines"


def test_an_if_match_that_is_no_version_is_refused(api: Api, space: Space) -> None:
    url = f"/api/v1/nodes/{made(api, space)['id']}/"
    answer = api.patch(url, {"title": "x"}, headers={"if-match": '"abc"'})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "If-Match")


def test_two_versions_are_compared_field_by_field(api: Api, space: Space) -> None:
    row = made(api, space, content="one\ntwo\nthree\n")
    url = f"/api/v1/nodes/{row['id']}/"
    api.patch(url, {"title": "Moorings", "content": "one\n2\nthree\n"})
    diff = api.get(f"{url}diff/?from=1&to=2").json()
    assert {each["field"] for each in diff["changes"]} == {"title", "content"}
    assert "-two" in diff["unified"]
    assert "+2" in diff["unified"]
    assert api.get(f"{url}diff/?from=1&to=9").status_code == 404
    assert api.get(f"{url}diff/?from=x&to=1").json()["error"]["field"] == "from"


def test_a_revert_is_a_new_version_equal_to_the_old(api: Api, space: Space) -> None:
    row = made(api, space)
    url = f"/api/v1/nodes/{row['id']}/"
    api.patch(url, {"content": "Wrong."})
    back = api.post(f"{url}revert/", {"version": 1, "reason": "Was right"}).json()
    assert (back["version"], back["content"], back["checksum"]) == (
        3,
        row["content"],
        row["checksum"],
    )


def test_readers_see_published_nodes_and_published_versions_only(api: Api, space: Space) -> None:
    row = made(api, space, content="Draft words.")
    url = f"/api/v1/nodes/{row['id']}/"
    reader = make_user("reader")
    grant(space, reader, Role.READER)
    reading = Api(reader)
    assert reading.get(url).status_code == 404
    api.patch(url, {"content": "Final words.", "status": "published"})
    assert reading.get(url).json()["content"] == "Final words."
    numbers = [each["version"] for each in reading.get(f"{url}versions/").json()["results"]]
    assert 1 not in numbers
    assert reading.get(f"{url}versions/1/").status_code == 404
    refused = reading.patch(url, {"title": "Mine"})
    assert refused.status_code == 403


def test_a_stranger_meets_404_everywhere(api: Api, stranger_api: Api, space: Space) -> None:
    row = made(api, space, status="published")
    url = f"/api/v1/nodes/{row['id']}/"
    calls = [
        stranger_api.get(url),
        stranger_api.patch(url, {"title": "x"}),
        stranger_api.delete(url),
        stranger_api.get(f"{url}versions/"),
        stranger_api.get(f"{url}versions/1/"),
        stranger_api.get(f"{url}diff/?from=1&to=1"),
        stranger_api.post(f"{url}revert/", {"version": 1}),
        stranger_api.get(f"{url}graph/"),
        stranger_api.post("/api/v1/nodes/", {"space": str(space.pk), "title": "x"}),
        stranger_api.get(f"/api/v1/spaces/{space.pk}/"),
    ]
    assert [each.status_code for each in calls] == [404] * len(calls)
    assert stranger_api.get("/api/v1/nodes/").json()["results"] == []
    assert Node.objects.get().title == "Mooring"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 301),
        ("kind", "Not a kind"),
        ("tags", "harbour"),
        ("metadata", [1]),
        ("valid_from", "yesterday"),
        ("status", "lost"),
        ("content", "nul \x00 byte"),
        ("language", "xx-nope"),
    ],
)
def test_a_bad_field_is_named(api: Api, space: Space, field: str, value: object) -> None:
    answer = api.post("/api/v1/nodes/", {"space": str(space.pk), "title": "x", field: value})
    assert answer.status_code == 400, answer.json()
    assert answer.json()["error"]["field"] == field
    assert not Node.objects.exists()


def test_a_window_must_end_after_it_begins(api: Api, space: Space) -> None:
    answer = api.post(
        "/api/v1/nodes/",
        {
            "space": str(space.pk),
            "title": "x",
            "valid_from": "2026-02-01T00:00:00Z",
            "valid_until": "2026-01-01T00:00:00Z",
        },
    )
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "valid_until")


def test_the_list_is_filtered(api: Api, space: Space) -> None:
    made(api, space, title="A", tags=["tide"], kind="faq")
    made(api, space, title="B", external_id="b-1")

    def titles(query: str) -> list[str]:
        page = api.get(f"/api/v1/nodes/?{query}").json()
        return [each["title"] for each in page["results"]]

    assert titles("tag=tide") == ["A"]
    assert titles("kind=faq") == ["A"]
    assert titles("external_id=b-1") == ["B"]
    assert api.get("/api/v1/nodes/?status=nonsense").status_code == 400


def test_a_bulk_call_names_every_bad_row(api: Api, space: Space) -> None:
    rows = [{"title": "Good"}, {"title": ""}, {"title": "x", "nope": 1}]
    answer = api.post("/api/v1/nodes/bulk/", {"space": str(space.pk), "nodes": rows})
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]["nodes"]) == {"1", "2"}
    rows = [{"title": "Good"}, {"title": "y", "language": "xx-nope"}]
    answer = api.post("/api/v1/nodes/bulk/", {"space": str(space.pk), "nodes": rows})
    assert answer.status_code == 400
    assert {row: set(each) for row, each in answer.json()["error"]["details"].items()} == {
        "1": {"language"}
    }


def test_a_bulk_call_is_a_job(api: Api, space: Space) -> None:
    rows = [{"title": f"Node {number}", "external_id": f"n-{number}"} for number in range(3)]
    answer = api.post("/api/v1/nodes/bulk/", {"space": str(space.pk), "nodes": rows})
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert (job["status"], job["kind"], job["progress"]) == ("queued", "bulk", 0.0)
    assert api.get(f"/api/v1/jobs/{job['id']}/").json()["position"] == 1


def test_the_graph_around_a_node(api: Api, space: Space) -> None:
    first, second, third = (made(api, space, title=name)["id"] for name in "ABC")
    for source, target in ((first, second), (second, third)):
        answer = api.post(
            "/api/v1/relations/", {"source": source, "target": target, "kind": "leads_to"}
        )
        assert answer.status_code == 201, answer.json()
    near = api.get(f"/api/v1/nodes/{first}/graph/?depth=1").json()
    assert [each["title"] for each in near["nodes"]] == ["A", "B"]
    far = api.get(f"/api/v1/nodes/{first}/graph/?depth=2").json()
    assert [each["title"] for each in far["nodes"]] == ["A", "B", "C"]
    assert len(far["relations"]) == 2
    assert api.get(f"/api/v1/nodes/{first}/graph/?depth=4").status_code == 400


def test_a_relation_needs_two_nodes_that_one_can_see(
    api: Api, stranger_api: Api, space: Space
) -> None:
    first, second = (made(api, space, title=name)["id"] for name in "AB")
    twin = api.post("/api/v1/relations/", {"source": first, "target": first})
    assert twin.status_code == 400
    answer = api.post("/api/v1/relations/", {"source": first, "target": second})
    again = api.post("/api/v1/relations/", {"source": first, "target": second})
    assert again.status_code == 409
    url = f"/api/v1/relations/{answer.json()['id']}/"
    assert stranger_api.get(url).status_code == 404
    assert stranger_api.delete(url).status_code == 404
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


def test_a_space_belongs_to_who_made_it(
    api: Api, owner: User, stranger_api: Api, teammate_api: Api
) -> None:
    assert api.post("/api/v1/spaces/", {"name": "Pilots"}).status_code == 403
    owner.user_permissions.add(Permission.objects.get(codename="add_space"))
    answer = api.post("/api/v1/spaces/", {"name": "Pilots", "visibility": "members"})
    assert answer.status_code == 201, answer.json()
    url = f"/api/v1/spaces/{answer.json()['id']}/"
    assert stranger_api.get(url).status_code == 404
    assert api.patch(url, {"description": "For pilots"}).json()["description"] == "For pilots"
    assert teammate_api.patch(url, {"name": "x"}).status_code == 404
    assert api.delete(url).status_code == 204
