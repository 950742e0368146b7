"""Who may do what in a space: the checks that every write begins with."""

import uuid
from typing import Any

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from knowledge.models import IngestJob, Node, NodeVersion, Publication, Space, SpaceRole, VersionTag
from knowledge.querysets import Reader
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Forbidden, NotFound


def not_found() -> NotFound:
    """Return the one answer for what is absent and for what is not the caller's to see."""
    return NotFound(_("There is no such object, or it is not yours to see."))


def role_of(user: Reader, space: Space) -> Role | None:
    """Return the highest role that `user` has in a space through groups; None for none."""
    if not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        return Role.MANAGER
    held = SpaceRole.objects.filter(space=space, group__user=user).aggregate(held=Max("role"))
    return Role(held["held"]) if held["held"] is not None else None


def role_require(user: Reader, space: Space, role: Role) -> None:
    """Raise NotFound for a space that `user` cannot see, Forbidden below `role` in it."""
    held = role_of(user, space)
    if held is not None and held >= role:
        return
    if not Space.objects.visible_to(user).filter(pk=space.pk).exists():
        raise not_found()
    message = _("This needs the role “%(role)s” in the space “%(space)s”.")
    raise Forbidden(message % {"role": role.label, "space": space.name}, code="role_needed")


def space_for_writing(pk: uuid.UUID) -> Space | None:
    """Return a space by its id for a write that begins with `role_require`, the gate of writes.

    Of its fields only those that a write needs are loaded: building the query for all of them takes
    longer than many a write.
    """
    names = ("id", "name", "slug", "language")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, slug, language FROM knowledge_space WHERE id = %s", [pk])
        row = cursor.fetchone()
    return None if row is None else Space.from_db(connection.alias, names, row)


def job_author(job: IngestJob, role: Role = Role.EDITOR) -> User:
    """Return who asked for a job. Raises NotFound or Forbidden when they may not write any more."""
    if job.created_by is None:
        raise NotFound(_("The user who asked for the job is gone."))
    role_require(job.created_by, job.space, role)
    return job.created_by


def node_lock(user: Reader, node: Node, *, role: Role | None = None) -> Node:
    """Return the stored row of a node, locked against other writers, for a user who may edit it.

    Without `role`, editors may change drafts and texts in review, curators everything. Raises
    NotFound and Forbidden.
    """
    row = Node.objects.visible_to(user).select_for_update(no_key=True).filter(pk=node.pk).first()
    if row is None:
        raise not_found()
    is_open = row.status in {NodeStatus.DRAFT, NodeStatus.IN_REVIEW}
    role_require(user, row.space, role or (Role.EDITOR if is_open else Role.CURATOR))
    return row


def node_versions_visible_to(user: Reader, node: Node) -> Any:
    """Return the versions that `user` may open of a node they see, newest first.

    Editors may open all, others those that were public at some time.
    """
    rows = NodeVersion.objects.filter(id=node.pk).exclude(history_type="-").order_by("-version")
    role = role_of(user, node.space)
    if role is not None and role >= Role.EDITOR:
        return rows
    return rows.filter(version__in=versions_public(node))


def versions_public(node: Node) -> Any:
    """Return the numbers of the versions of a node that were public at some time."""
    return Publication.objects.filter(node_id=node.pk).values_list("version", flat=True)


def versions_tagged(node_id: uuid.UUID) -> dict[int, list[str]]:
    """Return the tags of each version of a node that has any."""
    tags: dict[int, list[str]] = {}
    rows = VersionTag.objects.filter(node_id=node_id).order_by("name")
    for version, name in rows.values_list("version", "name"):
        tags.setdefault(version, []).append(name)
    return tags
