"""Writes of nodes. Editors write drafts and submit them; curators publish, archive and edit
what is published; managers delete."""

import copy
from collections.abc import Sequence
from typing import Unpack, cast

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge import tasks
from knowledge.access import node_lock, role_require
from knowledge.bulk import rows_check, rows_write
from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.indexing import unindex_node
from knowledge.models import Node, NodeVersion, Space
from knowledge.node_fields import NodeChanges, NodeFields, fields_set
from knowledge.types import Origin
from knowledge.versions import CONTENT_FIELDS
from knowledge.writing import node_remove, node_write, nodes_insert, status_write
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Conflict, Invalid


@transaction.atomic
def node_create(
    *,
    acting_user: User,
    space: Space,
    status: str = NodeStatus.DRAFT,
    reason: str = "",
    **fields: Unpack[NodeFields],
) -> Node:
    """Store a new node as version 1 and return it; `status="published"` publishes it at once.

    Raises NotFound, Forbidden, Invalid, and Conflict for a taken external id.
    """
    role_require(acting_user, space, _role_for_new(status))
    node = Node(space=space, status=status, owner=acting_user, language=space.language)
    fields_set(node, {"title": "", **fields})
    nodes_insert([node], author=acting_user, reason=reason)
    _index_after_commit(node)
    return node


@transaction.atomic
def node_update(
    *,
    acting_user: User,
    node: Node,
    expected_version: int | None = None,
    merged_from: int | None = None,
    reason: str = "",
    **changes: Unpack[NodeChanges],
) -> Node:
    """Change a node and return its stored row; only a change of the text or its facts is a version.

    `merged_from` is the version that the edit began from when it was merged with the expected one;
    the new version has both for parents. Raises NotFound, Forbidden, Invalid, and Conflict
    (`version_conflict`, with the current version in its details) when `expected_version` is not
    the stored one: `knowledge.stale_writes` then says what the merge would be.
    """
    row = node_lock(acting_user, node)
    _version_require(row, expected_version)
    _merge_require(row, merged_from, expected_version)
    status = changes.pop("status", row.status)
    before = copy.copy(row)
    fields_set(row, cast("NodeFields", changes))
    node_write(row, before, author=acting_user, reason=reason, merged_from=merged_from)
    if status != row.status:
        return _status_set(acting_user, row, NodeStatus(status))
    _index_after_commit(row)
    return row


@transaction.atomic
def node_submit(*, acting_user: User, node: Node) -> Node:
    """Hand a draft in for review. Raises NotFound, Forbidden, Conflict."""
    return _status_set(acting_user, node_lock(acting_user, node), NodeStatus.IN_REVIEW)


@transaction.atomic
def node_publish(*, acting_user: User, node: Node, expected_version: int | None = None) -> Node:
    """Publish a node; search finds it once it is indexed. Raises NotFound, Forbidden, Conflict."""
    row = node_lock(acting_user, node, role=Role.CURATOR)
    _version_require(row, expected_version)
    return _status_set(acting_user, row, NodeStatus.PUBLISHED)


@transaction.atomic
def node_archive(*, acting_user: User, node: Node, expected_version: int | None = None) -> Node:
    """Take a node out of use; search forgets it at once. Raises NotFound, Forbidden, Conflict."""
    row = node_lock(acting_user, node, role=Role.CURATOR)
    _version_require(row, expected_version)
    return _status_set(acting_user, row, NodeStatus.ARCHIVED)


@transaction.atomic
def node_revert(
    *,
    acting_user: User,
    node: Node,
    version: int,
    reason: str = "",
    expected_version: int | None = None,
) -> Node:
    """Make a new version whose text and facts equal those of an older one.

    Raises NotFound, Forbidden, Invalid for a version that never was, Conflict.
    """
    row = node_lock(acting_user, node)
    _version_require(row, expected_version)
    old = NodeVersion.objects.filter(id=row.pk, version=version).exclude(history_type="-").first()
    if old is None:
        message = _("This node has no version %(version)s.") % {"version": version}
        raise Invalid(message, code="no_such_version", field="version")
    if old.erased_at is not None:
        message = _("Version %(version)s was erased: there is no text to go back to.")
        raise Invalid(message % {"version": version}, code="version_erased", field="version")
    before = copy.copy(row)
    for name in CONTENT_FIELDS:
        setattr(row, name, copy.deepcopy(getattr(old, name)))
    reason = reason or _("Back to version %(version)s.") % {"version": version}
    origin = Origin(VersionOrigin.REVERT)
    node_write(row, before, author=acting_user, reason=reason, anchors=old.anchors, origin=origin)
    _index_after_commit(row)
    return row


@transaction.atomic
def node_delete(
    *, acting_user: User, node: Node, expected_version: int | None = None, reason: str = ""
) -> None:
    """Delete a node with its passages and relations; its versions stay for those who cite them.

    Raises NotFound, Forbidden, Conflict.
    """
    row = node_lock(acting_user, node, role=Role.MANAGER)
    _version_require(row, expected_version)
    unindex_node(row)
    node_remove(row, author=acting_user, reason=reason)


@transaction.atomic
def nodes_upsert(
    *, acting_user: User, space: Space, rows: Sequence[NodeChanges], reason: str = ""
) -> list[Node]:
    """Create many nodes, or update those whose `external_id` is known in the space; in order.

    A new row without a status is published where the role allows it. Raises NotFound, Forbidden,
    Conflict, and Invalid whose details map the numbers of rows to what is wrong with them.
    """
    role_require(acting_user, space, Role.EDITOR)
    rows_check(acting_user, space, rows)
    nodes = rows_write(acting_user, space, rows, reason=reason)
    for node in nodes:
        _index_after_commit(node)
    return nodes


def _status_set(acting_user: User, row: Node, status: NodeStatus) -> Node:
    """Move a locked node to `status`, which the user's role allows."""
    if row.status == status:
        return row
    if NodeStatus.PUBLISHED in {row.status, status} or NodeStatus.ARCHIVED in {row.status, status}:
        role_require(acting_user, row.space, Role.CURATOR)
    was_published = row.status == NodeStatus.PUBLISHED
    status_write(row, status, author=acting_user)
    if was_published:
        unindex_node(row)
    _index_after_commit(row)
    return row


def _role_for_new(status: str) -> Role:
    if status == NodeStatus.PUBLISHED:
        return Role.CURATOR
    if status in {NodeStatus.DRAFT, NodeStatus.IN_REVIEW}:
        return Role.EDITOR
    message = _("A new node is a draft, in review or published.")
    raise Invalid(message, field="status")


def _version_require(row: Node, expected: int | None) -> None:
    if expected is None or expected == row.version:
        return
    message = _("The node was changed meanwhile: version %(current)s is current.")
    raise Conflict(
        message % {"current": row.version},
        code="version_conflict",
        field="version",
        details={"current": row.version},
    )


def _merge_require(row: Node, merged_from: int | None, expected: int | None) -> None:
    """Raise Invalid for a merge of a version that never was, or with one that is not named."""
    if merged_from is None:
        return
    if expected is None:
        message = _("A merge must say which version it was merged with.")
        raise Invalid(message, field="version")
    versions = NodeVersion.objects.filter(id=row.pk, version=merged_from)
    if merged_from > row.version or not versions.exists():
        message = _("This node has no version %(version)s.") % {"version": merged_from}
        raise Invalid(message, code="no_such_version", field="merged_from")


def _index_after_commit(node: Node) -> None:
    if node.status == NodeStatus.PUBLISHED and node.indexed_version != node.version:
        send_after_commit(tasks.node_index, str(node.pk))
