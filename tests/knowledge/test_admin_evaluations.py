"""The admin of golden questions and evaluations."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from knowledge import services
from knowledge.choices import EvaluationStatus, GoldenOrigin, Outcome
from knowledge.evaluating import run_work
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import EvaluationRun, GoldenQuestion, Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from tests.knowledge.test_golden_services import make_golden, make_node
from tests.support.admin_client import signed_in

GOLDEN, RUNS = "/admin/knowledge/goldenquestion/", "/admin/knowledge/evaluationrun/"


@pytest.fixture
def nodes(owner: User, space: Space, settings: Settings) -> list[Node]:
    settings.ACERVO_EMBEDDING = "hashing"
    texts = {"Mooring fees": "A berth costs 12 euros a night.", "Tides": "High water is at noon."}
    made = [make_node(owner, space, title, content=text) for title, text in texts.items()]
    swap(prepare_nodes(made))
    return made


@pytest.fixture
def client(teammate: User, space: Space) -> Client:
    return signed_in(teammate)


def filled(*rows: dict[str, Any], initial: int = 0, **fields: Any) -> dict[str, Any]:
    """What the form of a golden question sends."""
    data: dict[str, Any] = {
        "question": "What costs a berth?", "language": "en", "tags": "money, berths", "notes": "",
        "is_active": "on", "targets-TOTAL_FORMS": len(rows), "targets-INITIAL_FORMS": initial,
        **fields,
    }  # fmt: skip
    for number, row in enumerate(rows):
        data |= {f"targets-{number}-{name}": value for name, value in row.items()}
    return data


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_question_is_made_with_its_nodes(
    client: Client, teammate: User, space: Space, nodes: list[Node]
) -> None:
    rows = [{"node": nodes[0].pk, "grade": 3}, {"node": nodes[1].pk, "grade": 1}]
    answer = client.post(f"{GOLDEN}add/", filled(*rows, space=space.pk), follow=True)
    assert answer.status_code == 200
    golden = GoldenQuestion.objects.get()
    assert (golden.created_by, golden.origin, golden.tags) == (
        teammate, GoldenOrigin.ADMIN, ["money", "berths"],
    )  # fmt: skip
    assert {each.node: each.grade for each in golden.targets.all()} == {nodes[0]: 3, nodes[1]: 1}
    assert "What costs a berth?" in text_of(client.get(GOLDEN))


def test_a_refusal_comes_back_on_the_form(
    client: Client, owner: User, space: Space, nodes: list[Node]
) -> None:
    make_golden(owner, nodes[0], question="What costs a berth?")
    row = {"node": nodes[1].pk, "grade": 3}
    page = text_of(client.post(f"{GOLDEN}add/", filled(row, space=space.pk)))
    assert "The space has this golden question already." in page
    page = text_of(client.post(f"{GOLDEN}add/", filled(space=space.pk, question="Which?")))
    assert GoldenQuestion.objects.count() == 1


def test_nodes_are_changed_and_a_lost_one_may_stay(
    client: Client, owner: User, nodes: list[Node]
) -> None:
    golden = make_golden(owner, *nodes)
    lost, kept = (golden.targets.get(node=node) for node in nodes)
    services.node_archive(acting_user=owner, node=nodes[0])
    services.node_delete(acting_user=owner, node=nodes[0])
    address = f"{GOLDEN}{golden.pk}/change/"
    assert "✕ Deleted: Mooring fees" in text_of(client.get(address))
    assert "✕ 1 deleted" in text_of(client.get(GOLDEN))
    assert "What is a berth?" in text_of(client.get(f"{GOLDEN}?nodes=lost"))
    rows = [
        {"id": kept.pk, "question": golden.pk, "node": nodes[1].pk, "grade": 2},
        {"id": lost.pk, "question": golden.pk, "node": "", "grade": 3},
    ]
    client.post(address, filled(*rows, initial=2, question="Which berth?"))
    golden.refresh_from_db()
    assert golden.question == "Which berth?"
    assert {each.node: each.grade for each in golden.targets.all()} == {nodes[1]: 2, None: 3}
    client.post(address, filled(rows[0], rows[1] | {"DELETE": "on"}, initial=2))
    assert [each.node for each in golden.targets.all()] == [nodes[1]]


def test_it_is_tried_without_being_saved(client: Client, space: Space, nodes: list[Node]) -> None:
    asked = {"space": space.pk, "question": "What costs a berth a night?", "node": nodes[0].pk}
    page = text_of(client.post(f"{GOLDEN}try/", asked))
    assert page.index("Mooring fees") < page.index("✓ named")
    page = text_of(client.post(f"{GOLDEN}try/", {**asked, "question": " "}))
    assert "Say what to search for." in page
    page = text_of(client.post(f"{GOLDEN}try/", {**asked, "space": ""}))
    assert "Choose a space that you may write in." in page
    assert not GoldenQuestion.objects.exists()


def test_questions_rest_and_go(client: Client, owner: User, nodes: list[Node]) -> None:
    golden = make_golden(owner, nodes[0])
    chosen = {"_selected_action": [str(golden.pk)]}
    client.post(GOLDEN, {"action": "golden_rest", **chosen})
    golden.refresh_from_db()
    assert not golden.is_active
    client.post(GOLDEN, {"action": "golden_activate", **chosen})
    golden.refresh_from_db()
    assert golden.is_active
    client.post(f"{GOLDEN}{golden.pk}/delete/", {"post": "yes"})
    assert not GoldenQuestion.objects.exists()


def test_a_file_is_taken_in_or_told_line_by_line(
    client: Client, space: Space, nodes: list[Node]
) -> None:
    def sent(text: str) -> Any:
        file = SimpleUploadedFile("golden.csv", text.encode())
        return client.post(f"{GOLDEN}import/", {"space": space.pk, "file": file}, follow=True)

    page = text_of(sent("question,title\nWhen?,Tides\nWhere?,Nowhere\n"))
    assert "<b>Line 3</b> No node of the space has the title “Nowhere”." in page
    assert not GoldenQuestion.objects.exists()
    assert "1 questions were made" in text_of(sent("question,title\nWhen?,Tides\n"))
    assert GoldenQuestion.objects.get().origin == GoldenOrigin.IMPORT
    assert "Choose a file." in text_of(client.post(f"{GOLDEN}import/", {"space": space.pk}))


def test_empty_lists_say_what_to_do(client: Client, space: Space) -> None:
    assert "No golden question yet" in text_of(client.get(GOLDEN))
    assert "Nothing was evaluated yet" in text_of(client.get(RUNS))
    assert "0 active questions" in text_of(client.get(f"{RUNS}add/"))


def test_a_run_is_started_watched_and_read(
    client: Client, owner: User, space: Space, nodes: list[Node]
) -> None:
    make_golden(owner, nodes[0], question="What costs a berth?")
    make_golden(owner, nodes[1], question="Who swims?")
    body = {"space": space.pk, "k": "1", "mode": "keyword", "as_of": "", "release": ""}
    answer = client.post(f"{RUNS}add/", body)
    run = EvaluationRun.objects.get()
    assert answer["Location"] == f"{RUNS}{run.pk}/change/"
    assert "No question has been asked yet." in text_of(client.get(answer["Location"]))
    progress = client.get(f"{RUNS}progress/", {"id": run.pk}).json()["runs"][str(run.pk)]
    assert (progress["ended"], "Queued" in progress["html"]) == (False, True)
    run_work(run.pk)
    assert client.get(f"{RUNS}progress/", {"id": run.pk}).json()["runs"][str(run.pk)]["ended"]
    page = text_of(client.get(answer["Location"]))
    assert "0.500" in page
    assert "not among the first 20" in page
    page = text_of(client.get(f"{answer['Location']}?show=missed"))
    assert "Who swims?" in page
    assert "What costs a berth?" not in page
    client.post(f"{RUNS}{run.pk}/again/")
    again = EvaluationRun.objects.exclude(pk=run.pk).get()
    assert (again.k, again.mode, again.status) == (1, "keyword", EvaluationStatus.QUEUED)
    client.post(f"{RUNS}{again.pk}/cancel/")
    again.refresh_from_db()
    assert again.status == EvaluationStatus.CANCELLED
    assert "0.500" in text_of(client.get(RUNS))


@pytest.mark.parametrize("change", [{"k": "x"}, {"mode": "x"}, {"as_of": "x"}, {"space": ""}])
def test_nonsense_starts_nothing(client: Client, space: Space, change: dict[str, str]) -> None:
    body = {"space": space.pk, "k": "1", "mode": "hybrid", **change}
    assert client.post(f"{RUNS}add/", body).status_code == 200
    assert not EvaluationRun.objects.exists()


def test_a_page_compares_before_and_after(
    client: Client, owner: User, space: Space, nodes: list[Node]
) -> None:
    golden = make_golden(owner, nodes[0], question="What costs a berth?")
    run = services.evaluation_start(acting_user=owner, space=space)
    run.results.update(
        before=[{"node": str(nodes[0].pk), "title": "Fees", "version": 1, "rank": 2, "score": 0.5}],
        after=[{"node": str(nodes[1].pk), "title": "Tides", "version": 1, "rank": 1, "score": 0.4}],
        recall_before=1.0, reciprocal_rank_before=0.5, ndcg_before=0.6, recall_after=0.0,
        reciprocal_rank_after=0.0, ndcg_after=0.0, outcome=Outcome.LOST, measured_at=run.created_at,
    )  # fmt: skip
    means = {"recall": 1.0, "mrr": 0.5, "ndcg": 0.6}
    EvaluationRun.objects.filter(pk=run.pk).update(
        proposal_id=golden.pk, proposal_revision=3, status=EvaluationStatus.COMPLETED, measured=1,
        metrics={"before": means, "after": dict.fromkeys(means, 0.0), "lost": 1, "gained": 0},
    )  # fmt: skip
    page = text_of(client.get(f"{RUNS}{run.pk}/change/"))
    assert "gone, was rank 2" in page
    assert "1.000 worse" in page
    assert "Proposal <b>deleted</b> <small>revision 3</small>" in page
    assert "▼" in text_of(client.get(RUNS))


def test_strangers_and_readers_see_nothing(
    owner: User, stranger: User, space: Space, nodes: list[Node]
) -> None:
    golden = make_golden(owner, nodes[0])
    run = services.evaluation_start(acting_user=owner, space=space)
    client = signed_in(stranger)
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    services.member_set(
        acting_user=User.objects.create_superuser(username="root"),
        space=elsewhere, user=stranger, role=Role.EDITOR,
    )  # fmt: skip
    assert "What is a berth?" not in text_of(client.get(GOLDEN))
    for address in (f"{GOLDEN}{golden.pk}/change/", f"{RUNS}{run.pk}/change/"):
        assert client.get(address).status_code in {302, 403, 404}
    for address in (f"{RUNS}{run.pk}/cancel/", f"{RUNS}{run.pk}/again/"):
        assert client.post(address).status_code == 404
    assert client.get(f"{RUNS}progress/", {"id": run.pk}).json() == {"runs": {}}
    asked = {"space": space.pk, "question": "What costs a berth a night?"}
    assert "Mooring fees" not in text_of(client.post(f"{GOLDEN}try/", asked))
    file = SimpleUploadedFile("golden.csv", b"question,title\nWhen?,Tides\n")
    client.post(f"{GOLDEN}import/", {"space": space.pk, "file": file})
    client.post(f"{RUNS}add/", {"space": space.pk, "mode": "hybrid"})
    assert (GoldenQuestion.objects.count(), EvaluationRun.objects.count()) == (1, 1)
