"""Writing nodes: the rows, their versions, their links and the news of them.

In the caller's transaction, which holds the locks of the rows. Who may do it is decided above, in
the services and jobs that call this.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.kinds import metadata_require
from knowledge.linking import link_names, links_resolve, links_sync
from knowledge.merging.tree import is_same
from knowledge.models import Node, Relation
from knowledge.publications import publications_end, publications_follow
from knowledge.relation_writing import relations_remove
from knowledge.row_updates import rows_update
from knowledge.types import Origin
from knowledge.version_rows import NO_MERGES, version_written, versions_insert
from knowledge.versions import CONTENT_FIELDS, checksum_of, shift_anchors, state_of
from project.accounts.models import User
from project.database.rows import rows_add
from project.events.services import emit_many
from project.events.types import NewEvent
from project.http.errors import Conflict

WRITTEN_FIELDS = (
    *CONTENT_FIELDS,
    "owner_id",
    "review_due",
    "external_id",
    "anchors",
    "wiki_links",
    "version",
    "checksum",
    "updated_at",
)


def nodes_insert(
    nodes: Sequence[Node], *, author: User | None, reason: str = "", origin: Origin | None = None
) -> None:
    """Store new nodes as version 1. Raises Conflict when an external id is taken."""
    if not nodes:
        return
    metadata_require(nodes)
    now = timezone.now()
    for node in nodes:
        node.version = 1
        node.checksum = checksum_of(node)
        node.wiki_links = link_names(node.content)
        node.published_at = now if node.status == NodeStatus.PUBLISHED else None
    with _taken_ids_are_conflicts():
        rows_add(nodes)
    at = versions_insert(nodes, "+", author=author, reason=reason, origin=origin)
    publications_follow(nodes, at)
    links_sync(nodes, author=author)
    links_resolve(nodes, author=author)
    public = [node for node in nodes if node.status == NodeStatus.PUBLISHED]
    news = [("created", node) for node in nodes] + [("published", node) for node in public]
    announce_many(news, author)


def node_write(
    node: Node,
    before: Node,
    *,
    author: User | None,
    reason: str = "",
    anchors: list[Any] | None = None,
    merged_from: int | None = None,
    origin: Origin | None = None,
) -> bool:
    """Store the new values of a locked node; return whether they made a version.

    `before` holds the stored values. Page spans move along with the text unless `anchors` gives
    them. The version's parents are the stored version and, where it is another, `merged_from`.
    Raises Conflict when the external id is taken.
    """
    merges = {} if merged_from is None else {node.pk: merged_from}
    given = {} if anchors is None else {node.pk: anchors}
    written = nodes_write(
        [(node, before)],
        author=author,
        reason=reason,
        anchors=given,
        merged_from=merges,
        origin=origin,
    )
    return bool(written)


def nodes_write(
    pairs: Sequence[tuple[Node, Node]],
    *,
    author: User | None,
    reason: str = "",
    anchors: Mapping[uuid.UUID, list[Any]] | None = None,
    merged_from: Mapping[uuid.UUID, int] = NO_MERGES,
    origin: Origin | None = None,
) -> list[Node]:
    """Do the same for many: pairs of new and stored values; return those that got a version."""
    versioned, touched = [], []
    for node, before in pairs:
        if not is_same(state_of(node), state_of(before)):
            _version_raise(node, before, (anchors or {}).get(node.pk))
            versioned.append(node)
            touched.append((node, before))
        elif _bookkeeping(node) != _bookkeeping(before):
            touched.append((node, before))
    if not touched:
        return []
    if origin is None or origin.kind != VersionOrigin.MIGRATION:  # which checks the schema to come
        metadata_require(versioned)
    _rows_store(touched)
    if versioned:
        at = versions_insert(
            versioned, "~", author=author, reason=reason, origin=origin, merged_from=merged_from
        )
        publications_follow(versioned, at)
    relinked = [node for node, before in touched if node.wiki_links != before.wiki_links]
    if relinked:
        links_sync(relinked, author=author)
    renamed = [node for node, before in touched if _names(node) != _names(before)]
    if renamed:
        links_resolve(renamed, author=author)
    announce_many([("updated", node) for node, _before in touched], author)
    return versioned


def status_write(node: Node, status: NodeStatus, *, author: User | None) -> None:
    """Move a locked node to another status. The text stays the same, and so does its version."""
    statuses_write([node], status, author=author)


def statuses_write(nodes: Sequence[Node], status: NodeStatus, *, author: User | None) -> None:
    """Do the same for many."""
    now = timezone.now()
    for node in nodes:
        node.status = status
        node.updated_at = now
        if status == NodeStatus.PUBLISHED:
            node.published_at = now
    changed = {"status": status, "updated_at": now}
    if status == NodeStatus.PUBLISHED:
        changed["published_at"] = now
    Node.objects.filter(pk__in=[node.pk for node in nodes]).update(**changed)
    publications_follow(nodes, now)
    tells = status in {NodeStatus.PUBLISHED, NodeStatus.ARCHIVED}
    announce_many([(str(status) if tells else "updated", node) for node in nodes], author)


def node_remove(node: Node, *, author: User | None, reason: str = "") -> None:
    """Delete a locked node and its relations. Their versions stay; a last one says who did it."""
    announce_many([("deleted", node)], author)
    touching = Relation.objects.filter(Q(source=node) | Q(target=node)).order_by("pk")
    relations_remove(list(touching.select_for_update()), author=author, reason=reason)
    node.version += 1
    at = versions_insert([node], "-", author=author, reason=reason)
    publications_end([node.pk], at)
    with version_written(node):
        node.delete()


def announce_many(news: Sequence[tuple[str, Node]], author: User | None) -> None:
    """Write the event `knowledge.node.<what>` for each pair of what happened and to which node."""
    emit_many(
        [
            NewEvent(
                f"knowledge.node.{what}",
                {
                    "node": str(node.pk),
                    "version": node.version,
                    "status": node.status,
                    "by": author.pk if author else None,
                },
                space_id=node.space_id,
                subject_id=node.pk,
            )
            for what, node in news
        ]
    )


def _version_raise(node: Node, before: Node, anchors: list[Any] | None) -> None:
    """Give changed values their number, checksum, links and page spans."""
    if anchors is None:
        anchors = shift_anchors(before.content, node.content, before.anchors)
    node.anchors = anchors
    node.version = before.version + 1
    node.checksum = checksum_of(node)
    node.wiki_links = link_names(node.content)


def _rows_store(pairs: Sequence[tuple[Node, Node]]) -> None:
    """Store the fields that differ in any of the pairs."""
    now = timezone.now()
    for node, _before in pairs:
        node.updated_at = now
    changed = [
        name
        for name in WRITTEN_FIELDS
        if any(_differs(getattr(node, name), getattr(before, name)) for node, before in pairs)
    ]
    with _taken_ids_are_conflicts():
        rows_update([node for node, _before in pairs], changed)


def _differs(value: Any, before: Any) -> bool:
    """Return whether two values are stored differently: 1 and true are equal, but not as JSON."""
    return bool(value != before) or (isinstance(value, dict) and not is_same(value, before))


def _bookkeeping(node: Node) -> tuple[Any, ...]:
    return node.owner_id, node.review_due, node.external_id


def _names(node: Node) -> tuple[str, str | None]:
    return node.title, node.external_id


@contextmanager
def _taken_ids_are_conflicts() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "one_node_an_external_id_and_space" not in str(error):
            raise
        message = _("Another node of this space has that external id.")
        raise Conflict(message, code="external_id_taken", field="external_id") from None
