"""The sockets and streams of chat that this process has open, and which of them must end.

A person may read an answer as long as the conversation is theirs and, while words of it arrive,
as long as they may read the space that it asks.
"""

import asyncio
import uuid
import weakref
from collections.abc import Sequence

from chat.choices import FINAL_STATUSES
from chat.models import Conversation, Turn
from knowledge.models import Space
from project.accounts.connections import Connection, Connections, Seen, callers_gone
from project.accounts.models import User
from project.http.sockets import NOT_YOURS

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


def may_follow(user: User, turn: Turn) -> bool:
    """Whether the events of a turn may be sent to its owner: not while it reads a closed space."""
    space_id = turn.conversation.space_id
    if space_id is None or turn.status in FINAL_STATUSES:
        return True
    return Space.objects.visible_to(user).filter(pk=space_id).exists()


def _to_be_cut(seen: Sequence[Seen]) -> dict[Connection, int]:
    lost = callers_gone(seen)
    rows = Conversation.objects.filter(pk__in={each.subject for each, _caller in seen})
    known = {pk: (user, space) for pk, user, space in rows.values_list("pk", "user", "space")}
    reading: dict[int, dict[uuid.UUID, list[Connection]]] = {}
    for connection, caller in seen:
        if connection in lost or connection.subject is None:
            continue
        user_id, space_id = known.get(connection.subject, (None, None))
        if user_id != caller.user_id:
            lost[connection] = NOT_YOURS
        elif connection.is_reading and space_id is not None:
            reading.setdefault(caller.user_id, {}).setdefault(space_id, []).append(connection)
    for user in User.objects.filter(pk__in=reading):
        spaces = reading[user.pk]
        readable = Space.objects.visible_to(user).filter(pk__in=spaces)
        for space_id in spaces.keys() - set(readable.values_list("pk", flat=True)):
            lost.update(dict.fromkeys(spaces[space_id], NOT_YOURS))
    return lost
