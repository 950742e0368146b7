"""Writing many nodes at once: the rows of a bulk call, created or matched by their external id."""

import copy
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from knowledge.access import role_of
from knowledge.choices import NodeStatus
from knowledge.kinds import metadata_faults
from knowledge.models import Node, Space
from knowledge.node_fields import NodeChanges, fields_set
from knowledge.types import Origin
from knowledge.writing import nodes_insert, nodes_write, statuses_write
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import ApiError, Forbidden, Invalid

MAX_ROWS = 1000
PATHS = "nodes"


def rows_check(user: User, space: Space, rows: Sequence[Mapping[str, Any]]) -> list[Node]:
    """Try every row without storing any; return the nodes as they would be.

    Raises Invalid whose details map the numbers of the rows at fault to what is wrong with them.
    """
    if not 0 < len(rows) <= MAX_ROWS:
        message = _("Between 1 and %(count)s nodes can be sent at once.") % {"count": MAX_ROWS}
        raise Invalid(message, field=PATHS)
    known = _known(space, rows)
    role = role_of(user, space)
    problems: dict[str, Any] = {}
    seen: set[str] = set()
    tried: dict[int, Node] = {}
    for number, row in enumerate(rows):
        try:
            external_id = row.get("external_id")
            if external_id and external_id in seen:
                message = _("The external id occurs twice.")
                raise Invalid(message, field="external_id")
            seen.add(external_id or "")
            tried[number] = _applied(space, row, known.get(external_id or ""), user, role)
        except ApiError as error:
            problems[str(number)] = {error.field or "status": [error.message]}
    faults = metadata_faults(list(tried.values()))
    for place, number in enumerate(tried):
        if place in faults:
            problems[str(number)] = {"metadata": faults[place].details["metadata"]}
    if problems:
        message = _("%(count)s of the nodes cannot be stored.") % {"count": len(problems)}
        raise Invalid(message, field=PATHS, details=problems)
    return list(tried.values())


def rows_write(
    user: User,
    space: Space,
    rows: Sequence[Mapping[str, Any]],
    *,
    ids: Sequence[uuid.UUID] | None = None,
    tried: Sequence[Node] | None = None,
    reason: str = "",
    origin: Origin | None = None,
) -> list[Node]:
    """Create or update the rows' nodes in the caller's transaction; return them in order.

    New nodes get `ids` where given: a repetition with the same ids leaves them as they are. `tried`
    is what `rows_check` returned for the same rows, which then need not be applied again. A row
    without a status keeps that of its node; a new one is published where the role allows it, and
    in review otherwise. Raises Invalid, Forbidden, Conflict.
    """
    role = role_of(user, space)
    known = _known(space, rows, lock=True)
    made = Node.objects.in_bulk(ids) if ids else {}
    nodes: list[Node] = []
    new: list[Node] = []
    changed: list[tuple[Node, Node]] = []
    moved: dict[str, list[Node]] = defaultdict(list)
    for number, row in enumerate(rows):
        if ids and ids[number] in made:
            nodes.append(made[ids[number]])
            continue
        stored = known.get(row.get("external_id") or "")
        if tried is not None and stored is None and tried[number]._state.adding:
            node = tried[number]
            _permit(node, None, role)
        else:
            node = _applied(space, row, stored, user, role)
        nodes.append(node)
        if stored is None:
            node.pk = ids[number] if ids else node.pk
            new.append(node)
            continue
        status, node.status = node.status, stored.status
        changed.append((node, stored))
        if status != stored.status:
            moved[status].append(node)
    nodes_write(changed, author=user, reason=reason, origin=origin)
    for status, group in moved.items():
        statuses_write(group, NodeStatus(status), author=user)
    nodes_insert(new, author=user, reason=reason, origin=origin)
    return nodes


def _known(
    space: Space, rows: Sequence[Mapping[str, Any]], *, lock: bool = False
) -> dict[str, Node]:
    wanted = [row["external_id"] for row in rows if row.get("external_id")]
    found = Node.objects.filter(space=space, external_id__in=wanted).order_by("pk")
    if lock:
        found = found.select_for_update(no_key=True)
    return {str(node.external_id): node for node in found}


def _applied(
    space: Space, row: Mapping[str, Any], stored: Node | None, user: User, role: Role | None
) -> Node:
    """Return the node as it would be with the row's values."""
    values: NodeChanges = {**row}  # type: ignore[typeddict-item]  # checked by fields_set
    curates = role is not None and role >= Role.CURATOR
    status = values.pop("status", None)
    if stored is None:
        node = Node(space=space, owner=user, language=space.language)
        node.status = status or (NodeStatus.PUBLISHED if curates else NodeStatus.IN_REVIEW)
        values = {"title": "", **values}
    else:
        node = copy.copy(stored)
        node.status = status or stored.status
    _permit(node, stored, role)
    fields_set(node, values)
    return node


def _permit(node: Node, stored: Node | None, role: Role | None) -> None:
    """Raise Forbidden where a role may not give a node its new status."""
    curates = role is not None and role >= Role.CURATOR
    settled = {NodeStatus.PUBLISHED, NodeStatus.ARCHIVED}
    if (
        role is None
        or role < Role.EDITOR
        or (
            not curates
            and (node.status in settled or (stored is not None and stored.status in settled))
        )
    ):
        raise Forbidden(_("Your role in the space does not allow this status."), field="status")
