"""The gates of search as SQL, made once: making it takes ten times as long as asking it.

What `Space.objects.visible_to` and `Node.objects.searchable_by` say of a reader depends on four
facts, the reader's id, and the time; the last two are parameters, filled in for each search.
"""

from __future__ import annotations

import datetime
import functools
import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone

from knowledge.models import Node, Space
from knowledge.querysets import Reader
from project.accounts.models import User

Sql = tuple[str, tuple[Any, ...]]

_ANYBODY = -1
"""Stands for the id of whoever reads."""
_NOW = object()
"""Stands for the time: the gates know no other moment."""


def spaces_gate(user: Reader) -> Sql:
    """Return the SELECT of the ids of the spaces that a user may read, with its parameters."""
    return _filled(_spaces(*_facts(user)), user)


def nodes_gate(user: Reader, space_ids: Sequence[uuid.UUID]) -> Sql:
    """Return that of the ids of the nodes of some spaces that search may use for a user."""
    sql, parameters = _filled(_nodes(*_facts(user)), user)
    return f'{sql} AND "knowledge_node"."space_id" = ANY(%s)', (*parameters, [*space_ids])


def _facts(user: Reader) -> tuple[bool, bool, bool, bool]:
    """Return all that a gate asks of a user, the id aside."""
    is_guest = isinstance(user, User) and user.is_guest
    is_known = bool(user.is_authenticated)
    return is_known, bool(user.is_active), bool(user.is_superuser), is_guest


def _filled(gate: Sql, user: Reader) -> Sql:
    sql, parameters = gate
    now = timezone.now()
    values = (user.pk if each == _ANYBODY else now if each is _NOW else each for each in parameters)
    return sql, tuple(values)


@functools.cache
def _spaces(*facts: bool) -> Sql:
    return _made(Space.objects.visible_to(_anybody(*facts)))


@functools.cache
def _nodes(*facts: bool) -> Sql:
    return _made(Node.objects.searchable_by(_anybody(*facts)))


def _anybody(is_known: bool, is_active: bool, is_superuser: bool, is_guest: bool) -> Reader:  # noqa: FBT001
    if is_guest:
        return User(pk=_ANYBODY, is_active=is_active, is_guest=True)
    if not is_known:
        return AnonymousUser()
    return User(pk=_ANYBODY, is_active=is_active, is_superuser=is_superuser)


def _made(rows: QuerySet[Any]) -> Sql:
    sql, parameters = rows.order_by().values("pk").query.sql_with_params()
    return sql, tuple(_NOW if isinstance(each, datetime.datetime) else each for each in parameters)
