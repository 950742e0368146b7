"""Beginning evaluations, and the gate that a proposal passes on its way to a merge.

Part of the services: they decide here, `knowledge.tasks` carries, `knowledge.evaluating` works.
"""

import datetime
import hashlib
import json
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import tasks
from knowledge.choices import EvaluationStatus, GenerationStatus, SearchMode
from knowledge.measures import TOLERANCE
from knowledge.models import (
    EvaluationResult,
    EvaluationRun,
    GoldenQuestion,
    IndexGeneration,
    Proposal,
    Space,
)
from knowledge.profiles import active_profile
from knowledge.revisions import revisions_of
from knowledge.run_leases import UNFINISHED
from project.accounts.models import User
from project.celery import send_after_commit
from project.locks import transaction_lock
from project.tracing import current_trace_id

NAMED = 5
"""Questions that a refusal names; the run's page shows all."""


@transaction.atomic
def evaluation_queue(
    space: Space,
    *,
    acting_user: User | None = None,
    k: int | None = None,
    mode: str = SearchMode.HYBRID,
    proposal: Proposal | None = None,
    release: str = "",
    as_of: datetime.datetime | None = None,
    other_generation: IndexGeneration | None = None,
) -> EvaluationRun:
    """Store a run with copies of the active questions and queue it; `k` is the space's if None.

    With `other_generation` it asks the index that serves now, and that one beside it.
    """
    questions = _active(space)
    generation = IndexGeneration.objects.filter(space=space, status=GenerationStatus.ACTIVE).first()
    profile = active_profile([space.pk])
    run = EvaluationRun.objects.create(
        space=space,
        mode=mode,
        k=k or space.gate_k,
        proposal_id=proposal.pk if proposal else None,
        proposal_revision=proposal.revision if proposal else None,
        release=release,
        as_of=as_of,
        generation_id=generation.pk if generation else None,
        profile_id=profile.id,
        profile_version=profile.version,
        other_generation_id=other_generation.pk if other_generation else None,
        questions=len(questions),
        questions_key=_key_of(questions),
        index_revision=_index_revision(space),
        embedding_model=generation.model_key if generation else "",
        created_by=acting_user,
        trace_id=current_trace_id(),
    )
    EvaluationResult.objects.bulk_create(
        [
            EvaluationResult(
                run=run,
                position=position,
                question=question,
                text=question.question,
                language=question.language,
                targets=_targets_of(question),
            )
            for position, question in enumerate(questions, 1)
        ],
        batch_size=500,
    )
    send_after_commit(tasks.evaluation_work, str(run.pk))
    return run


@transaction.atomic
def proposal_evaluate(proposal: Proposal, *, acting_user: User | None = None) -> EvaluationRun:
    """Return the newest run of a proposal as it and the index stand now; queue one without.

    A run that failed is returned, too: whoever wants another asks for it.
    """
    transaction_lock(f"evaluation:{proposal.pk}")
    key = _key_of(_active(proposal.space))
    rows = _runs_of(proposal, key).filter(
        k=proposal.space.gate_k,
        index_revision=_index_revision(proposal.space),
        profile_version=active_profile([proposal.space_id]).version,
    )
    newest: EvaluationRun | None = rows.exclude(status=EvaluationStatus.CANCELLED).first()
    return newest or evaluation_queue(proposal.space, acting_user=acting_user, proposal=proposal)


def proposal_evaluation(
    proposal: Proposal, *, acting_user: User | None = None
) -> EvaluationRun | None:
    """Do as `proposal_evaluate`; None where the space has no golden question to ask."""
    if not GoldenQuestion.objects.filter(space=proposal.space_id, is_active=True).exists():
        return None
    return proposal_evaluate(proposal, acting_user=acting_user)


def proposal_run_unfinished(proposal: Proposal, *, k: int, mode: str) -> EvaluationRun | None:
    """Return the run of a proposal as it is now that has not ended yet; None without one."""
    transaction_lock(f"evaluation:{proposal.pk}")
    rows = _runs_of(proposal, _key_of(_active(proposal.space)), mode=mode)
    return rows.filter(k=k, status__in=UNFINISHED).first()


def gate_problems(proposal: Proposal) -> list[str]:
    """Return why a proposal's space does not let it be merged; nothing when it does.

    A space that requires no regression wants a completed run for the proposal's current revision
    and the golden questions of now, that loses neither recall nor mean reciprocal rank.
    """
    space = Space.objects.get(pk=proposal.space_id)
    if not space.requires_no_regression:
        return []
    questions = _active(space)
    if not questions:
        return [
            _(
                "The space lets nothing be merged that loses golden questions, but none of its "
                "questions is active: make one, or switch that rule off in its settings."
            )
        ]
    runs = _runs_of(proposal, _key_of(questions)).filter(k=space.gate_k)
    run = runs.filter(status=EvaluationStatus.COMPLETED).first()
    if run is None:
        return [_what_is_missing(runs.first())]
    if run.degraded:
        message = _(
            "The golden questions were asked without %(parts)s, which says too little: evaluate "
            "the proposal again when that works."
        )
        return [message % {"parts": ", ".join(run.degraded)}]
    return _losses(run)


def _active(space: Space) -> list[GoldenQuestion]:
    rows = GoldenQuestion.objects.filter(space=space, is_active=True)
    return list(rows.prefetch_related("targets").order_by("created_at", "pk"))


def _targets_of(question: GoldenQuestion) -> list[dict[str, Any]]:
    return [
        {"node": str(target.node_key), "title": target.title, "grade": target.grade}
        for target in question.targets.all()
    ]


def _key_of(questions: list[GoldenQuestion]) -> str:
    """Return the SHA-256 of all that makes a run with other questions another run."""
    facts = sorted(
        [
            str(question.pk),
            question.question,
            question.language,
            sorted([str(target.node_key), target.grade] for target in question.targets.all()),
        ]
        for question in questions
    )
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _index_revision(space: Space) -> int:
    return revisions_of([space.pk])[space.pk]


def _runs_of(
    proposal: Proposal, questions_key: str, *, mode: str = SearchMode.HYBRID
) -> QuerySet[EvaluationRun]:
    """Return the runs of a proposal as it is now with the questions of now, newest first."""
    return EvaluationRun.objects.filter(
        proposal_id=proposal.pk,
        proposal_revision=proposal.revision,
        mode=mode,
        questions_key=questions_key,
    ).order_by("-created_at", "pk")


def _what_is_missing(newest: EvaluationRun | None) -> str:
    if newest is not None and newest.status in UNFINISHED:
        message = _(
            "The golden questions are being asked for this revision of the proposal (%(done)s of "
            "%(all)s): merge when that is done."
        )
        return message % {"done": newest.measured, "all": newest.questions}
    if newest is not None and newest.status == EvaluationStatus.FAILED:
        message = _("The evaluation of this revision failed (%(why)s): evaluate it again.")
        return message % {"why": newest.error}
    return _(
        "The golden questions have not been asked for this revision of the proposal as they are "
        "now: evaluate it, and merge when the evaluation is completed."
    )


def _losses(run: EvaluationRun) -> list[str]:
    """Return one refusal for each measure that falls, and the questions that make it fall."""
    before, after = run.metrics.get("before"), run.metrics.get("after")
    if not before or not after:
        return []
    names = {
        "recall": _("Recall of the first %(k)s results") % {"k": run.k},
        "mrr": _("Mean reciprocal rank"),
    }
    problems = []
    for measure, name in names.items():
        if after[measure] < before[measure] - TOLERANCE:
            message = _("%(measure)s would fall from %(before)s to %(after)s.")
            values = {"before": before[measure], "after": after[measure]}
            shown = {key: number_format(round(value, 4), 4) for key, value in values.items()}
            problems.append(message % {"measure": name, **shown})
    if problems:
        problems.append(_what_loses(run))
    return problems


def _what_loses(run: EvaluationRun) -> str:
    is_worse = Q(recall_after__lt=F("recall_before") - TOLERANCE) | Q(
        reciprocal_rank_after__lt=F("reciprocal_rank_before") - TOLERANCE
    )
    rows = run.results.filter(is_worse).order_by("position")
    worse = list(rows.values_list("text", flat=True))
    names = "; ".join(f"“{text[:120]}”" for text in worse[:NAMED])
    more = len(worse) - NAMED
    if more > 0:
        names += ngettext("; and %(count)s more", "; and %(count)s more", more) % {"count": more}
    message = _(
        "Worse off: %(questions)s. Change the proposal so that they find their nodes again, or "
        "name other nodes for questions that no longer hold; then evaluate again."
    )
    return message % {"questions": names}
