"""Which rows of knowledge staff see in the admin: those of the spaces they have a role in.

Django's model permissions are not asked: a role in a space says it all, and superusers have every
role. The services check again, row by row, when something is written.
"""

from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import HttpRequest

from knowledge.models import SpaceRole
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import AcervoAdmin

_ROLES = "_acervo_roles"


def staff(request: HttpRequest) -> User:
    """Return the signed-in person; the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def roles_of(request: HttpRequest) -> dict[UUID, Role]:
    """Return the highest role in each space through groups; asked once a request."""
    known: dict[UUID, Role] | None = getattr(request, _ROLES, None)
    if known is None:
        rows = SpaceRole.objects.filter(group__user=request.user.pk).order_by()
        found = rows.values_list("space_id").annotate(held=Max("role"))
        known = {space: Role(held) for space, held in found}
        setattr(request, _ROLES, known)
    return known


def has_role(request: HttpRequest, role: Role, space_id: UUID | None = None) -> bool:
    """Return whether the person has `role` in a space, in any space when none is named."""
    user = request.user
    if not (user.is_active and getattr(user, "is_staff", False)):
        return False
    if user.is_superuser:
        return True
    roles = roles_of(request)
    if space_id is not None:
        return roles.get(space_id, Role.READER) >= role and space_id in roles
    return any(held >= role for held in roles.values())


class SpaceScopedAdmin(AcervoAdmin):
    """Rows of a space: seen and changed from `view_role` and `change_role` up."""

    view_role = Role.EDITOR
    add_role = Role.EDITOR
    change_role = Role.EDITOR
    delete_role = Role.MANAGER

    def space_of(self, obj: Any) -> UUID:
        """Return the id of the space that a row belongs to."""
        space: UUID = obj.space_id
        return space

    def _may(self, request: HttpRequest, role: Role, obj: Any) -> bool:
        # The theme asks with the id of a row where it draws buttons; the services ask again.
        known = obj is not None and not isinstance(obj, (str, int))
        return has_role(request, role, self.space_of(obj) if known else None)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the app is shown at all."""
        return has_role(request, self.view_role)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the role allows to look."""
        return self._may(request, self.view_role, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the role allows to add."""
        return has_role(request, self.add_role)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the role allows to change."""
        return self._may(request, self.change_role, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the role allows to delete."""
        return self._may(request, self.delete_role, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows of the spaces in which the person has the role."""
        rows: Any = super().get_queryset(request)
        return rows.in_spaces_with_role(request.user, self.view_role)
