"""Learning a profile: from what, judged how, and when it is refused."""

import datetime
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from knowledge import services, tuning_work
from knowledge.choices import EvaluationStatus, ProfileOrigin
from knowledge.indexing import index_node
from knowledge.knobs import BUILT_IN, Profile
from knowledge.models import RetrievalProfile, RetrievalTuning, Space
from knowledge.profiles import active_profile
from knowledge.run_leases import LeaseLost, run_claim, runs_unattended
from knowledge.services import golden_create, node_create
from knowledge.tuning import LEAST, Figures, Sample, compared, folds_of, tuned
from project.accounts.models import User
from project.http.errors import Forbidden, Invalid
from tests.knowledge.test_corpus_evaluation import written


class Leaning:
    """A recording that finds its answer first where meaning weighs at least `wanted`."""

    def __init__(self, wanted: float) -> None:
        self.wanted = wanted

    def ranked(self, profile: Profile, limit: int) -> list[str]:
        found = (
            ["answer", "other"] if profile.readable_weight >= self.wanted else ["other", "answer"]
        )
        return found[:limit]


def samples(*wanted: float, group: str = "") -> list[Sample]:
    return [Sample(Leaning(each), {"answer": 1.0}, group) for each in wanted]


def test_a_knob_that_helps_everywhere_is_learned_and_proposed() -> None:
    found = tuned(samples(*[0.6] * 40), BUILT_IN, k=10)
    assert found.profile.differences_to(BUILT_IN) == {"readable_weight": (0.5, 0.6)}
    assert found.figures.is_better
    assert found.figures.before["ndcg"] == pytest.approx(0.6309, abs=1e-4)
    assert (found.figures.after["ndcg"], found.figures.better, found.figures.worse) == (1, 40, 0)
    assert [fold["questions"] for fold in found.figures.folds] == [8] * 5


def test_what_is_best_already_is_left_alone() -> None:
    found = tuned(samples(*[0.4] * 40), BUILT_IN, k=10)
    assert found.profile == BUILT_IN
    assert not found.figures.is_better


def test_what_helps_a_few_and_may_be_chance_is_not_proposed() -> None:
    found = tuned(samples(*[0.6] * 2, *[0.4] * 40), BUILT_IN, k=10)
    assert found.profile != BUILT_IN
    assert not found.figures.is_better


def test_sets_are_held_out_as_wholes() -> None:
    rows = [*samples(*[0.5] * 20, group="a"), *samples(*[0.5] * 15, group="b")]
    assert folds_of(rows) == [list(range(20)), list(range(20, 35))]
    assert folds_of(rows[:20]) == folds_of(rows[:20])


def test_too_few_questions_are_refused() -> None:
    with pytest.raises(ValueError, match=f"of {LEAST}"):
        tuned(samples(*[0.6] * (LEAST - 1)), BUILT_IN, k=10)


def test_a_gain_that_costs_recall_is_no_gain() -> None:
    rows = {"before": [(0.2, 1.0)] * 40, "after": [(0.9, 0.9)] * 40}
    figures = compared(**rows, k=10, folds=[])
    assert figures.gain == pytest.approx(0.7)
    assert figures.certainty == 1.0
    assert not figures.is_better


def asked(space: Space, owner: User, count: int) -> None:
    """Nodes with golden questions; a question has the words of its node."""
    for number in range(count):
        word = uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex[:12]
        node = node_create(
            acting_user=owner,
            space=space,
            title=f"Quay {number}",
            content=f"The crane {word} stands at quay number {number}.",
            status="published",
        )
        index_node(node.pk)
        golden_create(acting_user=owner, question=f"Where is {word}?", nodes={node.pk: 3})


@pytest.mark.django_db
def test_a_space_with_too_few_questions_is_told_how_many_are_missing(
    space: Space, owner: User, teammate: User
) -> None:
    asked(space, owner, 1)
    with pytest.raises(Invalid, match=f"{LEAST - 1} more") as refused:
        services.tuning_start(acting_user=owner, space=space)
    assert refused.value.code == "questions_missing"
    with pytest.raises(Forbidden):
        services.tuning_start(acting_user=teammate, space=space)
    with pytest.raises(CommandError, match=f"{LEAST - 1} more"):
        call_command("tune_retrieval", space=space.slug)


@pytest.mark.django_db
def test_a_tuning_is_worked_off_once_and_activates_nothing(
    space: Space, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.tuning.LEAST", 2)
    monkeypatch.setattr("knowledge.tuning_work.LEAST", 2)
    monkeypatch.setattr("knowledge.services.tunings.LEAST", 2)
    asked(space, owner, 3)
    row = services.tuning_start(acting_user=owner, space=space)
    assert services.tuning_start(acting_user=owner, space=space) == row
    tuning_work.tuning_work(row.pk)
    row.refresh_from_db()
    assert (row.status, row.questions, row.profile, row.done) == ("completed", 3, None, 1.0)
    assert "The present profile stays" in row.outcome
    assert row.figures["before"]["ndcg"] == row.figures["after"]["ndcg"] == 1.0
    tuning_work.tuning_work(row.pk)
    assert RetrievalTuning.objects.get().finished_at == row.finished_at
    better = Figures(
        3, 10, {"ndcg": 0.5, "recall": 1}, {"ndcg": 0.6, "recall": 1}, 0.1, 0.05, 0.15, 1, 3, 0
    )
    changed = BUILT_IN.with_values(depth=80)
    found = type("Tuned", (), {"profile": changed, "figures": better})()
    monkeypatch.setattr(tuning_work, "tuned", lambda *_args, **_options: found)
    again = services.tuning_start(acting_user=owner, space=space)
    tuning_work.tuning_work(again.pk)
    again.refresh_from_db()
    assert again.profile is not None
    assert (again.profile.origin, again.profile.knobs["depth"]) == (ProfileOrigin.TUNED, 80)
    assert f"version {again.profile.version}" in again.outcome
    assert active_profile([space.pk]).depth == BUILT_IN.depth


@pytest.mark.django_db
def test_a_tuning_is_held_by_one_and_may_be_cancelled(
    space: Space, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = RetrievalTuning.objects.create(space=space, created_by=owner)
    held = run_claim(RetrievalTuning, row.pk)
    assert held is not None
    assert run_claim(RetrievalTuning, row.pk) is None
    assert runs_unattended(RetrievalTuning, timezone.now(), patience=datetime.timedelta()) == []
    services.tuning_cancel(acting_user=owner, tuning=row)
    with pytest.raises(LeaseLost):
        tuning_work._Teller(held)(0.5)
    assert RetrievalTuning.objects.get().status == EvaluationStatus.CANCELLED


@pytest.mark.django_db
def test_a_test_set_is_learned_from_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("knowledge.tuning.LEAST", 2)
    monkeypatch.setattr("knowledge.management.commands.tune_retrieval.LEAST", 2)
    call_command("tune_retrieval", corpus=[str(written(tmp_path / "set"))], as_json=True)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (report["questions"], report["version"]) == (2, None)
    assert not Space.objects.exists()
    assert not RetrievalProfile.objects.filter(origin=ProfileOrigin.TUNED).exists()
