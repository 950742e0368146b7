"""The state of knowledge that a turn asks, when it is not the present one."""

import datetime
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from knowledge.models import Release
from knowledge.moments import Moment, time_words

if TYPE_CHECKING:
    from chat.models import Turn


@dataclass(frozen=True, slots=True)
class AskedState:
    """A moment, or a release by its id and name; `moment` is also that of the release."""

    moment: datetime.datetime
    release_id: uuid.UUID | None = None
    release_name: str = ""

    @property
    def words(self) -> str:
        """The state for a person, in the active language and time zone."""
        if self.release_name:
            return _("As of the release “%(name)s”") % {"name": self.release_name}
        return _("As the knowledge stood on %(time)s") % {"time": time_words(self.moment)}

    @property
    def query(self) -> dict[str, str]:
        """The parameters that ask pages of knowledge for the same state."""
        if self.release_id is not None:
            return {"release": str(self.release_id)}
        return {"as_of": self.moment.isoformat()}


def state_of(turn: "Turn") -> AskedState | None:
    """Return the state that a turn asks; None for the present one."""
    if turn.as_of is None:
        return None
    return AskedState(turn.as_of, turn.release_id, turn.release_name)


def state_fields(moment: Moment | None) -> dict[str, datetime.datetime | Release | str]:
    """Return the fields of a turn that asks a state."""
    if moment is None:
        return {}
    if moment.release is not None:
        release = moment.release
        return {"as_of": release.as_of, "release": release, "release_name": release.name}
    assert moment.as_of is not None
    return {"as_of": moment.as_of}
