"""The gate: what a proposal would do to golden questions, and what that keeps from being merged."""

from typing import Any

import pytest
from pytest_django import Settings

from knowledge import services
from knowledge.choices import EvaluationStatus, NodeStatus, Outcome
from knowledge.evaluating import run_work
from knowledge.evaluation import gate_problems, proposal_evaluate
from knowledge.models import EvaluationRun, GoldenQuestion, Node, Proposal, Space
from project.accounts.models import User
from project.http.errors import Conflict
from tests.conftest import Api
from tests.knowledge.test_evaluation import golden, library, set_to

__all__ = ["golden", "library"]


@pytest.fixture(autouse=True)
def quick_model(settings: Settings) -> None:
    settings.ACERVO_EMBEDDING = "hashing"


@pytest.fixture
def strict(space: Space) -> Space:
    """The space, where nothing may be merged that loses a golden question."""
    Space.objects.filter(pk=space.pk).update(requires_no_regression=True, required_approvals=0)
    space.refresh_from_db()
    return space


def propose(user: User, space: Space, *changes: dict[str, Any]) -> Proposal:
    made = services.proposal_create(
        acting_user=user, space=space, title="Tidy up", changes=[*changes]
    )
    services.proposal_submit(acting_user=user, proposal=made)
    return Proposal.objects.get(pk=made.pk)


def archive(node: Node) -> dict[str, Any]:
    return {"action": "archive", "node": node.pk}


def rewrite(node: Node, content: str) -> dict[str, Any]:
    return {"action": "edit", "node": node.pk, "fields": {"content": content}}


def evaluated(proposal: Proposal) -> EvaluationRun:
    run = proposal_evaluate(proposal)
    assert run_work(run.pk) is None
    run.refresh_from_db()
    assert run.status == EvaluationStatus.COMPLETED, run.error
    return run


def merged(user: User, proposal: Proposal) -> bool:
    services.proposal_merge(acting_user=user, proposal=proposal)
    return Proposal.objects.get(pk=proposal.pk).status == "merged"


def test_a_proposal_that_archives_an_answer_is_refused(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, archive(library["fees"]))
    run = evaluated(proposal)
    lost = run.results.get(outcome=Outcome.LOST)
    assert (lost.text, lost.recall_before, lost.recall_after) == (
        "How much does a berth cost a night?", 1.0, 0.0,
    )  # fmt: skip
    assert lost.ranked_targets()[0]["rank_before"] == 1
    assert lost.ranked_targets()[0]["rank_after"] is None
    assert (run.metrics["lost"], run.metrics["unchanged"]) == (1, 2)
    assert run.metrics["change"]["recall"] == pytest.approx(-1 / 3, abs=1e-6)
    problems = gate_problems(proposal)
    assert len(problems) == 3
    assert "Recall of the first 10 results would fall from 1.0000 to 0.6667." in problems[0]
    assert "Mean reciprocal rank would fall from 1.0000 to 0.6667." in problems[1]
    assert "“How much does a berth cost a night?”" in problems[2]
    with pytest.raises(Conflict) as caught:
        merged(owner, proposal)
    assert caught.value.code == "regression"
    assert caught.value.details == {"problems": problems}
    assert Node.objects.get(pk=library["fees"].pk).status == NodeStatus.PUBLISHED


def test_a_proposal_that_guts_an_answer_is_refused_and_passes_when_it_is_mended(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    Space.objects.filter(pk=strict.pk).update(gate_k=1)
    proposal = propose(owner, strict, rewrite(library["tide"], "Ask the harbour master."))
    evaluated(Proposal.objects.get(pk=proposal.pk))
    assert gate_problems(proposal)
    change = proposal.changes.get()
    text = "High water comes twice a day: ask the harbour master when."
    services.change_update(
        acting_user=owner, change=change, fields={"content": text}, expected_version=change.version
    )
    proposal = Proposal.objects.get(pk=proposal.pk)
    (problem,) = gate_problems(proposal)
    assert "have not been asked for this revision" in problem
    evaluated(proposal)
    assert gate_problems(proposal) == []
    assert merged(owner, proposal)


def test_a_harmless_proposal_passes(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    text = "Soup, bread and cheese are served at noon in the canteen."
    proposal = propose(owner, strict, rewrite(library["food"], text))
    with pytest.raises(Conflict) as caught:
        merged(owner, proposal)
    assert "are being asked" in caught.value.message
    run = proposal_evaluate(proposal)
    assert EvaluationRun.objects.get() == run
    assert "0 of 3" in gate_problems(proposal)[0]
    run = evaluated(proposal)
    assert run.metrics["before"] == run.metrics["after"]
    assert run.metrics["unchanged"] == 3
    assert gate_problems(proposal) == []
    assert merged(owner, proposal)


def test_what_a_proposal_adds_is_found_after_it(
    owner: User, strict: Space, library: dict[str, Node]
) -> None:
    services.golden_create(
        acting_user=owner, question="Where is the sauna?", nodes={library["food"].pk: 3}
    )
    Space.objects.filter(pk=strict.pk).update(gate_k=1)
    strict.refresh_from_db()
    text = "Soup is served at noon. The sauna is behind the canteen: where the smoke is."
    proposal = propose(owner, strict, rewrite(library["food"], text))
    run = evaluated(proposal)
    assert (run.metrics["gained"], run.metrics["after"]["recall"]) == (1, 1.0)
    assert gate_problems(proposal) == []


def test_a_space_that_requires_nothing_asks_for_nothing(
    owner: User, space: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, space, archive(library["fees"]))
    assert gate_problems(proposal) == []
    assert evaluated(proposal).metrics["lost"] == 1
    assert gate_problems(proposal) == []


def test_without_questions_the_gate_says_what_to_do(
    owner: User, strict: Space, library: dict[str, Node]
) -> None:
    proposal = propose(owner, strict, archive(library["fees"]))
    evaluated(proposal)
    (problem,) = gate_problems(proposal)
    assert "make one" in problem


def test_another_set_of_questions_wants_another_run(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, rewrite(library["food"], "Soup at noon."))
    first = evaluated(proposal)
    assert gate_problems(proposal) == []
    services.golden_create(
        acting_user=owner, question="What is for lunch?", nodes={library["food"].pk: 3}
    )
    assert "as they are now" in gate_problems(proposal)[0]
    second = proposal_evaluate(proposal)
    assert (second != first, second.questions) == (True, 4)


def test_another_index_wants_another_run_but_the_last_one_holds(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, rewrite(library["food"], "Soup at noon."))
    first = evaluated(proposal)
    Space.objects.filter(pk=strict.pk).update(index_revision=strict.index_revision + 100)
    assert proposal_evaluate(proposal) != first
    assert gate_problems(proposal) == []


def test_a_degraded_run_does_not_pass(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, rewrite(library["food"], "Soup at noon."))
    run = evaluated(proposal)
    set_to(run, degraded=["vector"])
    assert "without vector" in gate_problems(proposal)[0]


def test_a_failed_run_is_told_and_not_repeated_by_itself(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, rewrite(library["food"], "Soup at noon."))
    run = proposal_evaluate(proposal)
    set_to(run, status=EvaluationStatus.FAILED, error="No luck.")
    assert "failed (No luck.)" in gate_problems(proposal)[0]
    assert proposal_evaluate(proposal) == run
    again = services.evaluation_start(acting_user=owner, proposal=proposal.pk)
    assert again != run
    assert services.evaluation_start(acting_user=owner, proposal=proposal.pk) == again


def test_a_proposal_that_is_changed_meanwhile_ends_its_run(
    owner: User, strict: Space, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, rewrite(library["food"], "Soup at noon."))
    run = proposal_evaluate(proposal)
    services.change_add(
        acting_user=owner, proposal=proposal, action="archive", node=library["fees"].pk
    )
    assert run_work(run.pk) is None
    run.refresh_from_db()
    assert run.status == EvaluationStatus.FAILED
    assert "changed" in run.error


def test_submitting_begins_a_run_and_the_checks_tell_of_it(
    owner: User, space: Space, api: Api, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, space, archive(library["fees"]))
    run = EvaluationRun.objects.get()
    assert (run.created_by, run.proposal_id) == (owner, proposal.pk)

    def told() -> dict[str, Any]:
        checks = api.get(f"/api/v1/proposals/{proposal.pk}/checks/").json()["checks"]
        return next(each for each in checks if each["code"] == "evaluation")

    assert (told()["state"], told()["details"]["run"]) == ("warning", str(run.pk))
    assert "are being asked" in told()["message"]
    run_work(run.pk)
    assert told()["message"] == "Search finds worse for 1 golden question."
    assert told()["details"]["metrics"]["lost"] == 1
    services.change_add(
        acting_user=owner, proposal=proposal, action="edit", node=library["food"].pk,
        fields={"content": "Soup at noon."},
    )  # fmt: skip
    again = told()["details"]["run"]
    assert again != str(run.pk)
    assert told()["details"]["run"] == again


def test_without_golden_questions_nothing_is_asked(
    owner: User, space: Space, api: Api, library: dict[str, Node]
) -> None:
    proposal = propose(owner, space, archive(library["fees"]))
    checks = api.get(f"/api/v1/proposals/{proposal.pk}/checks/").json()["checks"]
    assert "evaluation" not in {each["code"] for each in checks}
    assert not EvaluationRun.objects.exists()


def test_over_rest_a_proposal_is_evaluated_and_its_merge_refused(
    owner: User, strict: Space, api: Api, library: dict[str, Node], golden: list[GoldenQuestion]
) -> None:
    proposal = propose(owner, strict, archive(library["fees"]))
    answer = api.post("/api/v1/evaluations/", {"proposal": str(proposal.pk)})
    assert answer.status_code == 202
    run = answer.json()
    assert (run["proposal"], run["proposal_revision"]) == (str(proposal.pk), proposal.revision)
    run_work(EvaluationRun.objects.get().pk)
    run = api.get(f"/api/v1/evaluations/{run['id']}/").json()
    assert run["metrics"]["change"]["mrr"] < 0
    lost = next(each for each in run["results"] if each["outcome"] == "lost")
    assert (lost["before"]["recall"], lost["after"]["recall"]) == (1.0, 0.0)
    checks = api.get(f"/api/v1/proposals/{proposal.pk}/checks/").json()
    assert "regression" in str(checks)
    answer = api.post(f"/api/v1/proposals/{proposal.pk}/merge/", {})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "regression"
    assert len(api.get(f"/api/v1/evaluations/?proposal={proposal.pk}").json()["results"]) == 1
