"""Memory over REST."""

import pytest

from project.accounts.choices import Scope
from project.accounts.models import User
from tests.conftest import Api

pytestmark = pytest.mark.django_db


def test_an_episode_is_kept_recalled_and_forgotten(api: Api, stranger_api: Api) -> None:
    answer = api.post(
        "/api/v1/episodes/",
        {
            "session": "s1",
            "content": "Remember: the slipway is closed on Mondays.",
            "tags": ["ops"],
        },
    )
    assert answer.status_code == 201
    row = answer.json()
    assert row["importance"] > 0.5
    found = api.post("/api/v1/recall/", {"query": "when is the slipway closed?", "explain": True})
    result = found.json()["results"][0]
    assert (result["kind"], result["id"]) == ("episode", row["id"])
    assert result["signals"]["keyword"] > 0
    url = f"/api/v1/episodes/{row['id']}/"
    assert stranger_api.get(url).status_code == stranger_api.delete(url).status_code == 404
    assert stranger_api.post("/api/v1/recall/", {"query": "slipway"}).json()["results"] == []
    assert api.delete(url).status_code == 204
    assert api.post("/api/v1/recall/", {"query": "slipway"}).json()["results"] == []


def test_many_episodes_are_kept_all_or_none(api: Api) -> None:
    rows = [{"session": "s", "content": f"Event {number}"} for number in range(3)]
    good = api.post("/api/v1/episodes/bulk/", {"episodes": rows})
    assert [each["content"] for each in good.json()["episodes"]] == [
        "Event 0",
        "Event 1",
        "Event 2",
    ]
    bad = api.post("/api/v1/episodes/bulk/", {"episodes": [*rows, {"session": "s"}]})
    assert bad.status_code == 400
    assert len(api.get("/api/v1/episodes/").json()["results"]) == 3


def test_naming_a_subject_needs_the_scope(owner: User) -> None:
    plain = Api(owner, [Scope.MEMORY_READ, Scope.MEMORY_WRITE])
    body = {"session": "s", "content": "Likes tea", "subject": "customer-7"}
    assert plain.post("/api/v1/episodes/", body).status_code == 403
    assert (
        plain.post("/api/v1/recall/", {"query": "tea", "subject": "customer-7"}).status_code == 403
    )
    broad = Api(owner)
    assert broad.post("/api/v1/episodes/", body).status_code == 201
    listed = broad.get("/api/v1/episodes/?subject=customer-7").json()["results"]
    assert [each["content"] for each in listed] == ["Likes tea"]


def test_recall_is_bound_by_time(api: Api) -> None:
    for day in ("01", "20"):
        api.post(
            "/api/v1/episodes/",
            {
                "session": "s",
                "content": f"Gauge on day {day}",
                "occurred_at": f"2026-05-{day}T12:00:00Z",
            },
        )
    found = api.post(
        "/api/v1/recall/",
        {"query": "gauge", "from": "2026-05-10T00:00:00Z", "to": "2026-05-30T00:00:00Z"},
    )
    assert [each["content"] for each in found.json()["results"]] == ["Gauge on day 20"]


@pytest.mark.parametrize(
    "body",
    [
        {"session": "s"},
        {"session": "s", "content": ""},
        {"session": "s", "content": "x", "importance": 2},
        {"session": "s", "content": "x", "occurred_at": "soon"},
        {"session": "s", "content": "x", "colour": 1},
    ],
)
def test_a_bad_episode_is_refused(api: Api, body: dict[str, object]) -> None:
    answer = api.post("/api/v1/episodes/", body)
    assert answer.status_code == 400
    assert api.get("/api/v1/episodes/").json()["results"] == []
