"""Versions of the prompt, setups, and experiments: what is chosen, compared and taken over.

Whoever may change experiments by Django's permissions does.
"""

from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.choices import ExperimentStatus, ExperimentSubject
from chat.experiments.planning import setup_of
from chat.experiments.results import frozen_figures
from chat.models import AnswerSetup, Experiment, ExperimentArm, PromptVersion
from chat.prompts import OWN_RULES
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid
from project.locks import transaction_lock

LEAST_ARMS = 2
MOST_ARMS = 8
_FIELDS: dict[str, tuple[str, ...]] = {
    ExperimentSubject.MODEL: ("tier", "endpoint_id"),
    ExperimentSubject.PROMPT: ("prompt_id", "temperature"),
}
log = structlog.get_logger(__name__)


@transaction.atomic
def prompt_create(*, acting_user: User, rules: str, note: str = "") -> PromptVersion:
    """Store a version of the prompt; nothing is answered by it yet.

    Before the first one the text that comes with Acervo is stored, so that it can be compared and
    gone back to. Raises Forbidden, Invalid, Conflict where the newest version says the same.
    """
    _require(acting_user, "chat.add_promptversion")
    text = rules.replace("\r\n", "\n").strip()
    if not text:
        raise Invalid(_("Write what the model is told."), field="rules")
    transaction_lock("prompt-versions")
    last = PromptVersion.objects.aggregate(last=Max("number"))["last"] or 0
    if not last:
        last = 1
        own = _("As it comes with Acervo.")
        PromptVersion.objects.create(number=1, rules=OWN_RULES, note=own)
    if PromptVersion.objects.filter(number=last, rules=text).exists():
        raise Conflict(_("The newest version says the same."), field="rules")
    return PromptVersion.objects.create(
        number=last + 1, rules=text, note=note.strip(), created_by=acting_user
    )


@transaction.atomic
def setup_create(*, acting_user: User, setup: AnswerSetup) -> AnswerSetup:
    """Have questions answered so from now on. Raises Forbidden, Invalid."""
    _require(acting_user, "chat.add_answersetup")
    if setup.endpoint is not None and not setup.endpoint.is_active:
        raise Invalid(_("This model endpoint is not active."), field="endpoint")
    setup.created_by = acting_user
    setup.save(force_insert=True)
    log.info("answer_setup_changed", space=str(setup.space_id), user=acting_user.pk)
    return setup


def setup_restore(*, acting_user: User, setup: AnswerSetup) -> AnswerSetup:
    """Go back to an earlier setup of a space, by a new one like it."""
    again = AnswerSetup(
        space=setup.space,
        tier=setup.tier,
        endpoint=setup.endpoint,
        prompt=setup.prompt,
        temperature=setup.temperature,
        reason=_("Back to how it was before."),
    )
    return setup_create(acting_user=acting_user, setup=again)


def prompt_use(*, acting_user: User, prompt: PromptVersion, space: Any = None) -> AnswerSetup:
    """Answer by a version of the prompt from now on, everything else as it is set up."""
    now = setup_of(space.pk if space is not None else None)
    return setup_create(
        acting_user=acting_user,
        setup=AnswerSetup(
            space=space,
            tier=now.tier if now else "",
            endpoint=now.endpoint if now else None,
            prompt=prompt,
            temperature=now.temperature if now else None,
            reason=_("%(prompt)s was chosen.") % {"prompt": prompt},
        ),
    )


def experiment_save(*, acting_user: User, experiment: Experiment) -> Experiment:
    """Store a draft. Raises Forbidden, Conflict once it was started."""
    _require(acting_user, "chat.change_experiment")
    if experiment.status != ExperimentStatus.DRAFT:
        raise Conflict(_("This experiment was started before."))
    experiment.created_by = experiment.created_by or acting_user
    experiment.save()
    return experiment


@transaction.atomic
def experiment_start(*, acting_user: User, experiment: Experiment) -> Experiment:
    """Begin to share people out. Raises Forbidden, Invalid, Conflict."""
    row = _locked(acting_user, experiment)
    if row.status != ExperimentStatus.DRAFT:
        raise Conflict(_("This experiment was started before."))
    _check(row)
    row.status, row.started_at = ExperimentStatus.RUNNING, timezone.now()
    row.created_by = row.created_by or acting_user
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict(
            _("Another experiment with the same subject is running here: end that one first.")
        ) from None
    return row


@transaction.atomic
def experiment_end(*, acting_user: User, experiment: Experiment) -> Experiment:
    """End a running experiment; its figures stay as they are now. Raises Forbidden, Conflict."""
    row = _locked(acting_user, experiment)
    if row.status != ExperimentStatus.RUNNING:
        raise Conflict(_("This experiment is not running."))
    row.results = frozen_figures(row)
    row.status, row.ended_at = ExperimentStatus.ENDED, timezone.now()
    row.save()
    return row


@transaction.atomic
def experiment_promote(
    *, acting_user: User, experiment: Experiment, arm: ExperimentArm
) -> AnswerSetup:
    """End an experiment, and answer everybody as one of its arms does.

    Raises Forbidden, Invalid, Conflict.
    """
    row = _locked(acting_user, experiment)
    if arm.experiment_id != row.pk:
        raise Invalid(_("Choose one of the arms of this experiment."), field="arm")
    if row.status == ExperimentStatus.DRAFT or row.winner_id is not None:
        raise Conflict(_("Only an experiment that was run has a winner, and only one."))
    if row.status == ExperimentStatus.RUNNING:
        row = experiment_end(acting_user=acting_user, experiment=row)
    now = setup_of(row.space_id)
    is_model = row.subject == ExperimentSubject.MODEL
    chosen = AnswerSetup(
        space=row.space,
        tier=arm.tier if is_model else now.tier if now else "",
        endpoint=arm.endpoint if is_model else now.endpoint if now else None,
        prompt=arm.prompt or (now.prompt if now else None),
        temperature=arm.temperature
        if arm.temperature is not None
        else now.temperature
        if now
        else None,
        reason=_("Winner of the experiment %(name)s: %(arm)s") % {"name": row, "arm": arm},
    )
    row.winner = arm
    row.save(update_fields=["winner"])
    return setup_create(acting_user=acting_user, setup=chosen)


def _check(row: Experiment) -> None:
    """Raise Invalid for arms that cannot be compared."""
    arms = list(row.arms.select_related("endpoint"))
    if not LEAST_ARMS <= len(arms) <= MOST_ARMS:
        raise Invalid(_("An experiment compares two to eight arms."))
    if sum(each.weight > 0 for each in arms) < LEAST_ARMS:
        raise Invalid(_("Give at least two arms a share."))
    wanted = _FIELDS[row.subject]
    foreign = {name for names in _FIELDS.values() for name in names if name not in wanted}
    if any(getattr(each, name) not in {None, ""} for each in arms for name in foreign):
        raise Invalid(_("An arm chooses something that this experiment does not compare."))
    if len({tuple(getattr(each, name) for name in wanted) for each in arms}) < len(arms):
        raise Invalid(_("Two arms are the same."))
    if any(each.endpoint is not None and not each.endpoint.is_active for each in arms):
        raise Invalid(_("An arm asks a model endpoint that is not active."))


def _locked(user: User, experiment: Experiment) -> Experiment:
    _require(user, "chat.change_experiment")
    row = Experiment.objects.select_for_update(of=("self",)).filter(pk=experiment.pk).first()
    if row is None:
        raise Conflict(_("This experiment is gone."))
    return row


def _require(user: User, permission: str) -> None:
    if not user.has_perm(permission):
        raise Forbidden(_("You may not change how questions are answered."))
