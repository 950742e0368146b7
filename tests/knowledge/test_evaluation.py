"""Evaluations: what they measure, and that nothing is asked twice or lost, whatever dies."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from knowledge import evaluating, recovery, services, tasks
from knowledge.choices import EvaluationStatus, Outcome, SearchMode
from knowledge.evaluating import run_work
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import EvaluationRun, GoldenQuestion, Node, Space
from knowledge.retrieval import _gathering
from knowledge.run_leases import MAX_ATTEMPTS, run_claim
from monitoring.expiry import rows_expire
from project.accounts.models import User
from project.http.errors import Forbidden, Invalid, NotFound
from project.inference.types import EmbeddingUnavailable
from tests.knowledge.test_golden_services import make_node

QUESTIONS = {
    "How much does a berth cost a night?": ("fees", 3),
    "When is high water?": ("tide", 3),
    "Where do we meet in a fire?": ("fire", 3),
}


@pytest.fixture(autouse=True)
def quick_model(settings: Settings) -> None:
    settings.ACERVO_EMBEDDING = "hashing"


@pytest.fixture
def library(owner: User, space: Space) -> dict[str, Node]:
    texts = {
        "fees": ("Mooring fees", "A berth costs 12 euros a night. Pay at the harbour office."),
        "tide": ("Tides", "High water comes twice a day and lifts every boat in the basin."),
        "fire": ("Fire drill", "In a fire, leave the pier and meet at the lighthouse."),
        "food": ("Canteen", "Soup, bread and water are served at noon in the canteen."),
    }
    nodes = {
        key: make_node(owner, space, title, content=content)
        for key, (title, content) in texts.items()
    }
    swap(prepare_nodes(list(nodes.values())))
    return nodes


@pytest.fixture
def golden(owner: User, library: dict[str, Node]) -> list[GoldenQuestion]:
    return [
        services.golden_create(acting_user=owner, question=question, nodes={library[key].pk: grade})
        for question, (key, grade) in QUESTIONS.items()
    ]


def start(user: User, space: Space, **options: Any) -> EvaluationRun:
    return services.evaluation_start(acting_user=user, space=space, **options)


def worked(run: EvaluationRun) -> EvaluationRun:
    while run_work(run.pk) is not None:
        pass
    run.refresh_from_db()
    return run


def die_after(monkeypatch: pytest.MonkeyPatch, searches: int, error: BaseException) -> list[str]:
    """Let the next searches go through, then raise; return the questions as they are asked.

    Those of single legs are not counted.
    """
    asked: list[str] = []
    real: Callable[..., Any] = evaluating.search

    def search(request: Any, **options: Any) -> Any:
        if request.mode in evaluating.LEGS:
            return real(request, **options)
        if len(asked) == searches:
            raise error
        asked.append(request.query)
        return real(request, **options)

    monkeypatch.setattr(evaluating, "search", search)
    return asked


def test_a_run_measures_every_active_question(
    teammate: User, owner: User, space: Space, library: dict[str, Node], golden: list[Any]
) -> None:
    services.golden_update(acting_user=owner, golden=golden[2], is_active=False)
    both = {library["tide"].pk: 3, library["food"].pk: 1}
    services.golden_update(acting_user=owner, golden=golden[1], nodes=both)
    run = start(teammate, space, k=1, mode=SearchMode.KEYWORD)
    assert (run.status, run.questions, run.progress) == (EvaluationStatus.QUEUED, 2, 0.0)
    run = worked(run)
    assert (run.status, run.measured, run.progress) == (EvaluationStatus.COMPLETED, 2, 1.0)
    fees, tide = run.results.order_by("position")
    assert (fees.text, fees.outcome, fees.recall_before) == (
        "How much does a berth cost a night?", Outcome.FOUND, 1.0,
    )  # fmt: skip
    assert (fees.before[0]["node"], fees.before[0]["rank"]) == (str(library["fees"].pk), 1)
    assert (tide.recall_before, tide.reciprocal_rank_before, tide.ndcg_before) == (0.5, 1.0, 1.0)
    assert (fees.after, fees.recall_after) == (None, None)
    assert run.metrics == {
        "k": 1, "questions": 2, "before": {"recall": 0.75, "mrr": 1.0, "ndcg": 1.0},
        "after": None, "change": None, "found": 2, "missed": 0,
    }  # fmt: skip


def test_a_run_searches_the_whole_space_and_no_other(
    owner: User, admin_user: User, space: Space, library: dict[str, Node], golden: list[Any]
) -> None:
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere", visibility="public")
    text = "A berth costs nothing a night elsewhere."
    swap(prepare_nodes([make_node(admin_user, elsewhere, "Berth", content=text)]))
    run = worked(start(owner, space))
    found = {each["node"] for result in run.results.all() for each in result.before}
    assert found <= {str(node.pk) for node in library.values()}
    assert run.metrics["before"]["recall"] == 1.0


def test_a_lost_node_counts_as_missed(
    owner: User, space: Space, library: dict[str, Node], golden: list[Any]
) -> None:
    services.node_archive(acting_user=owner, node=library["fire"])
    services.node_delete(acting_user=owner, node=library["fire"])
    run = worked(start(owner, space))
    lost = run.results.get(text="Where do we meet in a fire?")
    assert (lost.outcome, lost.recall_before) == (Outcome.MISSED, 0.0)
    assert lost.targets == [{"node": str(library["fire"].pk), "title": "Fire drill", "grade": 3}]
    assert (run.metrics["found"], run.metrics["missed"]) == (2, 1)


def test_a_run_keeps_what_it_asked_when_questions_change(
    owner: User, space: Space, golden: list[Any]
) -> None:
    run = start(owner, space)
    services.golden_delete(acting_user=owner, golden=golden[0])
    run = worked(run)
    assert (run.measured, run.results.filter(question=None).count()) == (3, 1)


def test_a_killed_worker_is_followed_and_no_question_asked_twice(
    owner: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(owner, space)
    with monkeypatch.context() as patch:
        asked = die_after(patch, 2, SystemExit())
        with pytest.raises(SystemExit):
            run_work(run.pk)
    run.refresh_from_db()
    assert (run.status, run.measured) == (EvaluationStatus.RUNNING, 2)
    assert run_work(run.pk) is None  # its lease still holds: a second worker goes away
    run.refresh_from_db()
    assert (run.status, run.measured) == (EvaluationStatus.RUNNING, 2)

    machine, _pid, token = run.lease_owner.split(":")
    dead = f"{machine}:4194305:{token}"  # above every process id that Linux gives
    EvaluationRun.objects.filter(pk=run.pk).update(lease_owner=dead)
    assert recovery.evaluations_to_send() == [run.pk]
    again = die_after(monkeypatch, 100, SystemExit())
    tasks.evaluation_work(str(run.pk))
    run.refresh_from_db()
    assert (run.status, run.measured) == (EvaluationStatus.COMPLETED, 3)
    assert sorted(asked + again) == sorted(QUESTIONS)


def test_a_holder_that_came_too_late_writes_nothing(
    owner: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(owner, space)
    real: Callable[..., Any] = evaluating.search

    def slow(request: Any, **options: Any) -> Any:
        EvaluationRun.objects.filter(pk=run.pk).update(lease_until=timezone.now())
        assert (
            run_claim(EvaluationRun, run.pk) is not None
        )  # another worker takes the run meanwhile
        return real(request, **options)

    monkeypatch.setattr(evaluating, "search", slow)
    assert run_work(run.pk) is None
    run.refresh_from_db()
    assert (run.status, run.measured) == (EvaluationStatus.RUNNING, 0)
    assert not run.results.exclude(measured_at=None).exists()


def test_a_fault_gives_the_run_back(
    owner: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(owner, space)
    with monkeypatch.context() as patch:
        die_after(patch, 1, RuntimeError("away"))
        with pytest.raises(RuntimeError):
            run_work(run.pk)
    run.refresh_from_db()
    assert (run.status, run.measured, run.lease_owner) == (EvaluationStatus.QUEUED, 1, "")
    assert worked(run).status == EvaluationStatus.COMPLETED


def test_a_run_that_always_breaks_ends(
    owner: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(owner, space)
    die_after(monkeypatch, 0, RuntimeError("away"))
    for _attempt in range(MAX_ATTEMPTS):
        with pytest.raises(RuntimeError):
            run_work(run.pk)
    assert run_work(run.pk) is None
    run.refresh_from_db()
    assert run.status == EvaluationStatus.FAILED
    assert "too often" in run.error


def test_what_search_refuses_fails_the_run(
    owner: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(owner, space)
    die_after(monkeypatch, 1, Invalid("The release is gone."))
    run = worked(run)
    assert (run.status, run.error) == (EvaluationStatus.FAILED, "The release is gone.")


def test_a_cancelled_run_stops_at_its_next_question(
    owner: User, teammate: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(owner, space)
    real: Callable[..., Any] = evaluating.search

    def cancelling(request: Any, **options: Any) -> Any:
        services.evaluation_cancel(acting_user=teammate, run=run)
        return real(request, **options)

    monkeypatch.setattr(evaluating, "search", cancelling)
    run = worked(run)
    assert (run.status, run.measured) == (EvaluationStatus.CANCELLED, 0)
    assert run_work(run.pk) is None
    assert services.evaluation_cancel(acting_user=owner, run=run).status == run.status


def test_a_model_that_is_away_is_waited_for_and_then_told(
    owner: User, space: Space, golden: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_options: object) -> None:
        raise EmbeddingUnavailable("timeout", "The model is away.")

    run = start(owner, space)
    with monkeypatch.context() as patch:
        patch.setattr(_gathering, "embed_texts", away)
        assert run_work(run.pk) == evaluating.PAUSES[0]
        run.refresh_from_db()
        assert (run.status, run.measured, run.waits) == (EvaluationStatus.QUEUED, 0, 1)
        assert run_work(run.pk) is None  # before the pause is over
        set_to(run, lease_until=None)
    assert (worked(run).degraded, run.measured) == ([], 3)

    run = start(owner, space)
    set_to(run, waits=len(evaluating.PAUSES))
    monkeypatch.setattr(_gathering, "embed_texts", away)
    run = worked(run)
    assert (run.status, run.degraded) == (EvaluationStatus.COMPLETED, ["vector"])


def set_to(run: EvaluationRun, **values: object) -> None:
    EvaluationRun.objects.filter(pk=run.pk).update(**values)


def test_only_runs_that_nobody_has_in_hand_are_sent_again(owner: User, space: Space) -> None:
    fresh, lost, paused, running, dead = (start(owner, space) for _each in range(5))
    now = timezone.now()
    long_ago, soon = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=1)
    set_to(lost, created_at=long_ago)
    set_to(paused, created_at=long_ago, lease_until=soon)
    set_to(running, status=EvaluationStatus.RUNNING, lease_until=soon, lease_owner="x:1:x")
    set_to(dead, status=EvaluationStatus.RUNNING, lease_until=long_ago, lease_owner="x:1:x")
    assert set(recovery.evaluations_to_send()) == {lost.pk, dead.pk}
    assert recovery.evaluations_to_send() == []  # they were sent just now
    assert fresh.status == EvaluationStatus.QUEUED


def test_without_questions_a_run_completes_with_nothing(owner: User, space: Space) -> None:
    run = worked(start(owner, space))
    assert (run.status, run.progress) == (EvaluationStatus.COMPLETED, 1.0)
    assert (run.metrics["questions"], run.metrics["before"]) == (0, None)


def test_the_first_k_are_those_of_a_search_for_k(
    owner: User, space: Space, library: dict[str, Node]
) -> None:
    for k in (1, 3, 60):
        found, _degraded = evaluating.searched("water in the harbour", space_id=space.pk, k=k)
        request = evaluating.SearchRequest(
            query="water in the harbour", limit=k, spaces=(space.pk,)
        )
        plain = [str(each.node) for each in evaluating.search(request, user=owner).results]
        assert [each["node"] for each in found][:k] == plain


def test_who_may_start_and_see_runs(
    owner: User, teammate: User, stranger: User, space: Space
) -> None:
    with pytest.raises(NotFound):
        start(stranger, space)
    run = start(teammate, space)
    assert EvaluationRun.objects.visible_to(owner).get() == run
    assert not EvaluationRun.objects.visible_to(stranger).exists()
    with pytest.raises(NotFound):
        services.evaluation_cancel(acting_user=stranger, run=run)
    space.visibility = "public"
    space.save()
    with pytest.raises(Forbidden):
        start(stranger, space)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 101}, "k"),
        ({"release": "Spring", "as_of": timezone.now()}, "as_of"),
        ({"proposal": uuid.uuid4(), "release": "Spring"}, "release"),
    ],
)
def test_nonsense_is_refused_at_its_field(
    owner: User, space: Space, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        start(owner, space, **options)
    assert caught.value.field == field


def test_a_proposal_that_is_not_there_is_not_found(owner: User, space: Space) -> None:
    with pytest.raises(NotFound):
        start(owner, space, proposal=uuid.uuid4())


def test_a_run_of_a_past_moment_finds_what_was_published_then(
    owner: User, space: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    moment = timezone.now()
    services.node_archive(acting_user=owner, node=library["fees"])
    assert worked(start(owner, space)).metrics["missed"] == 1
    run = worked(start(owner, space, as_of=moment))
    assert (run.metrics["missed"], run.metrics["before"]["mrr"]) == (0, 1.0)


def test_results_expire_after_half_a_year_and_means_stay(
    owner: User, space: Space, golden: list[GoldenQuestion]
) -> None:
    old, new = (worked(start(owner, space)) for _each in range(2))
    set_to(old, finished_at=timezone.now() - datetime.timedelta(days=181))
    assert rows_expire()["evaluation_results"] == 3
    assert (old.results.count(), new.results.count()) == (0, 3)
    old.refresh_from_db()
    assert old.metrics == new.metrics


def test_an_erased_title_is_gone_from_questions_and_results(
    owner: User, space: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    run = worked(start(owner, space))
    fees = library["fees"]
    services.node_update(acting_user=owner, node=fees, title="Fees")
    erase = {"acting_user": owner, "space": space, "node_id": fees.pk, "reason": "A name."}
    services.versions_erase(**erase, versions=[1])
    assert "Mooring fees" not in written(run, golden[0])
    assert "Fees" in written(run, golden[0])
    services.versions_erase(**erase)
    assert "Fees" not in written(run, golden[0])
    assert "Tides" in written(run, golden[0])


def written(run: EvaluationRun, golden: GoldenQuestion) -> str:
    """All that is stored of titles."""
    results = run.results.values_list("targets", "before", "after")
    return str([list(results), list(golden.targets.values_list("title", flat=True))])
