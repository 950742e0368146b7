"""The way of a handoff: what may be done in which status, and what follows."""

from enum import StrEnum

from django.utils.translation import gettext as _

from chat.choices import HandoffStatus
from project.http.errors import Conflict


class Step(StrEnum):
    """What people do with a handoff."""

    ASSIGN = "assign"
    REQUEUE = "requeue"
    ANSWER = "answer"
    RELEASE = "release"
    CLOSE = "close"


TRANSITIONS: dict[tuple[str, Step], HandoffStatus] = {
    (HandoffStatus.WAITING, Step.ASSIGN): HandoffStatus.ACTIVE,
    (HandoffStatus.WAITING, Step.RELEASE): HandoffStatus.RELEASED,
    (HandoffStatus.WAITING, Step.CLOSE): HandoffStatus.CLOSED,
    (HandoffStatus.ACTIVE, Step.ASSIGN): HandoffStatus.ACTIVE,
    (HandoffStatus.ACTIVE, Step.REQUEUE): HandoffStatus.WAITING,
    (HandoffStatus.ACTIVE, Step.ANSWER): HandoffStatus.ACTIVE,
    (HandoffStatus.ACTIVE, Step.RELEASE): HandoffStatus.RELEASED,
    (HandoffStatus.ACTIVE, Step.CLOSE): HandoffStatus.CLOSED,
}


def status_after(status: str, step: Step) -> HandoffStatus:
    """Return the status after a step. Raises Conflict (`wrong_status`) where it may not be done."""
    following = TRANSITIONS.get((status, step))
    if following is None:
        message = _("Nobody has taken this conversation yet: take it first.")
        if status != HandoffStatus.WAITING:
            message = _("This is over: the conversation is no longer with a person.")
        raise Conflict(message, code="wrong_status", field="status", details={"status": status})
    return following
