"""Experiments: who falls to which arm, what came of it, and what is taken over."""

import uuid
from collections import Counter
from typing import Any

import pytest

from chat.answer_cache.keys import key_of
from chat.choices import ExperimentStatus, ExperimentSubject, TurnRoute, TurnStatus
from chat.claiming import turn_claim
from chat.experiments import statistics
from chat.experiments.adapting import experiments_adapt
from chat.experiments.assignment import chosen_arm
from chat.experiments.planning import plan_of
from chat.experiments.results import figures_of, results_of
from chat.experiments.statistics import adapted_weights, compared, fisher, holm
from chat.finishing import Ending, turn_finish
from chat.models import (
    AnswerSetup,
    Conversation,
    Experiment,
    ExperimentArm,
    PromptVersion,
    Turn,
)
from chat.prompts import OWN_RULES, PROMPT_VERSION
from chat.services import conversation_create, conversation_delete, feedback_give, message_send
from chat.services.experiments import (
    experiment_end,
    experiment_promote,
    experiment_start,
    prompt_create,
    prompt_use,
    setup_restore,
)
from chat.types import AnswerDraft, TurnRequest
from knowledge.models import Space
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid
from project.inference.models import ModelEndpoint

ARMS = [uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)]


def test_people_keep_their_arm_and_arms_get_their_share() -> None:
    experiment = uuid.UUID(int=9)
    shares = list(zip(ARMS, (50, 30, 20), strict=True))
    chosen = {user: chosen_arm(experiment, user, shares) for user in range(4000)}
    assert chosen == {user: chosen_arm(experiment, user, shares[::-1]) for user in range(4000)}
    counts = Counter(chosen.values())
    for arm, weight in shares:
        assert abs(counts[arm] / 4000 - weight / 100) < 0.03
    other = {user: chosen_arm(uuid.UUID(int=10), user, shares) for user in range(4000)}
    same = sum(chosen[user] == other[user] for user in chosen) / 4000
    assert same < 0.45  # 0.38 by chance: experiments do not follow each other


def test_a_share_that_grows_moves_people_to_that_arm_only() -> None:
    experiment = uuid.UUID(int=9)
    before = {user: chosen_arm(experiment, user, [(a, 100) for a in ARMS]) for user in range(2000)}
    grown = [(ARMS[0], 300), (ARMS[1], 100), (ARMS[2], 100)]
    after = {user: chosen_arm(experiment, user, grown) for user in range(2000)}
    moved = {after[user] for user in before if before[user] != after[user]}
    assert moved == {ARMS[0]}
    assert chosen_arm(experiment, 1, [(ARMS[0], 0)]) is None


def test_shares_are_compared_as_the_textbooks_do() -> None:
    assert fisher(3, 1, 1, 3) == pytest.approx(34 / 70)  # Fisher's tea
    assert fisher(0, 5, 5, 0) == pytest.approx(2 / 252)
    found = compared(60, 100, 40, 100)
    assert (found.method, found.is_significant) == ("z", True)
    assert found.p_value == pytest.approx(0.004678, abs=1e-5)
    assert compared(3, 4, 1, 4).method == "fisher"
    assert compared(5, 9, 0, 0).p_value is None
    assert compared(10, 10, 20, 20).p_value == pytest.approx(1.0)
    first, second = holm([statistics.Test(0.04, "z"), statistics.Test(0.01, "z")])
    assert (first.p_value, second.p_value) == (0.04, 0.02)


def test_what_is_adapted_is_reproducible_and_leaves_everybody_something() -> None:
    counts = [(5, 20), (20, 5), (12, 12)]
    weights = adapted_weights(counts, "seed")
    assert weights == adapted_weights(counts, "seed")
    assert weights is not None
    assert weights[1] > 800
    assert min(weights) >= 50
    assert adapted_weights([(1, 2), (3, 4)], "seed") is None


@pytest.fixture
def endpoint(db: None) -> ModelEndpoint:
    return ModelEndpoint.objects.create(
        name="good", model_name="good", base_url="http://127.0.0.1:9/v1"
    )


@pytest.fixture
def prompts(admin_user: User) -> list[PromptVersion]:
    prompt_create(acting_user=admin_user, rules="Be brief.\r\nCite.", note="shorter")
    return list(PromptVersion.objects.order_by("number"))


def experiment(space: Space | None, *arms: dict[str, Any], **extra: Any) -> Experiment:
    row = Experiment.objects.create(name=str(uuid.uuid4()), space=space, **extra)
    for place, fields in enumerate(arms):
        name = fields.pop("name", f"arm {place}")
        ExperimentArm.objects.create(experiment=row, position=place, name=name, **fields)
    return row


def claimed(user: User, space: Space | None, tier: str = "") -> TurnRequest:
    conversation = conversation_create(
        acting_user=user, space=space.pk if space else None, model_tier=tier
    )
    return _claim(conversation).request


def _claim(conversation: Conversation) -> Any:
    queued = message_send(
        acting_user=conversation.user,
        conversation_id=conversation.pk,
        content=f"What is the parental leave in office {uuid.uuid4().hex[:6]}?",
        client_message_id=str(uuid.uuid4()),
    ).turn
    Turn.objects.filter(pk=queued.pk).update(message_class="question")
    claim = turn_claim(queued.pk, agent="test")
    assert claim is not None
    return claim


def test_versions_of_the_prompt_never_change_and_the_first_is_acervos_own(
    prompts: list[PromptVersion], admin_user: User, owner: User
) -> None:
    assert [each.number for each in prompts] == [1, 2]
    assert (prompts[0].rules, prompts[1].rules) == (OWN_RULES, "Be brief.\nCite.")
    with pytest.raises(RuntimeError):
        prompts[1].save()
    with pytest.raises(Conflict):
        prompt_create(acting_user=admin_user, rules="Be brief.\nCite.")
    with pytest.raises(Invalid):
        prompt_create(acting_user=admin_user, rules="  ")
    with pytest.raises(Forbidden):
        prompt_create(acting_user=owner, rules="Say yes to everything.")


def test_a_setup_holds_for_its_space_and_can_be_gone_back_from(
    prompts: list[PromptVersion], admin_user: User, owner: User, space: Space
) -> None:
    assert plan_of(owner.pk, space.pk) == ("", plan_of(owner.pk, None)[1])
    first = prompt_use(acting_user=admin_user, prompt=prompts[1])
    assert plan_of(owner.pk, space.pk)[1].prompt == "prompt-2"
    prompt_use(acting_user=admin_user, prompt=prompts[0], space=space)
    assert plan_of(owner.pk, space.pk)[1].rules == OWN_RULES
    assert plan_of(owner.pk, None)[1].prompt == "prompt-2"
    prompt_use(acting_user=admin_user, prompt=prompts[0])
    assert plan_of(owner.pk, None)[1].prompt == "prompt-1"
    setup_restore(acting_user=admin_user, setup=first)
    assert plan_of(owner.pk, None)[1].prompt == "prompt-2"
    assert AnswerSetup.objects.count() == 4
    with pytest.raises(Forbidden):
        setup_restore(acting_user=owner, setup=first)


def test_a_kept_answer_is_never_given_to_who_is_answered_otherwise(
    prompts: list[PromptVersion],
    admin_user: User,
    owner: User,
    space: Space,
    endpoint: ModelEndpoint,
) -> None:
    variants = {key.variant for key in [key_of(claimed(owner, space))] if key}
    row = experiment(space, {"prompt": prompts[0]}, {"prompt": prompts[1], "temperature": 0.9})
    experiment_start(acting_user=admin_user, experiment=row)
    for arm in row.arms.all():
        row.arms.exclude(pk=arm.pk).update(weight=0)
        row.arms.filter(pk=arm.pk).update(weight=1)
        request = claimed(owner, space)
        assert [each.arm for each in request.plan.arms] == [arm.pk]
        key = key_of(request)
        assert key is not None
        variants.add(key.variant)
    ModelEndpoint.objects.filter(pk=endpoint.pk).update(model_name="better")
    key = key_of(claimed(owner, space))
    assert key is not None
    assert len(variants | {key.variant}) == 4


def test_the_space_and_the_wish_of_who_asks_come_before_experiments(
    admin_user: User, owner: User, space: Space, endpoint: ModelEndpoint
) -> None:
    subject = ExperimentSubject.MODEL
    everywhere = experiment(None, {"tier": "simple"}, {"tier": "complex"}, subject=subject)
    experiment_start(acting_user=admin_user, experiment=everywhere)
    assert claimed(owner, space).plan.tier_by == "experiment"
    here = experiment(space, {"endpoint": endpoint}, {"tier": "complex"}, subject=subject)
    experiment_start(acting_user=admin_user, experiment=here)
    assert claimed(owner, space).plan.arms[0].experiment == here.pk
    assert claimed(owner, None).plan.arms[0].experiment == everywhere.pk
    wished = claimed(owner, space, "moderate")
    assert (wished.tier, wished.plan.arms, wished.plan.tier_by) == ("moderate", (), "conversation")
    another = experiment(space, {"tier": "simple"}, {"tier": "moderate"}, subject=subject)
    with pytest.raises(Conflict):
        experiment_start(acting_user=admin_user, experiment=another)


@pytest.mark.parametrize(
    "arms",
    [
        [{"temperature": 0.5}],
        [{"temperature": 0.5}, {"temperature": 0.5}],
        [{"temperature": 0.5}, {"tier": "simple"}],
        [{"temperature": 0.5}, {"temperature": 0.1, "weight": 0}],
    ],
)
def test_what_cannot_be_compared_is_not_started(
    admin_user: User, owner: User, space: Space, arms: list[dict[str, Any]]
) -> None:
    row = experiment(space, *[dict(each) for each in arms])
    with pytest.raises(Invalid):
        experiment_start(acting_user=admin_user, experiment=row)
    with pytest.raises(Forbidden):
        experiment_start(acting_user=owner, experiment=row)


def answer(user: User, space: Space, mark: int = 0, **fields: Any) -> Turn:
    claim = _claim(conversation_create(acting_user=user, space=space.pk))
    draft = AnswerDraft(route=TurnRoute.AI, model="good", text="Twenty weeks.")
    draft.prompt_version = claim.request.plan.prompt or PROMPT_VERSION
    draft.arms = claim.request.plan.arms
    draft.timings = {"first_token": 200}
    draft.trace = {"passages": [{"node": str(uuid.uuid4()), "version": 1}],
                   "verification": {"share": 0.5}}  # fmt: skip
    turn_finish(claim, draft, Ending(TurnStatus.COMPLETED), last_seq=3)
    turn = Turn.objects.select_related("answer").get(pk=claim.turn_id)
    if mark:
        assert turn.answer is not None
        feedback_give(acting_user=user, message=turn.answer, value=mark)
    return turn


def test_results_are_counted_adapted_frozen_and_the_winner_is_taken_over(
    prompts: list[PromptVersion],
    admin_user: User,
    owner: User,
    space: Space,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = experiment(space, {"prompt": prompts[0]}, {"prompt": prompts[1]}, is_adaptive=True)
    row = experiment_start(acting_user=admin_user, experiment=row)
    first, second = row.arms.all()
    marks = {first.pk: [-1, -1, 1, 0], second.pk: [1, 1, 1, 1]}
    for arm, wanted in marks.items():
        row.arms.exclude(pk=arm).update(weight=0)
        row.arms.filter(pk=arm).update(weight=100)
        for mark in wanted:
            last = answer(owner, space, mark)
    assert last.trace["experiments"] == [f"{row.name}: arm 1"]
    assert last.prompt_version == "prompt-2"
    here, there = figures_of(row)
    assert (here.answers, here.good, here.bad, here.people) == (4, 1, 2, 1)
    assert (there.good_share, there.cited_share, there.supported) == (1.0, 0.0, 0.5)
    assert there.first_token_ms == 200
    result = results_of([here, there])[1].feedback
    assert (result.method, result.is_significant) == ("fisher", False)
    assert experiments_adapt() == 0  # seven marks say too little
    monkeypatch.setattr(statistics, "LEAST_VOTES", 7)
    assert experiments_adapt() == 1
    weights = [each.weight for each in row.arms.all()]
    assert weights[1] > 700 > 300 > weights[0] >= 50
    assert experiments_adapt() == 0  # the same marks, the same shares
    conversation_delete(acting_user=owner, conversation=last.conversation)
    assert figures_of(row)[1].answers == 3
    setup = experiment_promote(acting_user=admin_user, experiment=row, arm=second)
    assert (setup.space, setup.prompt) == (space, prompts[1])
    row.refresh_from_db()
    assert (row.status, row.winner) == (ExperimentStatus.ENDED, second)
    Conversation.objects.all().delete()
    assert figures_of(row)[1].answers == 3  # as they were at its end
    assert plan_of(owner.pk, space.pk)[1].prompt == "prompt-2"
    with pytest.raises(Conflict):
        experiment_promote(acting_user=admin_user, experiment=row, arm=first)
    with pytest.raises(Conflict):
        experiment_end(acting_user=admin_user, experiment=row)
