"""What came of the arms of an experiment. Reads only; one query."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from chat.experiments.statistics import NOTHING, Test, compared, holm
from chat.models import Experiment

# Times and costs are of answers that were not kept ones; a mark is that of whoever asked.
_FIGURES = """
    SELECT armed.arm_id,
        count(*),
        count(DISTINCT conversation.user_id),
        count(*) FILTER (WHERE feedback.value = 1),
        count(*) FILTER (WHERE feedback.value = -1),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY (turn.timings->>'first_token')::float)
            FILTER (WHERE turn.cache NOT IN ('exact', 'semantic')),
        avg(turn.cost) FILTER (WHERE turn.cache NOT IN ('exact', 'semantic')),
        count(*) FILTER (WHERE turn.route = 'ai' AND found.passages),
        count(*) FILTER (WHERE turn.route = 'ai' AND found.passages AND found.citations),
        avg((turn.trace->'verification'->>'share')::float) FILTER (WHERE turn.route = 'ai'),
        count(*) FILTER (WHERE turn.trace->'routing'->>'escalation' = 'replaced'),
        count(*) FILTER (WHERE turn.status = 'failed' OR turn.route <> 'ai')
    FROM chat_armturn AS armed
    JOIN chat_turn AS turn ON turn.id = armed.turn_id
    JOIN chat_conversation AS conversation ON conversation.id = turn.conversation_id
    LEFT JOIN chat_feedback AS feedback
        ON feedback.message_id = turn.answer_id AND feedback.user_id = conversation.user_id
    CROSS JOIN LATERAL (SELECT
        jsonb_path_exists(turn.trace, '$.passages[0]') AS passages,
        EXISTS (SELECT FROM chat_citation WHERE chat_citation.turn_id = turn.id) AS citations
    ) AS found
    WHERE armed.experiment_id = %s
    GROUP BY armed.arm_id
"""


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What is known of an arm. Milliseconds; costs in the currency of the prices."""

    arm: str
    name: str
    what: str
    weight: int
    answers: int = 0
    people: int = 0
    good: int = 0
    bad: int = 0
    first_token_ms: float | None = None
    cost: float | None = None
    citable: int = 0
    cited: int = 0
    supported: float | None = None
    escalated: int = 0
    failed: int = 0

    @property
    def marks(self) -> int:
        """How many answers were marked."""
        return self.good + self.bad

    @property
    def good_share(self) -> float | None:
        """The share of good marks."""
        return self.good / self.marks if self.marks else None

    @property
    def cited_share(self) -> float | None:
        """The share of answers with a citation, of those that could have one."""
        return self.cited / self.citable if self.citable else None


@dataclass(frozen=True, slots=True)
class ArmResult:
    """An arm, and how it compares with the first one."""

    figures: ArmFigures
    feedback: Test = NOTHING
    citations: Test = NOTHING


def figures_of(experiment: Experiment) -> list[ArmFigures]:
    """Return the figures of the arms, in their order; those of an ended one as they were then."""
    if experiment.results:
        return [ArmFigures(**each) for each in experiment.results]
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, [experiment.pk])
        rows: dict[uuid.UUID, Sequence[Any]] = {row[0]: row[1:] for row in cursor.fetchall()}
    return [
        ArmFigures(
            str(arm.pk), arm.name, described(arm), arm.weight, *map(_plain, rows.get(arm.pk, ()))
        )
        for arm in experiment.arms.select_related("endpoint", "prompt")
    ]


def frozen_figures(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the figures as an ended experiment keeps them."""
    return [asdict(each) for each in figures_of(experiment)]


def results_of(figures: Sequence[ArmFigures]) -> list[ArmResult]:
    """Compare every arm with the first one."""
    if not figures:
        return []
    first, *others = figures
    marks = holm([compared(each.good, each.marks, first.good, first.marks) for each in others])
    cited = holm(
        [compared(each.cited, each.citable, first.cited, first.citable) for each in others]
    )
    pairs = zip(others, marks, cited, strict=True)
    return [ArmResult(first), *(ArmResult(each, a, b) for each, a, b in pairs)]


def described(arm: Any) -> str:
    """Return in words what an arm, or a setup, chooses."""
    parts = [
        arm.get_tier_display() if arm.tier else "",
        str(arm.endpoint) if arm.endpoint is not None else "",
        str(arm.prompt) if arm.prompt is not None else "",
        f"T {arm.temperature:g}" if arm.temperature is not None else "",
    ]
    return " · ".join(part for part in parts if part)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
