"""The search workbench: how an answer comes about, two searches side by side, labels, why not."""

import datetime
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from knowledge import services
from knowledge.choices import JobKind, JobStatus, NodeStatus, SearchMode, Visibility
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import Embedding, GoldenQuestion, IngestJob, Node, Space
from knowledge.retrieval import Why, _legs, _why, search, why_not
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.http.errors import NotFound
from tests.conftest import Api
from tests.knowledge.test_golden_services import make_node
from tests.support.admin_client import signed_in

PAGE = "/admin/knowledge/workbench/"
TEXTS = {
    "Mooring fees": "A berth costs 12 euros a night.",
    "Berths": "Each berth has a number; the berth of a guest is green.",
    "Tides": "High water is at noon, and the berth is dry at six.",
    "Kitchen": "Soup is served at one.",
}


@pytest.fixture
def nodes(owner: User, space: Space, settings: Settings) -> dict[str, Node]:
    settings.ACERVO_EMBEDDING = "hashing"
    made = [make_node(owner, space, title, content=text) for title, text in TEXTS.items()]
    swap(prepare_nodes(made))
    return {each.title: each for each in Node.objects.all()}


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def why(node: Node, user: User, query: str = "What costs a berth?", **asked: Any) -> Why:
    return why_not(SearchRequest(query=query, **asked), node.pk, user=user)


def test_a_page_shows_the_steps_of_each_score(
    teammate: User, space: Space, nodes: dict[str, Node]
) -> None:
    client = signed_in(teammate)
    assert "See how search comes to its answers" in text_of(client.get(PAGE))
    page = text_of(client.get(PAGE, {"q": "What costs a berth?", "space": str(space.pk)}))
    best = search(SearchRequest(query="What costs a berth?"), user=teammate).results[0]
    assert best.title == "Mooring fees"
    for part in (f"{best.score:.3f}", "Steps of the score of “Mooring fees”", "+0.", "Embedding",
                 "Times of the stages", f"/knowledge/nodes/{best.node}/?version=1"):  # fmt: skip
        assert part in page
    assert "no object" not in page.lower()
    wrong = text_of(client.get(PAGE, {"q": "berth", "as_of": "tomorrow?", "metadata": "[1"}))
    assert "A date such as 2026-03-01" in wrong
    assert "Write an object of JSON" in wrong
    unfit = text_of(client.get(PAGE, {"q": "berth", "metadata": '{"a": "\\u0000"}'}))
    assert "characters that cannot be stored" in unfit
    later = text_of(client.get(PAGE, {"q": "berth", "as_of": "2020-01-01"}))
    assert 'role="alert"' in later  # what search refuses is said, and nothing breaks


def test_two_searches_stand_side_by_side(teammate: User, nodes: dict[str, Node]) -> None:
    asked = {"q": "dry berth at noon", "limit": "2", "b_mode": "vector"}
    page = text_of(signed_in(teammate).get(PAGE, asked))
    assert "Side by side" in page
    first, second = (
        [
            each.title
            for each in search(
                SearchRequest(query="dry berth at noon", limit=2, mode=mode),
                user=teammate,
            ).results
        ]
        for mode in (SearchMode.HYBRID, SearchMode.VECTOR)
    )
    lost = [title for title in first if title not in second]
    assert ("lost, was rank" in page) == bool(lost)
    assert page.index("Side by side") < page.index(second[0])


def test_labels_become_a_golden_question_and_are_merged(
    teammate: User, stranger: User, space: Space, nodes: dict[str, Node]
) -> None:
    client = signed_in(teammate)
    fees, berths = nodes["Mooring fees"], nodes["Berths"]
    sent = {"question": "What costs a berth?", "query": "q=What", f"grade-{fees.pk}": "3",
            f"grade-{berths.pk}": "0"}  # fmt: skip
    assert client.post(PAGE, sent).status_code == 302
    golden = GoldenQuestion.objects.get()
    assert {each.node: each.grade for each in golden.targets.all()} == {fees: 3}
    client.post(PAGE, {**sent, f"grade-{berths.pk}": "1"})
    client.post(PAGE, {"golden": golden.pk, f"grade-{fees.pk}": "2", "question": "Else?"})
    assert {each.node: each.grade for each in golden.targets.all()} == {fees: 2, berths: 1}
    page = text_of(client.get(PAGE, {"q": "what costs  a berth?"}))
    assert f"/admin/knowledge/goldenquestion/{golden.pk}/change/" in page
    answer = client.post(PAGE, {"question": "Nothing?", f"grade-{fees.pk}": "0"}, follow=True)
    assert "Label at least one result" in text_of(answer)
    outside = signed_in(stranger)
    assert outside.get(PAGE).status_code == outside.post(PAGE, sent).status_code == 404
    assert Client().get(PAGE).status_code == 302


def test_the_stage_that_lost_a_node_is_named(
    owner: User, teammate: User, space: Space, nodes: dict[str, Node]
) -> None:
    fees, kitchen = nodes["Mooring fees"], nodes["Kitchen"]
    assert why(fees, owner).is_found
    assert "rank 1" in why(fees, owner).words
    elsewhere = Space.objects.create(name="Else", slug="else", visibility=Visibility.PUBLIC)
    assert why(fees, owner, spaces=(elsewhere.pk,)).stage == "space"
    filtered = why(fees, owner, tags=("money",), kinds=(fees.kind,))
    assert (filtered.stage, filtered.numbers["filters"]) == ("filters", ["tags"])
    assert why(fees, owner, "berth -euros").stage == "operators"
    assert why(fees, owner, min_score=0.99).stage == "min_score"
    last = why(nodes["Tides"], owner, "berth costs", limit=1)
    assert (last.stage, last.numbers["last_shown"]["node"]) == ("limit", str(fees.pk))
    assert f"{last.numbers['score']:.3f}" in last.words
    far = why(kitchen, owner, "berth", mode="keyword")
    assert far.stage == "legs"
    assert "none of the words that bring candidates: berth" in far.words

    Embedding.objects.filter(node=kitchen).delete()
    bare = why(kitchen, owner, "berth", mode="vector")
    assert (bare.stage, "no vector in the generation" in bare.words) == ("legs", True)
    Node.objects.filter(pk=fees.pk).update(valid_until=timezone.now() - datetime.timedelta(days=1))
    assert "was valid until" in why(fees, owner).words
    draft = make_node(owner, space, "Draft", content="A berth.", status=NodeStatus.DRAFT)
    assert "not published" in why(draft, teammate).words
    fresh = make_node(owner, space, "Fresh", content="A new berth.")
    assert "not indexed yet" in why(fresh, owner).words
    IngestJob.objects.create(
        space=space, kind=JobKind.BULK, status=JobStatus.FAILED, nodes=[fresh.pk],
        error_message="The model is away.", created_by=owner,
    )  # fmt: skip
    failed = why(fresh, owner)
    assert (failed.stage, "The model is away." in failed.words) == ("index", True)
    empty = make_node(owner, space, "Empty", content="")
    swap(prepare_nodes([empty]))
    empty.refresh_from_db()
    assert why(empty, owner).stage == "index" or why(empty, owner).numbers["passages"] > 0


def test_the_exact_rank_is_told_beside_the_cut_off(
    owner: User, space: Space, nodes: dict[str, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = services.profile_create(
        acting_user=_super(owner), knobs={"depth": 20}, note="Shallow"
    )
    many = [make_node(owner, space, f"Berth {n}", content="berth " * 3) for n in range(40)]
    swap(prepare_nodes(many))
    asked = {"mode": "keyword", "limit": 3, "profile": profile.pk}
    lost = why(nodes["Tides"], _super(owner), "berth", **asked)
    assert lost.stage == "legs"
    assert lost.numbers["keyword"]["rank"] > lost.numbers["depth"]
    assert lost.numbers["keyword"]["bm25"] < lost.numbers["keyword"]["cut_off"]

    # Where ranking all would take long, only the node itself is looked at.
    monkeypatch.setattr(_why, "RANKED", 0)
    monkeypatch.setattr(_legs, "ranks_of_nodes", None)
    large = why(nodes["Tides"], _super(owner), "berth", **asked)
    assert large.stage == "legs"
    assert large.numbers["keyword"] == {**lost.numbers["keyword"], "rank": None}
    assert "BM25" in large.words
    assert why(nodes["Tides"], _super(owner), "berth -berth", **asked).stage == "operators"


def _super(user: User) -> User:
    user.is_superuser = True
    user.save(update_fields=["is_superuser"])
    return user


def test_nobody_learns_of_what_they_may_not_see(
    api: Api, teammate_api: Api, stranger: User, stranger_api: Api, nodes: dict[str, Node]
) -> None:
    path = "/api/v1/search/why-not/"
    body = {"query": "berth", "node": str(nodes["Tides"].pk)}
    assert api.post(path, body).json()["stage"] == "shown"
    assert teammate_api.post(path, body).status_code == 403
    hidden = stranger_api.post(path, body)
    absent = stranger_api.post(path, {**body, "node": str(uuid.uuid4())})
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["error"]["message"] == absent.json()["error"]["message"]
    with pytest.raises(NotFound):
        why(nodes["Tides"], stranger)
    assert api.post(path, {"query": " ", "node": body["node"]}).status_code == 400
