"""Other states of knowledge than the present one: as of a moment, of a release, as if merged.

Who may see one is decided by what they may read today; what it says is what was public then.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Min, Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from knowledge.models import (
    Node,
    NodeVersion,
    Proposal,
    Publication,
    Release,
    ReleaseEntry,
    Space,
)
from knowledge.querysets import Reader
from project.http.errors import Invalid


@dataclass(frozen=True, slots=True)
class Moment:
    """A state that somebody may look at: exactly one of the three is set."""

    as_of: datetime.datetime | None = None
    release: Release | None = None
    proposal: Proposal | None = None


def moment_of(
    user: Reader,
    *,
    as_of: datetime.datetime | None = None,
    release: str | None = None,
    proposal: uuid.UUID | None = None,
) -> Moment | None:
    """Return the state that is asked for, None for the present one.

    `release` is an id or a name. Raises Invalid for a time without a zone or to come, for what
    there is not or the user may not see, and for more than one of them at once.
    """
    given = {"as_of": as_of, "release": release, "proposal": proposal}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        message = _("Ask for one state: %(first)s or %(second)s, not both.")
        raise Invalid(
            message % {"first": names[0], "second": names[1]},
            code="two_states",
            field=names[1],
        )
    if as_of is not None:
        return Moment(as_of=checked_time(as_of))
    if release is not None:
        return Moment(release=release_of(user, release))
    if proposal is not None:
        return Moment(proposal=_proposal_of(user, proposal))
    return None


def checked_time(at: datetime.datetime) -> datetime.datetime:
    """Return a moment of the past. Raises Invalid."""
    if timezone.is_naive(at):
        message = _("The time must say its zone, such as 2026-03-01T12:00:00Z.")
        raise Invalid(message, code="time_without_zone", field="as_of")
    if at > timezone.now():
        message = _("The time is still to come: only the past can be looked at.")
        raise Invalid(message, code="time_to_come", field="as_of")
    return at


def time_of(text: str) -> datetime.datetime:
    """Return the moment that a date or a time in words of RFC 3339 names; a date: its end.

    The end of today is now. Raises Invalid.
    """
    try:
        day = parse_date(text)
        at = parse_datetime(text) if day is None else None
    except ValueError:
        day = at = None
    if day is not None:
        return _end_of(day)
    if at is None:
        message = _("A date such as 2026-03-01 or a time such as 2026-03-01T12:00:00Z is needed.")
        raise Invalid(message, field="as_of")
    return checked_time(at)


def _end_of(day: datetime.date) -> datetime.datetime:
    midnight = datetime.datetime.combine(day, datetime.time.min, timezone.get_current_timezone())
    now = timezone.now()
    if midnight > now:
        return checked_time(midnight)
    return min(midnight + datetime.timedelta(days=1), now)


def release_of(user: Reader, wanted: str) -> Release:
    """Return the release with that id, or the one visible release with that name.

    Raises Invalid.
    """
    rows = Release.objects.visible_to(user).select_related("space")
    try:
        rows = rows.filter(pk=uuid.UUID(wanted))
    except ValueError:
        rows = rows.filter(name=wanted)
    found = list(rows[:2])
    if not found:
        message = _("There is no such release, or it is not yours to see.")
        raise Invalid(message, code="no_such_release", field="release")
    if len(found) > 1:
        message = _("Several spaces have a release of that name: give its id.")
        raise Invalid(message, code="ambiguous_release", field="release")
    return found[0]


def _proposal_of(user: Reader, wanted: uuid.UUID) -> Proposal:
    found = Proposal.objects.visible_to(user).filter(pk=wanted).select_related("space").first()
    if found is None:
        message = _("There is no such proposal, or it is not yours to see.")
        raise Invalid(message, code="no_such_proposal", field="proposal")
    if found.is_decided:
        message = _("The proposal is merged or rejected: there is nothing to try any more.")
        raise Invalid(message, code="proposal_decided", field="proposal")
    return found


def require_begun(at: datetime.datetime, space_ids: Sequence[uuid.UUID]) -> None:
    """Raise Invalid for a moment before anything was public in these spaces."""
    first = Publication.objects.filter(space__in=space_ids).aggregate(at=Min("started_at"))["at"]
    if first is not None and at < first:
        message = _("There was no knowledge yet at that time: it begins at %(time)s.")
        raise Invalid(
            message % {"time": first.isoformat(timespec="seconds")},
            code="time_before_all",
            field="as_of",
        )


def version_at(user: Reader, node_id: uuid.UUID, moment: Moment) -> Any:
    """Return the version of a node in a past state that the user may read; None without one.

    The version has to be public at that time and inside its own validity, or in the release.
    """
    spaces = Space.objects.visible_to(user)
    if moment.release is not None:
        held = ReleaseEntry.objects.filter(
            release=moment.release, release__space__in=spaces, node_id=node_id
        )
        rows = NodeVersion.objects.filter(id=node_id, version__in=held.values("version"))
    else:
        at = moment.as_of
        public = Publication.objects.filter(
            Q(ended_at=None) | Q(ended_at__gt=at),
            node_id=node_id,
            space__in=spaces,
            started_at__lte=at,
        )
        rows = NodeVersion.objects.filter(
            Q(valid_from=None) | Q(valid_from__lte=at),
            Q(valid_until=None) | Q(valid_until__gt=at),
            id=node_id,
            version__in=public.values("version"),
        )
    return rows.filter(erased_at=None).exclude(history_type="-").first()


def node_at(user: Reader, node_id: uuid.UUID, moment: Moment) -> Node | None:
    """Return a node with the values of a past state, not to be saved; None where it has none."""
    row = version_at(user, node_id, moment)
    if row is None:
        return None
    node = Node(**{field.attname: getattr(row, field.attname) for field in row.tracked_fields})
    node.status = NodeStatus.PUBLISHED
    node.updated_at = row.history_date
    first = NodeVersion.objects.filter(id=node_id, version=1).first()
    node.created_at = first.history_date if first is not None else row.history_date
    started = Publication.objects.filter(node_id=node_id, version=row.version)
    if moment.as_of is not None:
        started = started.filter(started_at__lte=moment.as_of)
    node.published_at = started.aggregate(at=Max("started_at"))["at"]
    return node
