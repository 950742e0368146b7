"""Writes of spaces and their members. Members are kept in Django groups, one a role."""

from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from knowledge.access import role_of, role_require
from knowledge.choices import NodeStatus, Visibility
from knowledge.models import IngestJob, Node, Space, SpaceRole
from knowledge.node_fields import language_require
from knowledge.release_writing import releases_of_space_remove
from knowledge.writing import node_remove
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid


class SpaceFields(TypedDict, total=False):
    """What a caller may set on a space."""

    name: str
    slug: str
    description: str
    visibility: str
    allows_guests: bool
    language: str
    suggested_questions: list[str] | dict[str, list[str]]
    required_approvals: int
    allows_self_approval: bool
    requires_no_regression: bool
    gate_k: int
    past_vectors_days: int | None


@transaction.atomic
def space_create(
    *, acting_user: User, is_default: bool = False, **fields: Unpack[SpaceFields]
) -> Space:
    """Create a space with a group for each role, and make its creator a manager.

    Needs the permission to add spaces. Raises Forbidden, Invalid, and Conflict for a taken slug.
    """
    if not acting_user.has_perm("knowledge.add_space"):
        raise Forbidden(_("You may not create spaces."))
    space = Space(is_default=is_default)
    _fields_set(space, fields)
    space.slug = space.slug or _free_slug(space.name)
    _save(space)
    for role in Role:
        group, _made = Group.objects.get_or_create(name=group_name(space.slug, role))
        SpaceRole.objects.create(space=space, group=group, role=role)
    _join(space, acting_user, Role.MANAGER)
    return space


@transaction.atomic
def space_update(*, acting_user: User, space: Space, **changes: Unpack[SpaceFields]) -> Space:
    """Change a space and return its stored row. Raises NotFound, Forbidden, Invalid, Conflict."""
    role_require(acting_user, space, Role.MANAGER)
    row = Space.objects.select_for_update(no_key=True).get(pk=space.pk)
    old_slug = row.slug
    _fields_set(row, changes)
    _save(row)
    if row.slug != old_slug:
        for role in Role:
            Group.objects.filter(name=group_name(old_slug, role)).update(
                name=group_name(row.slug, role)
            )
    return row


@transaction.atomic
def space_delete(*, acting_user: User, space: Space) -> None:
    """Delete a space whose nodes are all archived, with its sources, jobs and groups.

    Raises NotFound, Forbidden, and Conflict for the default space or one with live nodes.
    """
    role_require(acting_user, space, Role.MANAGER)
    # In the order in which workers lock, who may be writing to the log of a job at this moment.
    list(IngestJob.objects.filter(space=space).order_by("pk").select_for_update(of=("self",)))
    row = Space.objects.select_for_update().get(pk=space.pk)
    if row.is_default:
        raise Conflict(_("The default space cannot be deleted."), code="space_is_default")
    live = Node.objects.filter(space=row).exclude(status=NodeStatus.ARCHIVED).count()
    if live:
        message = _("The space still has %(count)s nodes that are not archived.")
        raise Conflict(message % {"count": live}, code="space_not_empty", details={"nodes": live})
    for node in Node.objects.filter(space=row).select_for_update():
        node_remove(node, author=acting_user, reason=_("Its space was deleted."))
    Group.objects.filter(name__in=[group_name(row.slug, role) for role in Role]).delete()
    releases_of_space_remove(row)
    row.delete()


def space_default_for(user: User, *, role: Role = Role.EDITOR) -> Space:
    """Return the space of a write that names none.

    That is the default space where `user` has `role` in it, else their only such space. Raises
    Invalid when there is no such space, or no telling which.
    """
    spaces = list(Space.objects.with_role(user, role).order_by("-is_default", "name", "pk")[:2])
    if not spaces:
        message = _("There is no space in which you have the role “%(role)s”.")
        raise Invalid(message % {"role": role.label}, code="no_space", field="space")
    if len(spaces) > 1 and not spaces[0].is_default:
        raise Invalid(_("Name a space: you can write in several."), code="required", field="space")
    return spaces[0]


@transaction.atomic
def member_set(*, acting_user: User, space: Space, user: User, role: Role | None) -> None:
    """Give `user` exactly `role` in a space, or none. Needs a manager.

    Only the space's own groups are changed: a role through another group stays. Raises NotFound,
    Forbidden, and Conflict when the space would lose its last manager.
    """
    role_require(acting_user, space, Role.MANAGER)
    row = Space.objects.select_for_update(no_key=True).get(pk=space.pk)
    names = {group_name(row.slug, each): each for each in Role}
    user.groups.remove(*Group.objects.filter(name__in=names))
    if role is not None:
        _join(row, user, role)
    if not acting_user.is_superuser and not _has_manager(row):
        message = _("A space needs a manager: name another one first.")
        raise Conflict(message, code="last_manager")


def group_name(slug: str, role: Role) -> str:
    """Return the name of the group that holds the members of a space with `role`."""
    return f"{slug} · {role.name.lower()}"


def _join(space: Space, user: User, role: Role) -> None:
    group, _made = Group.objects.get_or_create(name=group_name(space.slug, role))
    SpaceRole.objects.get_or_create(space=space, group=group, defaults={"role": role})
    user.groups.add(group)


def _has_manager(space: Space) -> bool:
    return User.objects.filter(
        is_active=True, groups__space_roles__space=space, groups__space_roles__role=Role.MANAGER
    ).exists()


def _fields_set(space: Space, fields: SpaceFields) -> None:
    values: dict[str, Any] = {**fields}
    if values.get("language", space.language) != space.language:
        language_require(values["language"])
    for name, value in values.items():
        setattr(space, name, value)
    if not _are_questions(space.suggested_questions):
        message = _("A list of questions, or lists of questions by language.")
        raise Invalid(message, field="suggested_questions")
    if space.visibility not in Visibility.values:
        raise Invalid(_("There is no such visibility."), field="visibility")
    if space.visibility != Visibility.PUBLIC:
        # What is closed ends for guests, and stays so when it is opened again.
        if values.get("allows_guests"):
            message = _("Only a public space may be asked without signing in.")
            raise Invalid(message, field="allows_guests")
        space.allows_guests = False


def _are_questions(value: object) -> bool:
    lists = list(value.values()) if isinstance(value, dict) else [value]
    return all(
        isinstance(each, list) and len(each) <= 12 and all(isinstance(q, str) for q in each)
        for each in lists
    )


def _free_slug(name: str) -> str:
    """Return a slug for a name that no space has yet."""
    base = slugify(name)[:70] or "space"
    taken = set(Space.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    candidates = (f"{base}-{number}" if number > 1 else base for number in range(1, len(taken) + 2))
    return next(each for each in candidates if each not in taken)


def _save(space: Space) -> None:
    try:
        space.clean_fields()
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None
    try:
        with transaction.atomic():
            space.save()
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        message = _("Another space has that short name.")
        raise Conflict(message, code="slug_taken", field="slug") from None


__all__ = [
    "SpaceFields",
    "group_name",
    "member_set",
    "role_of",
    "space_create",
    "space_default_for",
    "space_delete",
    "space_update",
]
