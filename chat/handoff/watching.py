"""What a socket of a handoff is to send: looked up for whoever is at its other end."""

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings
from django.utils import translation

from chat.handoff.desk import messages_of
from chat.handoff.presence import present
from chat.handoff.representation import asker_body
from chat.models import Handoff, Message
from chat.representation import message_body
from knowledge.models import Space
from project.accounts.choices import Scope
from project.accounts.ws import SocketCaller, user_of

Side = Literal["person", "operator"]
OVERLAP = datetime.timedelta(seconds=30)  # clocks of processes differ, and commits take time
AT_ONCE = 100


@dataclass(slots=True)
class Watch:
    """What one socket has been sent of a handoff; `after` is the last message that was seen."""

    handoff_id: uuid.UUID
    side: Side
    after: uuid.UUID | None
    floor: datetime.datetime | None = None
    seen: set[uuid.UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Looked:
    """What there is to be sent: how the handoff stands, and messages that were not sent before."""

    handoff: dict[str, Any]
    messages: list[dict[str, Any]]
    name: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.handoff["ended_at"] is not None


def look(caller: SocketCaller, watch: Watch) -> Looked | None:
    """Return what is new; None when this is not the caller's to follow (any longer)."""
    user = user_of(caller)
    if user is None or not caller.has_scope(Scope.CHAT):
        return None
    is_person = watch.side == "person"
    gate = Handoff.objects.asked_by(user) if is_person else Handoff.objects.visible_to(user)
    handoff = gate.select_related("space").filter(pk=watch.handoff_id).first()
    if handoff is None:
        return None
    with translation.override(user.language or caller.language or settings.LANGUAGE_CODE):
        fresh = _fresh(handoff, watch)
        here = present(handoff.pk)
        body = asker_body(handoff) | {
            "present": {
                "person": "person" in here,
                "operator": f"operator:{handoff.operator_id}" in here,
            }
        }
        del body["waited_seconds"]  # it changes by itself, and says nothing new
        return Looked(body, [message_body(each) for each in fresh], user.get_short_name())


def _fresh(handoff: Handoff, watch: Watch) -> list[Message]:
    rows = messages_of(handoff)
    if watch.floor is None:
        last = rows.filter(pk=watch.after).first() if watch.after else None
        watch.floor = last.created_at if last is not None else handoff.requested_at
        if last is not None:
            before = rows.filter(
                created_at__lte=last.created_at, created_at__gt=last.created_at - OVERLAP
            )
            watch.seen |= set(before.values_list("pk", flat=True))
    rows = rows.filter(created_at__gt=watch.floor - OVERLAP).exclude(pk__in=watch.seen)
    fresh = list(rows.with_turns().order_by("created_at", "id")[:AT_ONCE])
    watch.seen |= {each.pk for each in fresh}
    if fresh:
        watch.floor = max(watch.floor, fresh[-1].created_at)
    return fresh


def desk_state(caller: SocketCaller) -> str | None:
    """Return what differs whenever a queue has changed; None for whoever answers in no space."""
    user = user_of(caller)
    if user is None or not caller.has_scope(Scope.CHAT):
        return None
    if not Space.objects.editable_by(user).exists():
        return None
    rows: Any = Handoff.objects.visible_to(user).open().with_newest().order_by("pk")
    parts = rows.values_list("pk", "status", "operator", "newest_at")
    return "\n".join(str(each) for each in parts)
