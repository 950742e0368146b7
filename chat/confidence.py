"""From which confidence of retrieval on questions to a space are answered.

The default of the installation holds until a space is calibrated: its golden questions are asked
twice, of all nodes and as if the nodes that answer them did not exist. A good threshold lets the
first through and stops the second. What is left of a question's nodes often answers a little, so
the second is a hard test, and the threshold is the best of those that let nearly all of the first
through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from chat.answering.confidence import confidence_in
from chat.models import ConfidenceThreshold
from knowledge.models import GoldenQuestion, Space
from knowledge.retrieval import retrieve_passages
from project.accounts.models import User

LEAST_QUESTIONS = 20
LET_THROUGH = 0.95
"""Share of the questions with an answer that a threshold may not go below."""
PASSAGES = 24
MOST_QUESTIONS = 400


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold with what it does to golden questions: shares let through, and stopped."""

    threshold: float
    answered: float
    refused: float
    questions: int


class TooFewQuestions(Exception):
    """A space has fewer golden questions with a node than a threshold can be found with."""

    def __init__(self, found: int) -> None:
        super().__init__(found)
        self.found = found


def confidence_calibrate(space: Space) -> ConfidenceThreshold:
    """Find the threshold of a space with its golden questions, and keep it.

    Raises TooFewQuestions.
    """
    found, without = _asked(space)
    if len(found) < LEAST_QUESTIONS:
        raise TooFewQuestions(len(found))
    best = calibrated(found, without)
    row, _is_new = ConfidenceThreshold.objects.update_or_create(
        space=space,
        defaults={
            "threshold": best.threshold,
            "questions": best.questions,
            "answered": best.answered,
            "refused": best.refused,
        },
    )
    return row


def calibrated(found: Sequence[float], without: Sequence[float]) -> Calibration:
    """Return the threshold that tells confidences with an answer from those without it best.

    Of equals the middle of the widest gap, so that questions to come have room on both sides.
    """
    places = sorted({0.0, *found, *without})
    edges = [(low + high) / 2 for low, high in pairwise(places)] or [0.0]
    widths = dict(zip(edges, [high - low for low, high in pairwise(places)] or [0.0], strict=True))

    def shares(threshold: float) -> tuple[float, float]:
        answered = sum(each >= threshold for each in found) / len(found)
        refused = sum(each < threshold for each in without) / max(1, len(without))
        return answered, refused

    allowed = [edge for edge in edges if shares(edge)[0] >= LET_THROUGH] or [edges[0]]
    best = max(allowed, key=lambda edge: (round(sum(shares(edge)), 6), widths[edge]))
    answered, refused = shares(best)
    return Calibration(round(best, 4), round(answered, 4), round(refused, 4), len(found))


def _asked(space: Space) -> tuple[list[float], list[float]]:
    """Return the confidences in golden questions as they are, and without their nodes."""
    reader = User(username="calibration", is_active=True, is_superuser=True)
    rows = GoldenQuestion.objects.filter(space=space, is_active=True).prefetch_related("targets")
    found, without = [], []
    for question in rows.order_by("created_at", "pk")[:MOST_QUESTIONS]:
        targets = {each.node_id for each in question.targets.all() if each.node_id is not None}
        if not targets:
            continue
        passages = retrieve_passages(
            question.question,
            user=reader,
            spaces=(space.pk,),
            limit=PASSAGES,
            language=question.language or None,
        )
        others = [each for each in passages if each.node not in targets]
        found.append(confidence_in(passages, 0.0).score)
        without.append(confidence_in(others, 0.0).score)
    return found, without
