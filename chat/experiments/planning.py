"""What setups and experiments say of how a turn is answered. Reads only."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from django.db import connection
from django.db.models import F, Q

from chat.choices import ExperimentStatus, ExperimentSubject
from chat.experiments.assignment import chosen_arm
from chat.models import AnswerSetup, Experiment, ExperimentArm
from chat.types import AnswerPlan, PlannedArm
from project.inference.models import ModelEndpoint

# Asked for every turn: mostly there is neither, and then this is all that is asked.
IS_PLANNED = """(
    EXISTS (SELECT FROM chat_answersetup)
    OR EXISTS (SELECT FROM chat_experiment WHERE status = 'running')
)"""
"""An SQL expression, for statements that are made anyway."""


def plan_of(
    user_id: int, space_id: uuid.UUID | None, asked_tier: str = ""
) -> tuple[str, AnswerPlan]:
    """Return the tier ("": the question decides) and the plan for a question of a person.

    Whoever asks for a tier takes no part in an experiment between models. Then an experiment
    decides, then the setup of the space, or else the one for all spaces.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {IS_PLANNED}")
        [is_any] = cursor.fetchone()
    if not is_any:
        return asked_tier, AnswerPlan(tier_by="conversation" if asked_tier else "")
    setup = setup_of(space_id)
    arms = _arms(user_id, space_id)
    model = arms.get(ExperimentSubject.MODEL) if not asked_tier else None
    words = arms.get(ExperimentSubject.PROMPT)
    chooser = model if model is not None else setup if not asked_tier else None
    tier = asked_tier or (chooser.tier if chooser is not None else "")
    endpoint = chooser.endpoint_id if chooser is not None else None
    by = "conversation" if asked_tier else "experiment" if model is not None else "setup"
    prompt = words.prompt if words is not None and words.prompt_id else setup and setup.prompt
    warmth = words.temperature if words is not None else None
    if warmth is None and setup is not None:
        warmth = setup.temperature
    plan = AnswerPlan(
        tier_by=by if tier or endpoint else "",
        endpoint_id=endpoint,
        prompt=prompt.name if prompt else "",
        rules=prompt.rules if prompt else "",
        temperature=warmth,
        arms=tuple(
            PlannedArm(each.experiment_id, each.pk, f"{each.experiment.name}: {each.name}")
            for each in (model, words)
            if each is not None
        ),
    )
    return tier, plan


def setup_of(space_id: uuid.UUID | None) -> AnswerSetup | None:
    """Return the setup that holds for a space: its newest, or the newest for all spaces."""
    rows = AnswerSetup.objects.filter(Q(space=space_id) | Q(space=None)) if space_id else (
        AnswerSetup.objects.filter(space=None)
    )  # fmt: skip
    ordered = rows.order_by(F("space").asc(nulls_last=True), "-created_at", "pk")
    return ordered.select_related("prompt").first()


def with_lineup(plan: AnswerPlan, endpoints: Sequence[ModelEndpoint], tier: str) -> AnswerPlan:
    """Return the plan with the models that may answer: what changes those makes other answers."""
    chosen = [each for each in endpoints if each.pk == plan.endpoint_id]
    wanted = chosen or [each for each in endpoints if not tier or each.tier == tier] or endpoints
    drawn = [each for each in wanted if each.weight] or wanted
    return replace(
        plan,
        lineup=" ".join(sorted({f"{each.tier}/{each.model_name}" for each in drawn})),
        tiers=frozenset(each.tier for each in endpoints),
    )


def _arms(user_id: int, space_id: uuid.UUID | None) -> dict[str, ExperimentArm]:
    """Return the person's arm of each running experiment, by subject.

    One of the space comes before one of all spaces. An arm whose endpoint is not in use any more
    is not given, and not counted.
    """
    where = Q(space=None) | Q(space=space_id) if space_id else Q(space=None)
    running = Experiment.objects.filter(where, status=ExperimentStatus.RUNNING)
    found: dict[str, ExperimentArm] = {}
    for experiment in running.order_by(F("space").asc(nulls_last=True)):
        if experiment.subject in found:
            continue
        rows = experiment.arms.select_related("prompt", "endpoint")
        arms = {each.pk: each for each in rows}
        chosen = chosen_arm(
            experiment.pk, user_id, [(each.pk, each.weight) for each in arms.values()]
        )
        if chosen is None:
            continue
        arm = arms[chosen]
        if arm.endpoint is None or arm.endpoint.is_active:
            arm.experiment = experiment
            found[experiment.subject] = arm
    return found
