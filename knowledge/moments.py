"""Other states of knowledge than the present one: as of a moment, of a release, as if merged.

Who may see one is decided by what they may read today; what it says is what was public then.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Min
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from knowledge.models import (
    Proposal,
    Publication,
    Release,
)
from knowledge.querysets import Reader
from project.http.errors import Invalid


@dataclass(frozen=True, slots=True)
class Moment:
    """A state that somebody may look at: exactly one of the three is set."""

    as_of: datetime.datetime | None = None
    release: Release | None = None
    proposal: Proposal | None = None

    @property
    def words(self) -> str:
        """The state for a person, in the active language and time zone."""
        if self.release is not None:
            return _("the release “%(name)s”") % {"name": self.release.name}
        return time_words(self.as_of) if self.as_of is not None else ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters that ask a page for this state."""
        if self.release is not None:
            return {"release": str(self.release.pk)}
        return {"as_of": self.as_of.isoformat()} if self.as_of is not None else {}


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


def time_words(at: datetime.datetime) -> str:
    """Return a moment for a person: the day alone where it is the day's end."""
    local = timezone.localtime(at)
    if local.time() == datetime.time.min:
        return date_format(local - datetime.timedelta(days=1), "DATE_FORMAT")
    return date_format(local, "DATETIME_FORMAT")


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
