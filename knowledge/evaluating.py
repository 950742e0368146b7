"""Asking the questions of an evaluation and noting what search finds.

1. A worker claims the run under a lease; whoever comes second goes away.
2. Each question is searched in the state that the run is about and, for a proposal, as if that were
   merged: one right after the other, so that both see the same index. A proposal that is changed
   meanwhile ends the run: its results would be of two branches.
3. The result is written under the lease, once: what is written is not asked again after a crash.
4. When all are asked, the means are written and the run completes.

Searches run as a reader of all published nodes of the one space: a run says how good the space is,
not what its starter may read. Its results are seen by those who edit the space.
"""

import datetime
import math
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import EvaluationStatus, Outcome, SearchMode
from knowledge.measures import Measures, compared, mean_of, measures_of
from knowledge.models import EvaluationResult, EvaluationRun, Proposal
from knowledge.previews import proposal_prepare
from knowledge.retrieval import search
from knowledge.run_leases import (
    LEASE,
    LeaseLost,
    held_rows,
    run_claim,
    run_held,
    speaking_to_starter,
)
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import ApiError
from project.tracing import bind_trace

SLICE = 20.0  # seconds after which other work of the queue gets its turn
PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0)  # seconds, for a model that is away
SHOWN = 20  # results that are kept of a search, at least
LEGS = (SearchMode.KEYWORD, SearchMode.VECTOR)
STABLE = 50  # searches that ask for no more than this agree in what comes first

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """What search found for one question; `after` is None for a run about one state.

    `legs` has the nodes that each leg alone finds in the first state, for a hybrid run.
    """

    before: list[dict[str, Any]]
    after: list[dict[str, Any]] | None
    degraded: list[str]
    legs: dict[str, list[str]] = field(default_factory=dict)


def run_work(run_id: uuid.UUID) -> float | None:
    """Go on with a run; return the seconds after which to call again, None when there is no need.

    What search refuses (a proposal or release that is gone) fails the run. Any other exception
    gives the run back and is raised.
    """
    run = run_claim(EvaluationRun, run_id)
    if run is None:
        return None
    with bind_trace(run.trace_id), speaking_to_starter(run):
        try:
            try:
                return _ask(run)
            except ApiError as error:
                _settle(run, EvaluationStatus.FAILED, error=error.message)
        except LeaseLost:
            log.info("evaluation_lost", run=str(run.pk))
        except Exception:
            _give_back(run)
            raise
    return None


def searched(
    query: str,
    *,
    space_id: uuid.UUID,
    k: int,
    mode: str = SearchMode.HYBRID,
    language: str = "",
    **state: Any,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what a reader of a space finds, best first, and what could not take part.

    `state` is `as_of`, `release` or `proposal` of a search; nothing is the current state. Raises
    what a search raises.
    """
    request = SearchRequest(
        query=query,
        limit=depth_of(k),
        spaces=(space_id,),
        mode=SearchMode(mode),
        asked_in=language or None,
    )
    answer = search(replace(request, **state), user=_reader())
    found = [
        {
            "node": str(result.node),
            "title": result.title,
            "version": result.version,
            "rank": rank,
            "score": result.score,
        }
        for rank, result in enumerate(answer.results, 1)
    ]
    return found, answer.degraded


def metrics_of(run: EvaluationRun) -> dict[str, Any]:
    """Return the means over the questions of a run, and how many of them came to what."""
    asked = run.results.exclude(measured_at=None).order_by("position")
    rows = list(asked.defer("before", "after", "targets", "text"))
    before = mean_of(_stored(row, "before") for row in rows)
    after = mean_of(_stored(row, "after") for row in rows) if run.is_comparison else None
    counts = {str(outcome): sum(row.outcome == outcome for row in rows) for outcome in Outcome}
    wanted = (
        (Outcome.LOST, Outcome.GAINED, Outcome.UNCHANGED)
        if run.is_comparison
        else (Outcome.FOUND, Outcome.MISSED)
    )
    return {
        "k": run.k,
        "questions": len(rows),
        "before": _plain(before),
        "after": _plain(after),
        **({"legs": legs} if (legs := _legs_of(rows)) else {}),
        "change": _plain(after.change_from(before) if before and after else None),
        **{str(outcome): counts[outcome] for outcome in wanted},
    }


def _reader() -> User:
    """Return a reader who sees all of the space that the request names; no row, no sign-in."""
    return User(username="evaluation", is_active=True, is_superuser=True)


def depth_of(k: int) -> int:
    """Return how many results are kept of a search of which k count."""
    return k if k > STABLE else max(k, SHOWN, min(2 * k, STABLE))


def _ask(run: EvaluationRun) -> float | None:
    """Ask what has not been asked yet."""
    if run.proposal_id is not None:
        proposal_prepare(run.proposal_id)
    began = time.monotonic()
    waiting = list(run.results.filter(measured_at=None).order_by("position"))
    for number, result in enumerate(waiting):
        if number and time.monotonic() - began > SLICE:
            _give_back(run)
            return 0.0
        answered = _answered(run, result)
        if _is_outdated(run):
            message = _("The proposal was changed or decided meanwhile: evaluate it again.")
            _settle(run, EvaluationStatus.FAILED, error=message)
            return None
        pause = _pause(run) if answered.degraded else None
        if pause is not None:
            _give_back(run, wait=pause)
            return pause
        _note(run, result, answered)
    _settle(run, EvaluationStatus.COMPLETED)
    return None


def _give_back(run: EvaluationRun, *, wait: float = 0.0) -> None:
    """Let the run be claimed again, after `wait` seconds; a wait is no failed attempt."""
    until = timezone.now() + datetime.timedelta(seconds=wait) if wait else None
    counted = {"waits": run.waits + 1, "attempts": max(run.attempts - 1, 0)} if wait else {}
    held_rows(run).update(
        status=EvaluationStatus.QUEUED, lease_owner="", lease_until=until, **counted
    )


def _answered(run: EvaluationRun, result: EvaluationResult) -> Answered:
    state: dict[str, Any] = {}
    if run.as_of is not None:
        state["as_of"] = run.as_of
    if run.release:
        state["release"] = run.release
    if run.other_generation_id is not None:  # what served at first, whatever serves meanwhile
        state["generation"] = run.generation_id
    about: dict[str, Any] = {
        "space_id": run.space_id,
        "k": run.k,
        "mode": run.mode,
        "language": result.language,
        "profile": run.profile_id,  # whatever is activated meanwhile
    }
    before, degraded = searched(result.text, **about, **state)
    legs = {}
    for leg in LEGS if run.mode == SearchMode.HYBRID else ():
        found, _lacking = searched(result.text, **{**about, "mode": leg}, **state)
        legs[str(leg)] = [each["node"] for each in found]
    if run.proposal_id is not None:
        other: dict[str, Any] = {"proposal": run.proposal_id}
    elif run.other_generation_id is not None:
        other = {"generation": run.other_generation_id}
    else:
        return Answered(before, None, degraded, legs)
    after, degraded_after = searched(result.text, **about, **other)
    return Answered(before, after, list(dict.fromkeys([*degraded, *degraded_after])), legs)


def _is_outdated(run: EvaluationRun) -> bool:
    """Whether a run's proposal is no longer the one that it was begun for."""
    if run.proposal_id is None:
        return False
    rows = Proposal.objects.filter(pk=run.proposal_id, revision=run.proposal_revision or 0)
    return not rows.undecided().exists()


def _pause(run: EvaluationRun) -> float | None:
    """Return how long to wait for a model that is away; None when waiting is of no use."""
    is_past = run.as_of is not None or bool(run.release)  # whose vectors may not be kept any more
    if is_past or run.degraded or run.waits >= len(PAUSES):
        return None
    return PAUSES[run.waits]


def _note(run: EvaluationRun, result: EvaluationResult, answered: Answered) -> None:
    """Write what a question came to, once, and renew the lease."""
    grades = {str(target["node"]): int(target["grade"]) for target in result.targets}
    before = measures_of([each["node"] for each in answered.before], grades, run.k)
    values: dict[str, Any] = {
        "before": answered.before,
        "degraded": answered.degraded,
        "legs": {
            leg: _plain(measures_of(found, grades, run.k)) for leg, found in answered.legs.items()
        },
        "outcome": Outcome.FOUND if before.recall > 0 else Outcome.MISSED,
        **_columns(before, "before"),
    }
    if answered.after is not None:
        after = measures_of([each["node"] for each in answered.after], grades, run.k)
        names = {-1: Outcome.LOST, 0: Outcome.UNCHANGED, 1: Outcome.GAINED}
        values |= {"after": answered.after, "outcome": names[compared(before, after)]}
        values |= _columns(after, "after")
    now = timezone.now()
    with transaction.atomic():
        row = run_held(run)
        waiting = EvaluationResult.objects.filter(pk=result.pk, measured_at=None)
        row.measured += waiting.update(measured_at=now, **values)
        row.attempts, row.lease_until = 0, now + LEASE
        row.degraded = list(dict.fromkeys([*row.degraded, *answered.degraded]))
        row.save(update_fields=["measured", "attempts", "lease_until", "degraded"])
    run.degraded = row.degraded


def _settle(run: EvaluationRun, status: EvaluationStatus, *, error: str = "") -> None:
    with transaction.atomic():
        row = run_held(run)
        row.status, row.error, row.finished_at = status, error, timezone.now()
        row.lease_owner, row.lease_until = "", None
        row.metrics = metrics_of(row) if status == EvaluationStatus.COMPLETED else {}
        row.save()
        if row.other_generation_id is not None:
            emit(
                "knowledge.generation.compared",
                {"generation": str(row.other_generation_id), "evaluation": str(row.pk)},
                space_id=row.space_id,
                subject_id=row.other_generation_id,
            )


def _columns(measures: Measures, state: str) -> dict[str, float]:
    return {
        f"recall_{state}": measures.recall,
        f"reciprocal_rank_{state}": measures.reciprocal_rank,
        f"ndcg_{state}": measures.ndcg,
    }


def _stored(row: EvaluationResult, state: str) -> Measures:
    return Measures(
        recall=getattr(row, f"recall_{state}"),
        reciprocal_rank=getattr(row, f"reciprocal_rank_{state}"),
        ndcg=getattr(row, f"ndcg_{state}"),
    )


def _legs_of(rows: Iterable[EvaluationResult]) -> dict[str, dict[str, float]]:
    """Return the means of each leg over the questions that it was asked."""
    found: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        for leg, values in row.legs.items():
            found.setdefault(leg, []).append(values)
    return {
        leg: {
            name: round(math.fsum(each[name] for each in kept) / len(kept), 6) for name in kept[0]
        }
        for leg, kept in found.items()
    }


def _plain(measures: Measures | None) -> dict[str, float] | None:
    """Return measures as the metrics of a run show them."""
    if measures is None:
        return None
    values = {
        "recall": measures.recall,
        "mrr": measures.reciprocal_rank,
        "ndcg": measures.ndcg,
    }
    return {name: round(value, 6) for name, value in values.items()}
