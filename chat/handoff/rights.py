"""Whether whoever follows a handoff or a queue over a socket still may: all of them at once."""

import uuid
from collections import defaultdict
from collections.abc import Sequence

from chat.models import Handoff
from knowledge.models import Space
from project.accounts.connections import Connection, Seen
from project.accounts.models import User
from project.http.sockets import NOT_SIGNED_IN, NOT_YOURS

PERSON, OPERATOR, DESK = "person", "operator", "desk"
"""What a connection is: of who asked, of who answers, of who watches the queues."""


def handoffs_gone(seen: Sequence[Seen]) -> dict[Connection, int]:
    """Return the connections that follow what is not their caller's (any more).

    A query for all who asked, one for all operators, and one or two for each operator.
    """
    followed = [(each, caller.user_id) for each, caller in seen if each.kind]
    if not followed:
        return {}
    asked: set[uuid.UUID] = set()
    watched: dict[int, set[uuid.UUID]] = defaultdict(set)
    for each, user in followed:
        if each.subject is not None:
            (watched[user] if each.kind == OPERATOR else asked).add(each.subject)
    askers = dict(Handoff.objects.filter(pk__in=asked).values_list("pk", "conversation__user"))
    people = User.objects.in_bulk({user for each, user in followed if each.kind != PERSON})
    held = {user: _held(people.get(user), wanted) for user, wanted in watched.items()}
    at_desk = {user for each, user in followed if each.kind == DESK and _answers(people.get(user))}
    gone = {}
    for each, user in followed:
        if each.subject is None:
            is_theirs = user in at_desk
        elif each.kind == PERSON:
            is_theirs = askers.get(each.subject) == user
        else:
            is_theirs = each.subject in held[user]
        if not is_theirs:
            # Who was deactivated since the sign-in was looked at has no rights either.
            person = people.get(user)
            is_over = person is not None and not person.is_active
            gone[each] = NOT_SIGNED_IN if is_over else NOT_YOURS
    return gone


def _answers(user: User | None) -> bool:
    return user is not None and Space.objects.editable_by(user).exists()


def _held(user: User | None, wanted: set[uuid.UUID]) -> set[uuid.UUID]:
    if user is None:
        return set()
    rows = Handoff.objects.visible_to(user).filter(pk__in=wanted)
    return set(rows.values_list("pk", flat=True))
