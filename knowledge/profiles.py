"""Which retrieval profile holds: one for the installation, and where a space has its own, that.

A search reads two or three rows of one small index; the knobs of a version never change and stay
in the process. So every process sees an activation with its next search, and none has to be told.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import structlog

from knowledge.choices import ProfileOrigin
from knowledge.knobs import BUILT_IN, Profile, profile_from
from knowledge.models import EvaluationRun, ProfileActivation, RetrievalProfile
from project.accounts.models import User
from project.database.prepared import prepared_rows
from project.locks import transaction_lock

log = structlog.get_logger(__name__)

_known: dict[uuid.UUID, Profile] = {}
MOST_KNOWN = 500


def active_profile(space_ids: Collection[uuid.UUID]) -> Profile:
    """Return the profile of a search in these spaces.

    It is a space's own if all of them have the same own one, else that of the installation; the
    built-in one where none was ever activated.
    """
    rows = prepared_rows(
        "SELECT space_id, profile_id FROM knowledge_profileactivation "
        "WHERE is_current AND (space_id IS NULL OR space_id = ANY(%s))",
        [list(space_ids)],
    )
    current: dict[Any, Any] = dict(rows)
    return common_profile([current.get(space_id) for space_id in space_ids], current.get(None))


def common_profile(own: Iterable[uuid.UUID | None], general: uuid.UUID | None) -> Profile:
    """Do the same where the `own` profile of each space is known, and the `general` one."""
    wanted = {each or general for each in own} or {general}
    chosen = wanted.pop() if len(wanted) == 1 else general
    return BUILT_IN if chosen is None else stored_profile(chosen) or BUILT_IN


def stored_profile(profile_id: uuid.UUID) -> Profile | None:
    """Return a stored profile by its id; None when there is none."""
    found = _known.get(profile_id)
    if found is None:
        row = RetrievalProfile.objects.filter(pk=profile_id).only("version", "knobs").first()
        if row is None:
            return None
        found = profile_of(row)
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[profile_id] = found
    return found


def profile_of(row: RetrievalProfile) -> Profile:
    """Return the knobs of a row. One that does not fit any more has its built-in value."""
    try:
        return profile_from(row.knobs, profile_id=row.pk, version=row.version)
    except ValueError as error:
        problems = error.args[0]
        log.error("profile_unfit", version=row.version, knobs=sorted(problems))
        fitting = {name: value for name, value in row.knobs.items() if name not in problems}
        return profile_from(fitting, profile_id=row.pk, version=row.version)


def builtin_store() -> RetrievalProfile:
    """Return the row of the built-in profile, in the caller's transaction.

    A release with other built-in values gets a row of its own, and it takes over where the
    installation used the built-in ones; a profile that somebody chose stays.
    """
    transaction_lock("retrieval-profiles")
    rows = RetrievalProfile.objects.filter(origin=ProfileOrigin.BUILT_IN)
    newest: RetrievalProfile | None = rows.order_by("-version").first()
    if newest is not None and newest.knobs == BUILT_IN.values():
        return newest
    row = RetrievalProfile.objects.create(
        version=next_version(),
        knobs=BUILT_IN.values(),
        origin=ProfileOrigin.BUILT_IN,
        based_on=newest,
    )
    current = ProfileActivation.objects.filter(space=None, is_current=True)
    active = current.select_related("profile").first()
    if active is None or (active.profile and active.profile.origin == ProfileOrigin.BUILT_IN):
        current.update(is_current=False)
        ProfileActivation.objects.create(profile=row, previous=active.profile if active else None)
    return row


def profile_store(
    values: Mapping[str, Any],
    *,
    note: str,
    origin: ProfileOrigin,
    author: User | None,
    base: RetrievalProfile | None,
    run: EvaluationRun | None = None,
    figures: Mapping[str, Any] | None = None,
) -> RetrievalProfile:
    """Store checked knobs as the next version, in the caller's transaction."""
    transaction_lock("retrieval-profiles")
    return RetrievalProfile.objects.create(
        version=next_version(),
        knobs=dict(values),
        note=note,
        origin=origin,
        based_on=base,
        evaluation=run,
        figures=dict(figures or {}),
        created_by=author,
        author_name=author.get_username() if author else "",
    )


def next_version() -> int:
    """Return the number of the next version, under the caller's lock."""
    newest = RetrievalProfile.objects.order_by("-version").values_list("version", flat=True).first()
    return (newest or 0) + 1
