"""Golden questions and evaluations over REST."""

import datetime
import uuid
from typing import Any

import pytest
from pytest_django import Settings

from knowledge import services
from knowledge.evaluating import run_work
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import EvaluationRun, GoldenQuestion, Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import Api, grant
from tests.knowledge.test_golden_services import make_node

GOLDEN, RUNS = "/api/v1/golden-questions/", "/api/v1/evaluations/"


@pytest.fixture
def nodes(owner: User, space: Space, settings: Settings) -> list[Node]:
    settings.ACERVO_EMBEDDING = "hashing"
    texts = {
        "Mooring fees": "A berth costs 12 euros a night.",
        "Tides": "High water is at noon.",
    }
    made = [make_node(owner, space, title, content=text) for title, text in texts.items()]
    swap(prepare_nodes(made))
    return made


def make(api: Api, *nodes: Node, question: str = "What costs a berth?") -> Any:
    answer = api.post(GOLDEN, {"question": question, "nodes": [str(node.pk) for node in nodes]})
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_a_golden_question_comes_whole(
    teammate_api: Api, teammate: User, space: Space, nodes: list[Node]
) -> None:
    body = {
        "question": "What costs a berth?",
        "nodes": [{"node": str(nodes[0].pk), "grade": 2}],
        "space": str(space.pk),
        "language": "en",
        "tags": ["money"],
        "notes": "From the helpdesk",
    }
    made = teammate_api.post(GOLDEN, body).json()
    assert teammate_api.get(f"{GOLDEN}{made['id']}/").json() == made
    assert made | {"id": "", "created_at": "", "updated_at": ""} == {
        **body,
        "id": "",
        "nodes": [{"node": str(nodes[0].pk), "title": "Mooring fees", "grade": 2, "lost": False}],
        "is_active": True,
        "origin": "api",
        "message": None,
        "created_by": teammate.pk,
        "created_at": "",
        "updated_at": "",
    }


def test_it_is_changed_and_deleted(teammate_api: Api, nodes: list[Node]) -> None:
    made = make(teammate_api, nodes[0])
    address = f"{GOLDEN}{made['id']}/"
    changed = teammate_api.patch(address, {"nodes": [str(nodes[1].pk)], "is_active": False}).json()
    assert [each["title"] for each in changed["nodes"]] == ["Tides"]
    assert (changed["is_active"], changed["question"]) == (False, made["question"])
    assert teammate_api.delete(address).status_code == 204
    assert teammate_api.get(address).status_code == 404


def test_the_list_is_filtered(teammate_api: Api, space: Space, nodes: list[Node]) -> None:
    first = make(teammate_api, nodes[0])
    second = make(teammate_api, nodes[1], question="When is high water?")
    teammate_api.patch(f"{GOLDEN}{second['id']}/", {"is_active": False, "tags": ["sea"]})

    def listed(query: str) -> list[str]:
        return [row["id"] for row in teammate_api.get(f"{GOLDEN}?{query}").json()["results"]]

    assert listed(f"space={space.pk}") == [second["id"], first["id"]]
    assert listed(f"space={uuid.uuid4()}") == []
    assert listed("is_active=true") == [first["id"]]
    assert listed("tag=sea") == listed(f"node={nodes[1].pk}") == [second["id"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"colour": "red"}, "unknown_field"),
        ({"nodes": []}, "invalid"),
        ({"nodes": ["x"]}, "invalid"),
        ({"nodes": [{"node": str(uuid.uuid4()), "grade": 9}]}, "invalid"),
        ({"question": "x" * 2001}, "invalid"),
        ({"question": "a\0b"}, "invalid"),
    ],
)
def test_nonsense_is_refused(
    teammate_api: Api, nodes: list[Node], change: dict[str, Any], code: str
) -> None:
    body = {"question": "Which?", "nodes": [str(nodes[0].pk)], **change}
    answer = teammate_api.post(GOLDEN, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_question_that_is_known_is_a_conflict(teammate_api: Api, nodes: list[Node]) -> None:
    made = make(teammate_api, nodes[0])
    body = {"question": made["question"], "nodes": [str(nodes[1].pk)]}
    answer = teammate_api.post(GOLDEN, body)
    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == {"golden_question": made["id"]}


def test_a_run_is_started_followed_and_read(
    teammate_api: Api, teammate: User, space: Space, nodes: list[Node]
) -> None:
    make(teammate_api, nodes[0])
    make(teammate_api, nodes[1], question="When is high water?")
    answer = teammate_api.post(RUNS, {"space": str(space.pk), "k": 1, "mode": "keyword"})
    assert answer.status_code == 202
    run = answer.json()
    assert (run["status"], run["questions"], run["progress"], run["metrics"]) == (
        "queued", 2, 0.0, None,
    )  # fmt: skip
    assert [result["before"] for result in run["results"]] == [None, None]
    run_work(uuid.UUID(run["id"]))
    run = teammate_api.get(f"{RUNS}{run['id']}/").json()
    assert (run["status"], run["k"], run["created_by"]) == ("completed", 1, teammate.pk)
    assert run["metrics"]["before"] == {"recall": 1.0, "mrr": 1.0, "ndcg": 1.0}
    first = run["results"][0]
    assert first["targets"][0] | {"title": ""} == {
        "node": str(nodes[0].pk), "title": "", "grade": 3, "rank_before": 1, "rank_after": None,
    }  # fmt: skip
    assert (first["before"]["recall"], first["after"]) == (1.0, None)
    assert first["before"]["results"][0]["node"] == str(nodes[0].pk)

    page = teammate_api.get(f"{run['results_url']}?limit=1").json()
    following = teammate_api.get(page["next"]).json()
    assert [page["results"][0], following["results"][0]] == run["results"]
    assert teammate_api.get(f"{run['results_url']}?outcome=missed").json()["results"] == []
    assert teammate_api.get(f"{run['results_url']}?outcome=red").status_code == 400
    listed = teammate_api.get(f"{RUNS}?status=completed&space={space.pk}").json()["results"]
    assert [row["id"] for row in listed] == [run["id"]]
    assert "results" not in listed[0]
    assert teammate_api.get(f"{RUNS}?status=red").status_code == 400
    cancelled = teammate_api.post(f"{RUNS}{run['id']}/cancel/").json()
    assert cancelled["status"] == "completed"


def test_a_run_without_a_space_is_of_the_only_one(teammate_api: Api, space: Space) -> None:
    run = teammate_api.post(RUNS, {}).json()
    assert (run["space"], run["k"]) == (str(space.pk), 10)
    cancelled = teammate_api.post(f"{RUNS}{run['id']}/cancel/").json()
    assert cancelled["status"] == "cancelled"


def test_a_run_is_about_one_state(teammate_api: Api, space: Space) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat()
    answer = teammate_api.post(RUNS, {"as_of": now, "release": "Spring"})
    assert answer.status_code == 400
    answer = teammate_api.post(RUNS, {"release": "Never made"})
    assert answer.status_code in {400, 404}
    assert not EvaluationRun.objects.exists()


def test_readers_and_strangers_meet_nothing(
    teammate_api: Api, stranger: User, stranger_api: Api, space: Space, nodes: list[Node]
) -> None:
    golden = make(teammate_api, nodes[0])["id"]
    run = teammate_api.post(RUNS, {}).json()["id"]

    def met() -> set[int]:
        return {
            stranger_api.get(f"{GOLDEN}{golden}/").status_code,
            stranger_api.patch(f"{GOLDEN}{golden}/", {"notes": "x"}).status_code,
            stranger_api.delete(f"{GOLDEN}{golden}/").status_code,
            stranger_api.get(f"{RUNS}{run}/").status_code,
            stranger_api.get(f"{RUNS}{run}/results/").status_code,
            stranger_api.post(f"{RUNS}{run}/cancel/").status_code,
        }

    body = {"question": "Mine?", "nodes": [str(nodes[0].pk)]}
    assert met() == {404}
    assert stranger_api.post(GOLDEN, body).status_code == 404
    assert stranger_api.post(RUNS, {"space": str(space.pk)}).status_code == 404
    grant(space, stranger, Role.READER)
    assert met() == {404}
    assert stranger_api.post(GOLDEN, body).status_code == 403
    assert stranger_api.post(RUNS, {"space": str(space.pk)}).status_code == 403
    assert stranger_api.get(GOLDEN).json()["results"] == []
    assert stranger_api.get(RUNS).json()["results"] == []
    assert GoldenQuestion.objects.count() == 1


def test_a_lost_node_is_shown(owner: User, api: Api, nodes: list[Node]) -> None:
    golden = make(api, nodes[0])
    services.node_archive(acting_user=owner, node=nodes[0])
    services.node_delete(acting_user=owner, node=nodes[0])
    (node,) = api.get(f"{GOLDEN}{golden['id']}/").json()["nodes"]
    assert (node["lost"], node["title"], node["node"]) == (True, "Mooring fees", str(nodes[0].pk))
