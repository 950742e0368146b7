"""The sockets and streams of chat that this process has open, and which of them must end.

A person may read an answer as long as the conversation is theirs and, while words of it arrive,
as long as they may read the space that it asks. A guest is here only as long as the space is open
to guests.
"""

import asyncio
import uuid
import weakref
from collections.abc import Sequence

from django.utils.translation import gettext as _

from chat.choices import FINAL_STATUSES
from chat.handoff.rights import handoffs_gone
from chat.models import Conversation, Turn
from knowledge.models import Space
from project.accounts.connections import Connection, Connections, Refused, Seat, Seen, callers_gone
from project.accounts.models import User
from project.accounts.ws import SocketCaller
from project.http.errors import TooMany, Unavailable
from project.http.sockets import NOT_YOURS, PROCESS_FULL

REFUSED_SECONDS = 5  # before somebody with too many streams asks again

_of_loop: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Connections]" = (
    weakref.WeakKeyDictionary()
)


def connections() -> Connections:
    """Return the connections of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _of_loop.get(loop)
    if found is None:
        found = _of_loop[loop] = Connections(_to_be_cut)
    return found


def seat_take(caller: SocketCaller) -> Seat:
    """Take a place for a stream before it begins, outside of the event loop that will serve it.

    Raises TooMany and Unavailable.
    """
    loops = list(_of_loop.values())
    # One loop serves a process; where none has a connection yet, an empty one stands for it.
    busiest = max(loops, key=len, default=None) or Connections(_to_be_cut)
    try:
        return busiest.seat(caller)
    except Refused as refused:
        if refused.code == PROCESS_FULL:
            message = _("The server has as many connections as it can hold. Try again.")
            raise Unavailable(message, code="busy", retry_after=REFUSED_SECONDS) from None
        message = _("You have too many connections open. Close a tab, or try again later.")
        code = "too_many_connections"
        raise TooMany(message, code=code, retry_after=REFUSED_SECONDS) from None


def may_follow(user: User, turn: Turn) -> bool:
    """Whether the events of a turn may be sent to its owner: not while it reads a closed space."""
    space_id = turn.conversation.space_id
    if space_id is None or turn.status in FINAL_STATUSES:
        return True
    return Space.objects.visible_to(user).filter(pk=space_id).exists()


def _to_be_cut(seen: Sequence[Seen]) -> dict[Connection, int]:
    lost = callers_gone(seen)
    lost.update(handoffs_gone(seen))
    subjects = {each.subject for each, _caller in seen if each.subject and not each.kind}
    rows = Conversation.objects.filter(pk__in=subjects)
    known = {pk: (user, space) for pk, user, space in rows.values_list("pk", "user", "space")}
    asked: dict[uuid.UUID, list[Connection]] = {}
    reading: dict[int, dict[uuid.UUID, list[Connection]]] = {}
    for connection, caller in seen:
        if connection in lost or connection.kind or connection.subject is None:
            continue
        user_id, space_id = known.get(connection.subject, (None, None))
        if user_id != caller.user_id or (caller.is_guest and space_id is None):
            lost[connection] = NOT_YOURS
        elif caller.is_guest and space_id is not None:
            asked.setdefault(space_id, []).append(connection)
        elif connection.is_reading and space_id is not None:
            reading.setdefault(caller.user_id, {}).setdefault(space_id, []).append(connection)
    if asked:  # what is open to one guest is open to all
        taking = Space.objects.open_to_guests().filter(pk__in=asked)
        for space_id in asked.keys() - set(taking.values_list("pk", flat=True)):
            lost.update(dict.fromkeys(asked[space_id], NOT_YOURS))
    for user in User.objects.filter(pk__in=reading):
        spaces = reading[user.pk]
        readable = Space.objects.visible_to(user).filter(pk__in=spaces)
        for space_id in spaces.keys() - set(readable.values_list("pk", flat=True)):
            lost.update(dict.fromkeys(spaces[space_id], NOT_YOURS))
    return lost
