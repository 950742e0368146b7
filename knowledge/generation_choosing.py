"""Whether a generation that was compared is worse than the one that serves, and what follows.

Part of the services, as `knowledge.evaluation` is. Not worse: over the golden questions, neither
recall nor the mean reciprocal rank nor nDCG falls, and no leg of either search was missing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.utils import translation
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import tasks
from knowledge.choices import (
    EvaluationStatus,
    GenerationStatus,
    GenerationSwitching,
    JobKind,
    Outcome,
)
from knowledge.evaluation import evaluation_queue
from knowledge.generations import generation_activate
from knowledge.job_news import emit_updated
from knowledge.measures import TOLERANCE
from knowledge.models import EvaluationRun, GoldenQuestion, IndexGeneration, IngestJob
from project.accounts.models import User
from project.celery import send_after_commit
from project.tracing import current_trace_id


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison says; `is_worse` is None while it says nothing.

    `words` is one sentence for a person, `reasons` are the figures behind it.
    """

    is_worse: bool | None
    words: str
    reasons: tuple[str, ...] = ()


def verdict_of(run: EvaluationRun) -> Verdict:
    """Judge an evaluation that compared two generations, in the language that is active."""
    before, after = run.metrics.get("before"), run.metrics.get("after")
    if run.status in {EvaluationStatus.QUEUED, EvaluationStatus.RUNNING}:
        return Verdict(None, _("The golden questions are being asked."))
    if run.status != EvaluationStatus.COMPLETED or not before or not after:
        return Verdict(None, _("The comparison came to no end: compare again."))
    figures = tuple(_figures(before, after, run.k)) + tuple(_counts(run))
    if run.degraded:
        message = _("Searched without %(parts)s: this says too little. Compare again.")
        return Verdict(None, message % {"parts": ", ".join(run.degraded)}, figures)
    changes = [after[name] - before[name] for name in _names(run.k)]
    if any(change < -TOLERANCE for change in changes):
        return Verdict(
            is_worse=True,
            words=_("The new index is worse on the golden questions."),
            reasons=figures,
        )
    if any(change > TOLERANCE for change in changes):
        return Verdict(
            is_worse=False,
            words=_("The new index is better on the golden questions."),
            reasons=figures,
        )
    return Verdict(
        is_worse=False, words=_("Both find the golden questions alike."), reasons=figures
    )


def newest_comparison(generation: IndexGeneration) -> EvaluationRun | None:
    """Return the last evaluation of a generation beside what served then."""
    rows = EvaluationRun.objects.filter(
        space=generation.space_id, other_generation_id=generation.pk
    )
    return rows.order_by("-created_at").first()


def built_settle(generation_id: uuid.UUID) -> None:
    """Compare a generation that was built, if it may take over by itself."""
    generation = _waiting(generation_id)
    if generation is None:
        return
    with _speaking_to(_starter(generation)):
        if not GoldenQuestion.objects.filter(space=generation.space_id, is_active=True).exists():
            _stay(generation, _("The space has no golden question to compare with: decide."))
            return
    evaluation_queue(
        generation.space, acting_user=_starter(generation), other_generation=generation
    )


def compared_settle(generation_id: uuid.UUID, run_id: uuid.UUID) -> None:
    """Let a generation serve that was compared and is not worse, if it may do so by itself."""
    generation = _waiting(generation_id)
    run = EvaluationRun.objects.filter(pk=run_id, other_generation_id=generation_id).first()
    if generation is None or run is None:
        return
    user = _starter(generation)
    with _speaking_to(user):
        verdict = verdict_of(run)
        if verdict.is_worse is not False:
            _stay(generation, " ".join([verdict.words, *verdict.reasons]))
            return
        is_done = generation_activate(
            generation.pk,
            acting_user=user,
            reason=verdict.words,
            evaluation_id=run.pk,
            is_automatic=True,
        )
    if not is_done:  # nodes were written in between: a job fills in their vectors, then switches
        _fill_and_switch(generation, user, verdict, run)


def _fill_and_switch(
    generation: IndexGeneration, user: User | None, verdict: Verdict, run: EvaluationRun
) -> None:
    activate = {"reason": verdict.words, "evaluation": str(run.pk), "automatic": True}
    job = IngestJob.objects.create(
        kind=JobKind.GENERATION,
        space_id=generation.space_id,
        created_by=user,
        payload={"generation": str(generation.pk), "activate": activate},
        trace_id=current_trace_id(),
    )
    IndexGeneration.objects.filter(pk=generation.pk).update(job=job)
    emit_updated(job)
    send_after_commit(tasks.ingest, str(job.pk))


def _waiting(generation_id: uuid.UUID) -> IndexGeneration | None:
    """Return a generation that is whole and decides by itself whether to serve."""
    rows = IndexGeneration.objects.select_related("space", "job__created_by")
    return rows.filter(
        pk=generation_id,
        status=GenerationStatus.READY,
        switching=GenerationSwitching.AUTOMATIC,
    ).first()


def _stay(generation: IndexGeneration, why: str) -> None:
    IndexGeneration.objects.filter(pk=generation.pk).update(notice=why)


def _starter(generation: IndexGeneration) -> User | None:
    return generation.job.created_by if generation.job is not None else None


def _speaking_to(user: User | None) -> translation.override:
    return translation.override((user.language if user else "") or settings.LANGUAGE_CODE)


def _names(k: int) -> dict[str, str]:
    return {
        "recall": _("Recall of the first %(k)s") % {"k": k},
        "mrr": _("Mean reciprocal rank"),
        "ndcg": _("nDCG"),
    }


def _figures(before: dict[str, float], after: dict[str, float], k: int) -> list[str]:
    message = _("%(measure)s: %(before)s → %(after)s.")
    return [
        message
        % {
            "measure": name,
            "before": number_format(round(before[key], 3), 3),
            "after": number_format(round(after[key], 3), 3),
        }
        for key, name in _names(k).items()
    ]


def _counts(run: EvaluationRun) -> list[str]:
    lost, gained = run.metrics.get(Outcome.LOST, 0), run.metrics.get(Outcome.GAINED, 0)
    worse = ngettext("%(count)s question is worse off", "%(count)s questions are worse off", lost)
    better = ngettext("%(count)s is better off", "%(count)s are better off", gained)
    message = _("%(worse)s, %(better)s, of %(all)s.")
    return [
        message
        % {
            "worse": worse % {"count": lost},
            "better": better % {"count": gained},
            "all": run.metrics.get("questions", 0),
        }
    ]
