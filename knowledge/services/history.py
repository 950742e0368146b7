"""Writes of the history itself: names for versions, taking out in bulk, and erasing."""

import uuid
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge import tasks
from knowledge.access import node_lock, not_found, role_require
from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.indexing import unindex_node
from knowledge.models import Erasure, Node, NodeVersion, PreviewChunk, Space, VersionTag
from knowledge.past import passages_erase
from knowledge.relation_writing import relation_write, relations_insert, relations_remove
from knowledge.reverting import RevertPlan, Unwanted, revert_plan
from knowledge.signals import versions_erased
from knowledge.types import Origin
from knowledge.writing import node_remove, nodes_write, statuses_write
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.events.services import emit
from project.http.errors import Conflict, Invalid, NotFound

MAX_TAG = 64
MAX_REASON = 2000


@transaction.atomic
def version_tag(*, acting_user: User, node: Node, version: int, name: str) -> VersionTag:
    """Give a version of a node a name that no other version of it has. Needs an editor.

    Naming a version twice in the same way changes nothing. Raises NotFound, Forbidden, Invalid, and
    Conflict when another version has the name.
    """
    row = node_lock(acting_user, node, role=Role.EDITOR)
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_TAG:
        message = _("A tag has between 1 and %(count)s characters.") % {"count": MAX_TAG}
        raise Invalid(message, field="name")
    if "\0" in name:
        raise Invalid(_("The character U+0000 cannot be stored."), field="name")
    if (
        not NodeVersion.objects.filter(id=row.pk, version=version)
        .exclude(history_type="-")
        .exists()
    ):
        message = _("This node has no version %(version)s.") % {"version": version}
        raise Invalid(message, code="no_such_version", field="version")
    tag, _made = VersionTag.objects.get_or_create(
        node_id=row.pk, name=name, defaults={"version": version, "created_by": acting_user}
    )
    if tag.version != version:
        message = _("Version %(version)s has this tag: remove it there first.")
        details = {"version": tag.version}
        raise Conflict(message % details, code="tag_taken", field="name", details=details)
    return tag


@transaction.atomic
def version_untag(*, acting_user: User, node: Node, name: str) -> None:
    """Take a name away from the version of a node that has it. Raises NotFound and Forbidden."""
    row = node_lock(acting_user, node, role=Role.EDITOR)
    if not VersionTag.objects.filter(node_id=row.pk, name=name).delete()[0]:
        raise not_found()


@transaction.atomic
def nodes_revert(*, acting_user: User, unwanted: Unwanted, reason: str = "") -> RevertPlan:
    """Take out what an author, a proposal or an import wrote; return what became of it.

    Nodes in whose way later changes of others stand are left alone and named as conflicts. What a
    proposal archived is published again. Needs a curator. Raises NotFound, Forbidden, Invalid.
    """
    revert_permit(acting_user, unwanted)
    plan = revert_plan(unwanted, lock=True)
    origin = Origin(VersionOrigin.REVERT, unwanted.origin.id if unwanted.origin else None)
    reason = reason or _("Taken out in bulk.")
    changed = plan.of("revert")
    pairs = [(each.becomes, each.node) for each in changed if each.becomes is not None]
    anchors = {each.node.pk: each.anchors for each in changed if each.anchors is not None}
    written = nodes_write(pairs, author=acting_user, reason=reason, anchors=anchors, origin=origin)
    archived = [each.node for each in plan.of("archive")]
    was_public = [node for node in archived if node.status == NodeStatus.PUBLISHED]
    if archived:
        statuses_write(archived, NodeStatus.ARCHIVED, author=acting_user)
    for node in was_public:
        unindex_node(node)
    newest = {node.pk: node for node in written}
    again = [newest.get(node.pk, node) for node in plan.published_again]
    if again:
        statuses_write(again, NodeStatus.PUBLISHED, author=acting_user)
    relations_remove(plan.relations_removed, author=acting_user, reason=reason, origin=origin)
    relations_insert(
        plan.relations_restored,
        author=acting_user,
        reason=reason,
        origin=origin,
        ignore_taken=True,
    )
    for becomes, relation in plan.relations_changed:
        relation_write(becomes, relation, author=acting_user, reason=reason, origin=origin)
    if plan.relations_removed or plan.relations_restored or plan.relations_changed:
        Space.objects.filter(pk=unwanted.space.pk).update(index_revision=F("index_revision") + 1)
    for node in {node.pk: node for node in [*written, *again]}.values():
        if node.status == NodeStatus.PUBLISHED:
            send_after_commit(tasks.node_index, str(node.pk))
    return plan


def revert_permit(acting_user: User, unwanted: Unwanted) -> None:
    """Raise NotFound, Forbidden, or Invalid where nothing says whose versions to take out."""
    role_require(acting_user, unwanted.space, Role.CURATOR)
    if unwanted.author is None and unwanted.origin is None:
        message = _("Say whose changes: an author, a proposal or an import.")
        raise Invalid(message, field="author")
    if unwanted.since and unwanted.until and unwanted.until <= unwanted.since:
        raise Invalid(_("The end must be after the beginning."), field="until")


@transaction.atomic
def versions_erase(
    *,
    acting_user: User,
    space: Space,
    node_id: uuid.UUID,
    versions: Sequence[int] | None = None,
    reason: str,
) -> Erasure:
    """Empty versions of a node for legal reasons, for good; a tombstone with its chain stays.

    None erases the whole node: it is deleted with all that it said. The current version alone
    cannot be erased: write another one first. Apps that quote the versions empty their quotes in
    the same transaction (`knowledge.signals.versions_erased`). Needs a manager. Raises NotFound,
    Forbidden, Invalid, Conflict.
    """
    role_require(acting_user, space, Role.MANAGER)
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise Invalid(_("Say why; the reason is kept, so it must not repeat it."), field="reason")
    node = Node.objects.select_for_update().filter(pk=node_id, space=space).first()
    rows = NodeVersion.objects.filter(id=node_id, space=space)
    wanted = _erasable(node, rows, versions)
    versions_erased.send(sender=Node, node_id=node_id, versions=wanted)
    if node is not None and versions is None:
        unindex_node(node)
        node_remove(node, author=acting_user, reason=_("Erased."))
        wanted.append(max(wanted) + 1)
    _rows_empty(rows.filter(version__in=wanted, erased_at=None))
    VersionTag.objects.filter(node_id=node_id, version__in=wanted).delete()
    if node is not None and versions is not None and node.indexed_version in wanted:
        unindex_node(node)  # the current version is to take its place, and does so at once
        send_after_commit(tasks.node_index, str(node.pk))
    passages_erase((node_id, version) for version in wanted)
    if versions is None:
        PreviewChunk.objects.filter(node_id=node_id).delete()
    erasure = Erasure.objects.create(
        space=space, node_id=node_id, versions=wanted, reason=reason, erased_by=acting_user
    )
    emit(
        "knowledge.node.erased",
        {"node": str(node_id), "versions": wanted, "by": acting_user.pk},
        space_id=space.pk,
        subject_id=node_id,
    )
    return erasure


def _erasable(node: Node | None, rows: QuerySet, versions: Sequence[int] | None) -> list[int]:
    """Return the numbers to erase among the version rows of a node; None means all of them."""
    known = set(rows.values_list("version", flat=True))
    if not known:
        raise NotFound(_("There is no such object, or it is not yours to see."))
    wanted = sorted(known if versions is None else set(versions))
    if unknown := set(wanted) - known:
        message = _("This node has no version %(version)s.") % {"version": min(unknown)}
        raise Invalid(message, code="no_such_version", field="versions")
    if not wanted:
        raise Invalid(_("Name the versions to erase."), field="versions")
    if node is not None and versions is not None and node.version in wanted:
        message = _("This is the current version: save one without the text first.")
        raise Conflict(message, code="version_is_current", field="versions")
    return wanted


def _rows_empty(rows: QuerySet) -> None:
    """Empty version rows; the database's guard lets it pass for just this statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('acervo.erasing', 'on', true)")
        rows.update(
            title="",
            content="",
            tags=[],
            metadata={},
            anchors=[],
            external_id=None,
            erased_at=timezone.now(),
        )
        cursor.execute("SELECT set_config('acervo.erasing', 'off', true)")
