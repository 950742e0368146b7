"""Writing nodes: the row, its version, its links and the news of it, in the caller's transaction.

Who may do it is decided above, in the services and jobs that call this.
"""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict, cast

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Field
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import PUBLISHED_TAG
from knowledge.choices import NodeStatus
from knowledge.linking import link_names, links_resolve, links_sync
from knowledge.models import Node, NodeVersion
from knowledge.versions import CONTENT_FIELDS, checksum_of, shift_anchors, state_of
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict, Invalid
from project.tracing import current_trace_id

BOOKKEEPING_FIELDS = ("owner", "review_due", "external_id")
TIMES = ("valid_from", "valid_until", "review_due")
MAX_CONTENT = 10_000_000  # characters
MAX_TAGS = 100
BATCH = 500


class NodeFields(TypedDict, total=False):
    """What a caller may set on a node."""

    kind: str
    title: str
    content: str
    language: str
    tags: list[str]
    metadata: dict[str, Any]
    valid_from: datetime.datetime | None
    valid_until: datetime.datetime | None
    owner: User | None
    review_due: datetime.date | None
    external_id: str | None


class NodeChanges(NodeFields, total=False):
    """What an update may change: the fields, and the status."""

    status: str


def fields_set(node: Node, fields: NodeFields) -> None:
    """Put cleaned values on a node. Raises Invalid naming the field at fault."""
    values: dict[str, Any] = {**fields}
    unknown = set(values) - set(CONTENT_FIELDS) - set(BOOKKEEPING_FIELDS)
    if unknown:
        name = min(unknown)
        message = _("A node has no field “%(name)s” to set.") % {"name": name}
        raise Invalid(message, code="unknown_field", field=name)
    if "tags" in values:
        values["tags"] = list(dict.fromkeys(tag.strip() for tag in values["tags"] if tag.strip()))
    if "title" in values:
        values["title"] = " ".join(values["title"].split())
    if "external_id" in values:
        values["external_id"] = values["external_id"] or None
    for name in TIMES:
        if isinstance(values.get(name), str):
            values[name] = _time(name, values[name])
    for name, value in values.items():
        setattr(node, name, value)
    _check(node, values)


def _time(name: str, text: str) -> Any:
    """Return the date or time that a bulk row gives as text, UTC where it names no zone."""
    try:
        value = cast("Field", Node._meta.get_field(name)).to_python(text)
    except ValidationError as error:
        raise Invalid(error.messages[0], field=name) from None
    if isinstance(value, datetime.datetime) and timezone.is_naive(value):
        return value.replace(tzinfo=datetime.UTC)
    return value


def _check(node: Node, values: dict[str, Any]) -> None:
    for name in values:
        if _has_nul(values[name]):
            message = _("The character U+0000 cannot be stored.")
            raise Invalid(message, field=name)
    if len(node.content) > MAX_CONTENT:
        message = _("A node holds at most %(count)s characters.") % {"count": MAX_CONTENT}
        raise Invalid(message, code="too_long", field="content")
    if len(node.tags) > MAX_TAGS:
        message = _("A node has at most %(count)s tags.") % {"count": MAX_TAGS}
        raise Invalid(message, field="tags")
    if not isinstance(node.metadata, dict):
        raise Invalid(_("Metadata is a JSON object."), field="metadata")
    if node.valid_from and node.valid_until and node.valid_until <= node.valid_from:
        raise Invalid(_("The validity must end after it begins."), field="valid_until")
    checked = {"kind", "title", "language", "tags", "external_id"}
    try:
        node.clean_fields(exclude={f.name for f in Node._meta.fields} - checked)
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return any(_has_nul(each) for each in value)
    return False


def nodes_insert(nodes: Sequence[Node], *, author: User | None, reason: str = "") -> None:
    """Store new nodes as version 1. Raises Conflict when an external id is taken."""
    now = timezone.now()
    for node in nodes:
        node.version = 1
        node.checksum = checksum_of(node)
        node.wiki_links = link_names(node.content)
        node.published_at = now if node.status == NodeStatus.PUBLISHED else None
    with _taken_ids_are_conflicts():
        Node.objects.bulk_create(nodes, batch_size=BATCH)
    _versions_insert(nodes, author=author, reason=reason, kind="+")
    links_sync(nodes, author=author)
    links_resolve(nodes, author=author)
    for node in nodes:
        announce("created", node, author)
        if node.status == NodeStatus.PUBLISHED:
            announce("published", node, author)


def node_write(
    node: Node,
    before: Node,
    *,
    author: User | None,
    reason: str = "",
    anchors: list[Any] | None = None,
    merged_from: int | None = None,
) -> bool:
    """Store the new values of a locked node; return whether they made a version.

    `before` holds the stored values. Page spans move along with the text unless `anchors` gives
    them. The version's parents are the stored version and, where it is another, `merged_from`.
    Raises Conflict when the external id is taken.
    """
    is_new_version = state_of(node) != state_of(before)
    has_new_name = (node.title, node.external_id) != (before.title, before.external_id)
    has_bookkeeping = any(
        getattr(node, name) != getattr(before, name)
        for name in ("owner_id", "review_due", "external_id")
    )
    if not is_new_version and not has_bookkeeping:
        return False
    if is_new_version:
        node.anchors = (
            shift_anchors(before.content, node.content, before.anchors)
            if anchors is None
            else anchors
        )
        node.version = before.version + 1
        node.checksum = checksum_of(node)
        node.wiki_links = link_names(node.content)
    with _taken_ids_are_conflicts():
        node.save_without_historical_record()  # type: ignore[attr-defined]  # added by its history
    if is_new_version:
        merged = [merged_from] if merged_from not in (None, before.version) else []
        _versions_insert([node], author=author, reason=reason, kind="~", merged=merged)
    if node.wiki_links != before.wiki_links:
        links_sync([node], author=author)
    if has_new_name:
        links_resolve([node], author=author)
    announce("updated", node, author)
    return is_new_version


def status_write(node: Node, status: NodeStatus, *, author: User | None) -> None:
    """Move a locked node to another status. The text stays the same, and so does its version."""
    now = timezone.now()
    node.status = status
    node.updated_at = now
    if status == NodeStatus.PUBLISHED:
        node.published_at = now
    Node.objects.filter(pk=node.pk).update(
        status=status, updated_at=now, published_at=node.published_at
    )
    if status == NodeStatus.PUBLISHED:
        current = NodeVersion.objects.select_for_update().get(id=node.pk, version=node.version)
        if PUBLISHED_TAG not in current.version_tags:
            current.version_tags = [*current.version_tags, PUBLISHED_TAG]
            current.save(update_fields=["version_tags"])
    if status in {NodeStatus.PUBLISHED, NodeStatus.ARCHIVED}:
        announce(str(status), node, author)
    else:
        announce("updated", node, author)


def node_remove(node: Node, *, author: User | None, reason: str = "") -> None:
    """Delete a locked node. Its versions stay; a last one says who deleted it, and why."""
    pk, last = node.pk, node.version
    announce("deleted", node, author)
    node.version = last + 1
    node._history_user, node._change_reason = author, reason  # type: ignore[attr-defined]
    node.delete()
    NodeVersion.objects.filter(id=pk, version=last + 1).update(
        parents=[last], trace_id=current_trace_id()
    )


def announce(what: str, node: Node, author: User | None) -> None:
    """Write the event `knowledge.node.<what>`."""
    emit(
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


def _versions_insert(
    nodes: Sequence[Node],
    *,
    author: User | None,
    reason: str,
    kind: str,
    merged: Sequence[int] = (),
) -> None:
    now, trace_id = timezone.now(), current_trace_id()
    names = [field.attname for field in NodeVersion.tracked_fields]
    NodeVersion.objects.bulk_create(
        [
            NodeVersion(
                history_date=now,
                history_type=kind,
                history_relation_id=node.pk,
                history_user=author,
                history_change_reason=reason,
                parents=[node.version - 1, *merged] if node.version > 1 else [],
                trace_id=trace_id,
                version_tags=[PUBLISHED_TAG] if node.status == NodeStatus.PUBLISHED else [],
                **{name: getattr(node, name) for name in names},
            )
            for node in nodes
        ],
        batch_size=BATCH,
    )


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
