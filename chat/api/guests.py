"""REST: guests, by the session of their browser and with its CSRF token, where they may.

Every other resource knows only people and keys: to it a guest is nobody.
"""

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.request import Request

from knowledge.models import Space
from project.accounts.authentication import SessionAuthentication
from project.accounts.guests import guest_begin, guest_of_request, visitor
from project.accounts.models import User
from project.accounts.permissions import caller
from project.http.api import ApiViewSet


class GuestAuthentication(authentication.BaseAuthentication):
    """The guest of the session."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the guest; raises PermissionDenied without the CSRF token."""
        guest = self.found(request)
        if guest is None:
            return None
        SessionAuthentication().enforce_csrf(request)
        return guest, None

    def found(self, request: Request) -> User | None:
        """Return the guest who asks."""
        return guest_of_request(request._request)

    def authenticate_header(self, request: Request) -> str:
        """Return the scheme that a 401 asks for."""
        return "Bearer"


class VisitorAuthentication(GuestAuthentication):
    """The guest of the session, or whoever may become one: for what guests begin with."""

    def found(self, request: Request) -> User | None:
        """Return the guest, or a visitor where a space is open to guests."""
        guest = super().found(request)
        if guest is None and Space.objects.open_to_guests().exists():
            guest = visitor(request._request)
        return guest


class GuestScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI schema describes guests."""

    target_class = "chat.api.guests.GuestAuthentication"
    name = "guest"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "acervo_session",
            "description": "The session of a browser in which nobody is signed in, where a public"
            " space takes questions of guests; writes also need the CSRF token.",
        }


class VisitorScheme(GuestScheme):  # type: ignore[no-untyped-call]
    """Those who become guests with the call."""

    target_class = "chat.api.guests.VisitorAuthentication"
    name = "visitor"


class GuestsToo(ApiViewSet):
    """A resource of which guests may use what `guest_actions` names, and nothing else."""

    guest_actions: ClassVar[frozenset[str]] = frozenset()
    visitor_actions: ClassVar[frozenset[str]] = frozenset()
    action_map: dict[str, str]

    def get_authenticators(self) -> list[Any]:
        """Return how this action knows who is calling."""
        found = super().get_authenticators()
        # The schema's generator asks without a request.
        method = self.request.method if getattr(self, "request", None) is not None else None
        wanted = self.action_map.get((method or "").lower()) if method else None
        if wanted in self.visitor_actions:
            return [*found, VisitorAuthentication()]
        return [*found, GuestAuthentication()] if wanted in self.guest_actions else found

    def check_permissions(self, request: Request) -> None:
        """Let guests pass: only the actions for them look for one."""
        if not (isinstance(request.user, User) and request.user.is_guest):
            super().check_permissions(request)


def caller_or_new_guest(request: Request) -> User:
    """Return who calls; a visitor becomes a guest. Raises Unauthenticated and TooMany."""
    user = caller(request)
    return guest_begin(request._request) if user.is_guest and user.pk is None else user
