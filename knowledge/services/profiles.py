"""Writes of retrieval profiles: a new version, and which version holds.

Managers of a space make versions and choose for it; superusers choose for the installation.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import ProfileOrigin
from knowledge.knobs import checked
from knowledge.models import EvaluationRun, ProfileActivation, RetrievalProfile, Space
from knowledge.profiles import builtin_store, profile_of, profile_store
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict, Forbidden, Invalid
from project.inference.choices import Purpose
from project.inference.models import ModelEndpoint
from project.locks import transaction_lock

MOST_NOTE = 2000


@transaction.atomic
def profile_create(
    *,
    acting_user: User,
    knobs: Mapping[str, Any],
    note: str,
    based_on: RetrievalProfile | None = None,
    evaluation: UUID | None = None,
) -> RetrievalProfile:
    """Store a new version: another one (the built-in one if None) with some other knobs.

    Nothing searches with it until it is activated. Raises NotFound, Forbidden, Invalid.
    """
    _maker_require(acting_user)
    note = note.strip()
    if not note:
        raise Invalid(_("Say in a note what this version is for."), field="note")
    if len(note) > MOST_NOTE:
        message = _("A note has at most %(count)s characters.") % {"count": MOST_NOTE}
        raise Invalid(message, field="note")
    base = based_on or builtin_store()
    values = {**profile_of(base).values(), **_checked(knobs)}
    _endpoint_require(values["rerank_endpoint"])
    run = None
    if evaluation is not None:
        run = EvaluationRun.objects.visible_to(acting_user).filter(pk=evaluation).first()
        if run is None:
            raise Invalid(_("There is no such evaluation, or it is not yours."), field="evaluation")
    return profile_store(
        values, note=note, origin=ProfileOrigin.MANUAL, author=acting_user, base=base, run=run
    )


@transaction.atomic
def profile_activate(
    *, acting_user: User, profile: RetrievalProfile, reason: str, space: Space | None = None
) -> ProfileActivation:
    """Let a version hold for a space, or for the installation if None.

    The next search uses it. Asked again for what holds already, it changes nothing. Raises
    NotFound, Forbidden, and Invalid without a reason.
    """
    _chooser_require(acting_user, space)
    if not reason.strip():
        raise Invalid(_("Say why, for those who look at it later."), field="reason")
    return _switch(acting_user, space, profile, reason.strip())


@transaction.atomic
def profile_roll_back(
    *, acting_user: User, reason: str, space: Space | None = None
) -> ProfileActivation:
    """Let what held before hold again; for a space that may be the installation's.

    Asked again, it goes one step further back. Raises NotFound, Forbidden, Invalid, and Conflict
    where nothing held before.
    """
    _chooser_require(acting_user, space)
    if not reason.strip():
        raise Invalid(_("Say why, for those who look at it later."), field="reason")
    transaction_lock("retrieval-profiles")
    chain = list(ProfileActivation.objects.filter(space=space).order_by("created_at", "pk"))
    held: list[RetrievalProfile | None] = []
    for each in chain:
        if each.is_rollback:
            held.pop()
        else:
            held.append(each.profile)
    if not held or (space is None and len(held) < 2):
        raise Conflict(_("Nothing held before this version."), code="nothing_before")
    before = held[-2] if len(held) > 1 else None
    return _switch(acting_user, space, before, reason.strip(), is_rollback=True)


def _switch(
    user: User,
    space: Space | None,
    profile: RetrievalProfile | None,
    reason: str,
    *,
    is_rollback: bool = False,
) -> ProfileActivation:
    transaction_lock("retrieval-profiles")
    if space is None:
        builtin_store()  # so that there is something to go back to
    current = ProfileActivation.objects.filter(space=space, is_current=True).first()
    now = profile.pk if profile else None
    if current is not None and current.profile_id == now and not is_rollback:
        return current
    ProfileActivation.objects.filter(space=space, is_current=True).update(is_current=False)
    row = ProfileActivation.objects.create(
        space=space,
        profile=profile,
        previous_id=current.profile_id if current else None,
        reason=reason,
        is_rollback=is_rollback,
        activated_by=user,
        author_name=user.get_username(),
    )
    emit(
        "knowledge.profile.activated",
        {"profile": str(now) if now else None, "version": profile.version if profile else None},
        space_id=space.pk if space else None,
        subject_id=now,
    )
    return row


def _checked(knobs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return checked(knobs)
    except ValueError as error:
        problems: dict[str, str] = error.args[0]
        name, text = next(iter(problems.items()))
        raise Invalid(f"{name}: {text}", field=f"knobs.{name}", details=problems) from None


def _endpoint_require(endpoint_id: str) -> None:
    rows = ModelEndpoint.objects.filter(purpose=Purpose.RERANK)
    if endpoint_id and not rows.filter(pk=endpoint_id).exists():
        message = _("There is no model endpoint for reranking with this id.")
        raise Invalid(message, field="knobs.rerank_endpoint")


def _maker_require(user: User) -> None:
    if not RetrievalProfile.objects.visible_to(user).exists() and not _manages(user):
        raise not_found()
    if not _manages(user):
        message = _("Managers of a space make retrieval profiles.")
        raise Forbidden(message, code="role_needed")


def _manages(user: User) -> bool:
    return user.is_superuser or Space.objects.with_role(user, Role.MANAGER).exists()


def _chooser_require(user: User, space: Space | None) -> None:
    if space is not None:
        role_require(user, space, Role.MANAGER)
    elif not user.is_superuser:
        message = _("Only administrators choose the retrieval profile of the installation.")
        raise Forbidden(message, code="role_needed")


__all__ = ["profile_activate", "profile_create", "profile_roll_back"]
