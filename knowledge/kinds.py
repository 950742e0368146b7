"""Which schema the metadata of a node must fit, checked in every write.

Whoever writes nodes of a kind holds a shared lock on its name to the end of the transaction;
whoever changes the schema of a kind holds it alone. So a schema that is in force holds for every
stored node, whichever of two that run at once commits first. The lock comes after those of the
nodes' rows, in both.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.access import role_require
from knowledge.metadata.schemas import MetadataSchema, Problem, schema_of
from knowledge.models import Kind, Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Forbidden, Invalid
from project.locks import lock_key

Key = tuple[uuid.UUID, str]
"""A space and the name of a kind."""


def kinds_of(keys: Iterable[Key]) -> dict[Key, Kind]:
    """Return the kind of each space and name that has one; a space's own goes first."""
    wanted = set(keys)
    if not wanted:
        return {}
    spaces, names = {space for space, _name in wanted}, {name for _space, name in wanted}
    rows = Kind.objects.filter(Q(space__in=spaces) | Q(space=None), name__in=names)
    known = {(row.space_id, row.name): row for row in rows}
    found = {key: known.get(key) or known.get((None, key[1])) for key in wanted}
    return {key: kind for key, kind in found.items() if kind is not None}


def kind_of(space_id: uuid.UUID, name: str) -> Kind | None:
    """Return the kind that nodes of a space with this name have, if there is one."""
    return kinds_of([(space_id, name)]).get((space_id, name))


def nodes_of(kind: Kind) -> QuerySet[Node]:
    """Return the nodes of a kind: those of its space, or of all spaces without one of their own."""
    rows = Node.objects.filter(kind=kind.name)
    if kind.space_id is not None:
        return rows.filter(space=kind.space_id)
    own = Kind.objects.filter(name=kind.name).exclude(space=None)
    return rows.exclude(space__in=own.values("space"))


def kind_permit(user: User, space: Space | None) -> None:
    """Raise Forbidden or NotFound unless `user` may change the kinds of a space, or of all."""
    if space is not None:
        role_require(user, space, Role.MANAGER)
    elif not user.is_superuser:
        raise Forbidden(_("Only superusers change kinds of all spaces."))


def metadata_faults(nodes: Sequence[Node]) -> dict[int, Invalid]:
    """Return what is wrong with the metadata of nodes, by their place in the list.

    The nodes need not be stored. Two statements at most, however many nodes there are.
    """
    kinds = kinds_of((node.space_id, node.kind) for node in nodes)
    schemas: dict[Any, MetadataSchema | None] = {
        kind.pk: schema_of(kind.metadata_schema) for kind in kinds.values()
    }
    faults: dict[int, Invalid] = {}
    for number, node in enumerate(nodes):
        kind = kinds.get((node.space_id, node.kind))
        schema = schemas[kind.pk] if kind is not None else None
        problems = schema.problems_of(node.metadata) if schema is not None else []
        if kind is not None and problems:
            faults[number] = metadata_invalid(kind, problems)
    return faults


def metadata_require(nodes: Sequence[Node]) -> None:
    """Raise Invalid unless the metadata of every node that is being written fits its kind.

    Holds the schemas of their kinds in place to the end of the transaction.
    """
    names = sorted({node.kind for node in nodes})
    if not names:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(key) FROM unnest(%s::bigint[]) AS key",
            [[_key(name) for name in names]],
        )
    faults = metadata_faults(nodes)
    if not faults:
        return
    number, first = next(iter(faults.items()))
    if len(nodes) == 1:
        raise first
    message = _("“%(title)s” and %(more)s more: %(why)s")
    if len(faults) == 1:
        message = _("“%(title)s”: %(why)s")
    facts = {"title": nodes[number].title, "more": len(faults) - 1, "why": first.message}
    details = {str(nodes[each].pk): fault.details for each, fault in list(faults.items())[:100]}
    raise Invalid(message % facts, code=first.code, field="metadata", details={"nodes": details})


def kind_lock(name: str) -> None:
    """Wait until nobody writes nodes of a kind, and keep it so to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key(name)])


def metadata_invalid(kind: Kind, problems: Sequence[Problem]) -> Invalid:
    """Return the refusal of metadata; its details hold the messages by path."""
    by_path: dict[str, list[str]] = {}
    for problem in problems:
        by_path.setdefault(problem.path or "$", []).append(problem.message)
    more = len(by_path) - 1
    message = str(problems[0])
    if more:
        message += " " + ngettext("(and one more field)", "(and %(count)s more fields)", more) % {
            "count": more
        }
    details = {"metadata": by_path, "kind": kind.name, "schema_version": kind.schema_version}
    return Invalid(message, code="metadata_invalid", field="metadata", details=details)


def _key(name: str) -> int:
    return lock_key(f"kind:{name}")
