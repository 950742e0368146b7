"""The page of a space's members: who has which role, and changing it."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.models import Space, SpaceRole
from knowledge.services.spaces import group_name
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import posted_only, refusals_as_messages
from project.http.errors import Invalid

if TYPE_CHECKING:
    _Base = SpaceScopedAdmin
else:
    _Base = object


class MemberPages(_Base):
    """The part of the space admin that shows and changes members."""

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of members."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>/members/"
        return [
            path(base, wrap(self.members_view), name="knowledge_space_members"),
            path(f"{base}set/", wrap(self.member_set_view), name="knowledge_space_member_set"),
            *super().get_urls(),
        ]

    def members_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """List the people who have a role in the space, and how."""
        space = self._opened(request, object_id)
        context = self.page_context(
            request,
            title=_("Members"),
            subtitle=str(space),
            original=space,
            space=space,
            members=members_of(space),
            roles=Role.choices,
            may_manage=has_role(request, Role.MANAGER, space.pk),
        )
        return TemplateResponse(request, "admin/knowledge/space/members.html", context)

    def member_set_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give a person a role, another one, or none."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        space = self._opened(request, object_id)
        with refusals_as_messages(request):
            user = _person(request.POST.get("person", ""))
            role = _role(request.POST.get("role", ""))
            services.member_set(acting_user=staff(request), space=space, user=user, role=role)
            if role is None:
                text = _("%(person)s has no role in this space any more.")
            else:
                text = _("%(person)s is now: %(role)s.")
            facts = {"person": user, "role": role.label if role else ""}
            messages.success(request, text % facts)
            self.log_change(request, space, text % facts)
        return HttpResponseRedirect(self.address("members", space.pk))

    def _opened(self, request: HttpRequest, object_id: str) -> Space:
        space = self.get_object(request, unquote(object_id))
        if space is None or not self.has_view_permission(request, space):
            raise Http404(_("There is no such space, or it is not yours to see."))
        assert isinstance(space, Space)
        return space


def members_of(space: Space) -> list[dict[str, Any]]:
    """Return who has a role in a space: the person, the space's own role, those of other groups."""
    own = [group_name(space.slug, role) for role in Role]
    rows = SpaceRole.objects.filter(space=space, group__user__isnull=False)
    found: dict[int, dict[str, Any]] = {}
    pairs = rows.order_by("role").values_list("group__user", "group__name", "role")
    for user_id, group, role in pairs:
        entry = found.setdefault(user_id, {"own": None, "others": []})
        if group in own:
            entry["own"] = Role(role)
        else:
            entry["others"].append({"group": group, "role": Role(role).label})
    people = User.objects.in_bulk(found)
    members = [{"person": people[user_id], **entry} for user_id, entry in found.items()]
    return sorted(members, key=lambda each: (-(each["own"] or 0), str(each["person"])))


def _person(name: str) -> User:
    """Return the active user of that name or e-mail address; managers need not see the others."""
    name = name.strip()
    people = list(
        User.objects.filter(Q(username=name) | Q(email__iexact=name, email__gt=""), is_active=True)
    )
    if len(people) != 1:
        message = _("There is nobody, or more than one, with the name or address “%(name)s”.")
        raise Invalid(message % {"name": name}, field="person")
    return people[0]


def _role(value: str) -> Role | None:
    if value == "":
        return None
    try:
        return Role(int(value))
    except ValueError:
        raise Invalid(_("There is no such role."), field="role") from None
