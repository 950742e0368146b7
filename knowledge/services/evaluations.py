"""Writes of evaluations: begin and cancel."""

import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import EvaluationStatus, SearchMode
from knowledge.evaluation import evaluation_queue, proposal_run_unfinished
from knowledge.models import EvaluationRun, Proposal, Space
from knowledge.retrieval import search
from knowledge.run_leases import UNFINISHED
from knowledge.types import MAX_RESULTS, SearchRequest
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid


@transaction.atomic
def evaluation_start(
    *,
    acting_user: User,
    space: Space | None = None,
    k: int | None = None,
    mode: str = SearchMode.HYBRID,
    proposal: UUID | None = None,
    release: str = "",
    as_of: datetime.datetime | None = None,
) -> EvaluationRun:
    """Queue an evaluation of a space, of one of its states or of a proposal; needs an editor.

    A run of the same revision of a proposal that has not ended is returned as it is. Raises
    NotFound, Forbidden, Invalid, and Conflict for a proposal that is decided.
    """
    named = [name for name, given in _states(proposal, release, as_of).items() if given]
    if len(named) > 1:
        message = _("Name one of these at most: %(names)s.") % {"names": ", ".join(named)}
        raise Invalid(message, field=named[-1])
    if k is not None and not 1 <= k <= MAX_RESULTS:
        raise Invalid(_("k is between 1 and %(count)s.") % {"count": MAX_RESULTS}, field="k")
    branch = _proposal(acting_user, proposal) if proposal is not None else None
    if branch is not None:
        if space is not None and space.pk != branch.space_id:
            raise Invalid(_("The proposal belongs to another space."), field="space")
        space = branch.space
    if space is None:
        raise Invalid(_("Name a space."), code="required", field="space")
    role_require(acting_user, space, Role.EDITOR)
    if branch is not None:
        running = proposal_run_unfinished(branch, k=k or space.gate_k, mode=mode)
        if running is not None:
            return running
    _state_require(acting_user, space, release, as_of)
    return evaluation_queue(
        space,
        acting_user=acting_user,
        k=k,
        mode=mode,
        proposal=branch,
        release=release,
        as_of=as_of,
    )


@transaction.atomic
def evaluation_cancel(*, acting_user: User, run: EvaluationRun) -> EvaluationRun:
    """End a run that has not ended; what was found until then stays. Raises NotFound."""
    rows = EvaluationRun.objects.visible_to(acting_user).filter(pk=run.pk)
    row = rows.select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise not_found()
    if row.status in UNFINISHED:
        row.status, row.finished_at = EvaluationStatus.CANCELLED, timezone.now()
        row.lease_owner, row.lease_until = "", None
        row.save()
    return row


def _states(
    proposal: UUID | None, release: str, as_of: datetime.datetime | None
) -> dict[str, object]:
    return {"proposal": proposal, "release": release, "as_of": as_of}


def _proposal(user: User, proposal: UUID) -> Proposal:
    row = Proposal.objects.visible_to(user).filter(pk=proposal).select_related("space").first()
    if row is None:
        raise not_found()
    if row.is_decided:
        message = _("The proposal is decided: what it would do can no longer be evaluated.")
        raise Conflict(message, code="proposal_decided")
    return row


def _state_require(user: User, space: Space, release: str, as_of: datetime.datetime | None) -> None:
    """Let a state that search refuses be refused now, and not by a run that fails later."""
    if release or as_of is not None:
        asked = SearchRequest(
            query="?",
            limit=1,
            spaces=(space.pk,),
            mode=SearchMode.KEYWORD,
            release=release or None,
            as_of=as_of,
        )
        search(asked, user=user)


__all__ = ["evaluation_cancel", "evaluation_start"]
