"""Learning a profile for a space: recording its golden questions, and noting what comes of it.

A worker holds the row under a lease that its progress renews; one that a dead worker left is begun
again. Only the holder writes the outcome, so a profile is stored once.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.choices import EvaluationStatus, ProfileOrigin
from knowledge.evaluating import depth_of
from knowledge.knobs import Profile
from knowledge.models import GoldenQuestion, RetrievalProfile, RetrievalTuning
from knowledge.profiles import active_profile, builtin_store, profile_store
from knowledge.retrieval import record
from knowledge.run_leases import LEASE, LeaseLost, held_rows, run_claim, speaking_to_starter
from knowledge.tuning import LEAST, Figures, Sample, Tuned, sampled, tuned
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.http.errors import ApiError
from project.tracing import bind_trace

TELL_EVERY = 5.0  # seconds
RECORDING = 0.3  # of the progress

log = structlog.get_logger(__name__)


class Unfound:
    """The recording of a search in a space that has nothing to search yet."""

    def ranked(self, _profile: Profile, _limit: int) -> list[uuid.UUID]:
        """Return nothing."""
        return []


def tuning_work(tuning_id: uuid.UUID) -> None:
    """Learn a profile for the space of a tuning. Any fault but a lost lease fails the row."""
    row = run_claim(RetrievalTuning, tuning_id)
    if row is None:
        return
    with bind_trace(row.trace_id), speaking_to_starter(row):
        try:
            _learn(row)
        except LeaseLost:
            log.info("tuning_lost", tuning=str(row.pk))
        except ApiError as error:
            _settle(row, EvaluationStatus.FAILED, error=error.message)
        except Exception:
            _settle(row, EvaluationStatus.FAILED, error=_("It broke off; the log says why."))
            raise


def golden_samples(
    space_id: uuid.UUID, *, k: int, progress: Callable[[float], None] | None = None
) -> tuple[list[Sample], list[str]]:
    """Return the active golden questions of a space as recordings, and what could not take part.

    Questions none of whose nodes is left are passed over. Raises what a search raises.
    """
    questions = GoldenQuestion.objects.filter(space=space_id, is_active=True)
    rows = []
    for question in questions.prefetch_related("targets").order_by("created_at", "pk"):
        kept = {each.node_id: float(each.grade) for each in question.targets.all() if each.node_id}
        if kept:
            rows.append((question.question, question.language, kept))
    return recorded(space_id, sampled(rows), k=k, progress=progress)


def recorded(
    space_id: uuid.UUID,
    questions: Iterable[tuple[str, str, Mapping[uuid.UUID, float]]],
    *,
    k: int,
    group: str = "",
    progress: Callable[[float], None] | None = None,
) -> tuple[list[Sample], list[str]]:
    """Return questions (text, language, grades) of a space as recordings, and what was lacking."""
    reader = User(username="tuning", is_active=True, is_superuser=True)
    found: list[Sample] = []
    degraded: list[str] = []
    vectors: dict[uuid.UUID, bytes] = {}
    rows = list(questions)
    for number, (text, language, grades) in enumerate(rows, 1):
        request = SearchRequest(
            query=text, limit=depth_of(k), spaces=(space_id,), asked_in=language or None
        )
        recording = record(request, user=reader, kept=vectors)
        if recording is not None:
            degraded += [each for each in recording.degraded if each not in degraded]
        found.append(Sample(recording or Unfound(), dict(grades), group))
        if progress:
            progress(number / len(rows))
    return found, degraded


def tuned_store(
    result: Tuned, compared_to: RetrievalProfile, *, author: User | None, source: str
) -> RetrievalProfile:
    """Store a learned profile as a version that is not active, in the caller's transaction."""
    shares = {"before": result.figures.before["ndcg"], "after": result.figures.after["ndcg"]}
    shown = {name: number_format(value, 4) for name, value in shares.items()}
    note = _("Learned from %(source)s: nDCG@%(k)s from %(before)s to %(after)s when held out.")
    return profile_store(
        result.profile.values(),
        note=note % {"source": source, "k": result.figures.k, **shown},
        origin=ProfileOrigin.TUNED,
        author=author,
        base=compared_to,
        figures=result.figures.plain(),
    )


def outcome_words(figures: Figures, version: int | None) -> str:
    """Return in words what a tuning came to; `version` is that of the stored profile."""
    values = {
        "k": figures.k,
        "before": number_format(figures.before["ndcg"], 4),
        "after": number_format(figures.after["ndcg"], 4),
        "low": number_format(figures.low, 4),
        "high": number_format(figures.high, 4),
        "version": version,
    }
    if version is not None:
        text = _(
            "On questions that it was not learned from, the learned profile raises nDCG@%(k)s from "
            "%(before)s to %(after)s (the gain is between %(low)s and %(high)s in 95 of 100 "
            "resamples). It is stored as version %(version)s, and not active."
        )
    else:
        text = _(
            "Nothing better was found: on questions that they were not learned from, learned "
            "profiles come to an nDCG@%(k)s of %(after)s, the present one to %(before)s (the "
            "difference is between %(low)s and %(high)s in 95 of 100 resamples). The present "
            "profile stays."
        )
    return text % values


def missing_words(count: int) -> str:
    """Return in words that there are too few questions, and how many are missing."""
    text = ngettext(
        "Learning needs %(least)s active golden questions whose nodes are there; %(count)s more is "
        "needed.",
        "Learning needs %(least)s active golden questions whose nodes are there; %(count)s more "
        "are needed.",
        LEAST - count,
    )
    return text % {"least": LEAST, "count": LEAST - count}


def _learn(row: RetrievalTuning) -> None:
    present = active_profile([row.space_id])
    k = row.space.gate_k
    told = _Teller(row)
    samples, degraded = golden_samples(
        row.space_id, k=k, progress=lambda share: told(RECORDING * share)
    )
    row.questions, row.degraded = len(samples), degraded
    if len(samples) < LEAST:
        _settle(row, EvaluationStatus.FAILED, error=missing_words(len(samples)))
        return
    if degraded:
        text = _("The questions were searched without %(parts)s: try again when that works.")
        _settle(row, EvaluationStatus.FAILED, error=text % {"parts": ", ".join(degraded)})
        return
    result = tuned(
        samples, present, k=k, progress=lambda share: told(RECORDING + (1 - RECORDING) * share)
    )
    _settle(row, EvaluationStatus.COMPLETED, result=result, present=present.id)


class _Teller:
    """Writes progress and renews the lease, not too often. Raises LeaseLost."""

    def __init__(self, row: RetrievalTuning) -> None:
        self._row = row
        self._told = 0.0

    def __call__(self, share: float) -> None:
        if time.monotonic() - self._told < TELL_EVERY:
            return
        self._told = time.monotonic()
        held = held_rows(self._row).update(done=share, lease_until=timezone.now() + LEASE)
        if not held:
            raise LeaseLost


def _settle(
    row: RetrievalTuning,
    status: EvaluationStatus,
    *,
    error: str = "",
    result: Tuned | None = None,
    present: uuid.UUID | None = None,
) -> None:
    with transaction.atomic():
        stored = held_rows(row).select_for_update(of=("self",), no_key=True).first()
        if stored is None:
            raise LeaseLost
        stored.questions, stored.degraded = row.questions, row.degraded
        stored.status, stored.error, stored.finished_at = status, error, timezone.now()
        stored.lease_owner, stored.lease_until, stored.done = "", None, 1.0
        if result is not None:
            known = RetrievalProfile.objects.filter(pk=present).first() if present else None
            stored.compared_to = known or builtin_store()
            if result.figures.is_better:
                source = _("golden questions of “%(space)s”") % {"space": row.space.name}
                stored.profile = tuned_store(
                    result, stored.compared_to, author=row.created_by, source=source
                )
            version = stored.profile.version if stored.profile else None
            stored.figures = result.figures.plain()
            stored.outcome = outcome_words(result.figures, version)
        stored.save()
