"""New bytes for a source that is known: new versions of the nodes that it became.

1. The new document is divided as any other; its parts are matched to the nodes that are there.
2. A node that nobody touched since its last import takes the new text. One that was edited here is
   merged three-way with that import as the base. Where both changed the same place, or the import
   may not write to what is published, the node stays and the new text waits as a proposal.
3. New parts become nodes; those that the document has no more are archived. Old versions, and what
   cites them, stay.

All of it becomes visible in one transaction, with its passages (`knowledge.ingestion`).
"""

import copy
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.access import not_found, role_of, role_require
from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.documents import PART_OF
from knowledge.import_proposals import Waiting, import_propose
from knowledge.indexing import unindex_node
from knowledge.merging.nodes import merge_nodes
from knowledge.models import FeedItem, IngestJob, Node, NodeVersion, Relation, Source, Space
from knowledge.node_fields import NodeFields, fields_set
from knowledge.part_matching import Text, parts_match
from knowledge.relation_writing import relations_insert
from knowledge.types import Origin
from knowledge.versions import Anchor, shift_anchors, state_of
from knowledge.writing import nodes_insert, nodes_write, statuses_write
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Invalid

LONGEST_CHAIN = 10_000
IMPORTED = ("title", "content", "language", "tags", "metadata")
_OPEN = {NodeStatus.DRAFT, NodeStatus.IN_REVIEW}


class NodesMoved(Exception):
    """Somebody wrote to the nodes while the new text was prepared: it is to be done again."""


@dataclass(slots=True)
class Replacement:
    """What becomes of the nodes of a source: pairs of new and stored values, and the rest."""

    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    anchors: dict[uuid.UUID, list[Anchor]] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    made: list[Node] = field(default_factory=list)
    left: list[Node] = field(default_factory=list)
    order: list[uuid.UUID] = field(default_factory=list)
    to_index: list[Node] = field(default_factory=list)
    restores: bool = False


def replaceable_require(user: User, space: Space, source: Source) -> Source:
    """Return the newest successor of a source, whose nodes a user may give new versions.

    Raises NotFound, Forbidden, and Invalid for a source of another space.
    """
    row = Source.objects.visible_to(user).filter(pk=source.pk).first()
    if row is None:
        raise not_found()
    if row.space_id != space.pk:
        raise Invalid(_("That source belongs to another space."), field="replaces")
    newest = source_newest(row)
    if any(node.status not in _OPEN for node in _own_nodes(newest)):
        role_require(user, space, Role.CURATOR)
    return newest


def source_newest(source: Source) -> Source:
    """Return what replaced a source in the end, the source itself if nothing did."""
    for _step in range(LONGEST_CHAIN):
        later = source.replaced_by.order_by("-created_at", "pk").first()
        if later is None:
            break
        source = later
    return source


def is_superseded(source: Source) -> bool:
    """Return whether a later source has taken the nodes over already."""
    later = list(source.replaced_by.all())
    for _step in range(LONGEST_CHAIN):
        if not later:
            return False
        if Node.objects.filter(source__in=later).exists():
            return True
        later = list(Source.objects.filter(replaces__in=later))
    return False


def nodes_before(source: Source) -> list[Node]:
    """Return the nodes that a source gives new versions of; none for one that replaces nothing.

    Those that another item of a feed stands on as well are left to that one.
    """
    older = source.replaces
    for _step in range(LONGEST_CHAIN):
        if older is None:
            return []
        nodes = _own_nodes(older)
        if nodes:
            return _unshared(source, nodes)
        older = older.replaces
    return []


def source_linked(source: Source, nodes: list[uuid.UUID]) -> None:
    """Let the items of feeds that have a source for their newest know its nodes."""
    FeedItem.objects.filter(source=source).update(nodes=nodes)


def _own_nodes(source: Source) -> list[Node]:
    return list(Node.objects.filter(source=source).order_by("created_at", "pk"))


def _unshared(source: Source, nodes: list[Node]) -> list[Node]:
    """Hand over nodes on which other living items stand, and return the others."""
    others = FeedItem.objects.filter(
        nodes__overlap=[node.pk for node in nodes], gone_at=None, missing_runs=0
    ).exclude(source=None)
    mine = FeedItem.objects.filter(source=source).values_list("pk", flat=True)
    heir = others.exclude(pk__in=list(mine)).order_by("pk").first()
    if heir is None:
        return nodes
    shared = set(heir.nodes)
    Node.objects.filter(pk__in=shared & {node.pk for node in nodes}).update(source=heir.source)
    return [node for node in nodes if node.pk not in shared]


def replacement_plan(
    job: IngestJob, source: Source, planned: list[Node], before: list[Node], user: User
) -> Replacement:
    """Return what is to be written, for nodes as `documents.nodes_planned` gives them."""
    plan = Replacement(restores=bool(job.payload.get("restores")))
    role = role_of(user, job.space)
    may_write_public = role is not None and role >= Role.CURATOR
    matched = _matched(before, planned)
    old = {node.pk: node for node in before}
    for number, node in enumerate(planned):
        stored = old.get(matched[number]) if number in matched else None
        if stored is None:
            plan.made.append(node)
            plan.order.append(node.pk)
            continue
        plan.order.append(stored.pk)
        _pair(plan, stored, node, may_write=may_write_public or stored.status in _OPEN)
    kept = {stored.pk for _new, stored in plan.pairs} | {each.node.pk for each in plan.waiting}
    for stored in before:
        is_used = stored.pk not in kept and stored.status != NodeStatus.ARCHIVED
        if is_used and (may_write_public or stored.status in _OPEN):
            plan.left.append(stored)
    plan.to_index = _to_index(plan)
    return plan


def replacement_store(plan: Replacement, source: Source, *, author: User, origin: Origin) -> None:
    """Write what was planned, in the caller's transaction. Raises NodesMoved and Conflict."""
    _unmoved_require(plan)
    reason = source.filename
    for new, _stored in plan.pairs:
        new.source = source  # as their versions will name it
    nodes_write(plan.pairs, author=author, reason=reason, anchors=plan.anchors, origin=origin)
    nodes_insert(plan.made, author=author, reason=reason, origin=origin)
    if len(plan.order) > 1:
        _parts_relate(plan, author, origin)
    if plan.left:
        statuses_write(plan.left, NodeStatus.ARCHIVED, author=author)
        for node in plan.left:
            unindex_node(node)
    if plan.restores:
        away = [new for new, _old in plan.pairs if new.status == NodeStatus.ARCHIVED]
        if away:
            statuses_write(away, NodeStatus.PUBLISHED, author=author)
    Node.objects.filter(pk__in=plan.order).update(source=source)
    import_propose(author=author, space=source.space, name=source.filename, changes=plan.waiting)


def _pair(plan: Replacement, stored: Node, planned: Node, *, may_write: bool) -> None:
    """Plan the new values of a node that is there."""
    fields: dict[str, Any] = {name: getattr(planned, name) for name in IMPORTED}
    rows = NodeVersion.objects.filter(id=stored.pk, erased_at=None).exclude(history_type="-")
    imported = rows.filter(change_origin=VersionOrigin.IMPORT).order_by("-version")
    base = imported.first() or rows.order_by("version").first()
    base_version = stored.version if base is None else base.version
    base_state = state_of(stored if base is None else base)
    merge = merge_nodes(base_state, state_of(stored), {**base_state, **_plain(fields)})
    if not may_write or not merge.is_clean:
        plan.waiting.append(Waiting(stored, base_version, fields))
        return
    new = copy.copy(stored)
    fields_set(new, NodeFields(**{name: merge.state[name] for name in IMPORTED}))  # type: ignore[typeddict-item]
    plan.pairs.append((new, stored))
    plan.anchors[stored.pk] = shift_anchors(planned.content, new.content, planned.anchors)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "tags": list(fields["tags"]), "metadata": dict(fields["metadata"])}


def _matched(before: list[Node], planned: list[Node]) -> dict[int, uuid.UUID]:
    """Return the id of the stored node for each number of a planned one that has one."""
    whole = _overview(before)
    matched = {0: whole.pk}
    parts = [node for node in before if node.pk != whole.pk]
    found = parts_match([_text(node) for node in parts], [_text(node) for node in planned[1:]])
    matched |= {number + 1: parts[other].pk for number, other in found.items()}
    return matched


def _overview(nodes: list[Node]) -> Node:
    """Return the node of the whole document: that which the others are parts of."""
    ids = [node.pk for node in nodes]
    targets = Relation.objects.filter(kind=PART_OF, source__in=ids, target__in=ids)
    wanted = targets.values_list("target", flat=True).first()
    return next((node for node in nodes if node.pk == wanted), nodes[0])


def _text(node: Node) -> Text:
    """Return a part for the matching: named by its place in the file and its first heading.

    A title of several parts ends with that heading.
    """
    place = str(node.metadata.get("entry") or "")
    heading = node.title.partition(" · ")[2].strip().casefold()
    return Text(f"{place}|{heading}" if place else heading, node.content)


def _to_index(plan: Replacement) -> list[Node]:
    """Return the nodes that search is to find, as they will be stored."""
    public = [node for node in plan.made if node.status == NodeStatus.PUBLISHED]
    for new, stored in plan.pairs:
        returns = plan.restores and new.status == NodeStatus.ARCHIVED
        if new.status != NodeStatus.PUBLISHED and not returns:
            continue
        changes = state_of(new) != state_of(stored)
        if changes or returns:
            shown = copy.copy(new)
            shown.version = stored.version + int(changes)
            shown.anchors = plan.anchors[stored.pk]
            public.append(shown)
    return public


def _unmoved_require(plan: Replacement) -> None:
    """Lock the nodes; raise NodesMoved when one is not any more what the plan was made from."""
    planned = [stored for _new, stored in plan.pairs]
    planned += plan.left + [each.node for each in plan.waiting]
    rows = (
        Node.objects.filter(pk__in=[node.pk for node in planned])
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", "version", "status")
    )
    now = {pk: (version, status) for pk, version, status in rows}
    if any(now.get(node.pk) != (node.version, node.status) for node in planned):
        raise NodesMoved


def _parts_relate(plan: Replacement, author: User, origin: Origin) -> None:
    whole, *parts = plan.order
    made = {node.pk for node in plan.made}
    wanted = parts if whole in made else [pk for pk in parts if pk in made]
    relations = [
        Relation(source_id=pk, target_id=whole, kind=PART_OF, created_by=author) for pk in wanted
    ]
    relations_insert(relations, author=author, origin=origin, ignore_taken=True)
