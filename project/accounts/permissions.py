"""Which scope a call needs. A session has all; a key has those it was given."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from project.accounts.models import ApiKey, User
from project.http.errors import Forbidden, Unauthenticated


def caller(request: Request) -> User:
    """Return who calls; raises Unauthenticated when nobody is signed in."""
    if not isinstance(request.user, User):
        raise Unauthenticated(_("Sign in, or send an API key."))
    return request.user


def has_scope(request: Request, scope: str) -> bool:
    """Return whether the call may use `scope`."""
    return not isinstance(request.auth, ApiKey) or scope in request.auth.scopes


class HasScope(BasePermission):
    """Views name `read_scope` for reads, and `write_scope` for everything else."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether someone is signed in; raises Forbidden when the key lacks the scope."""
        if not request.user or not request.user.is_authenticated:
            return False
        scope = view.read_scope if request.method in SAFE_METHODS else view.write_scope
        if scope is not None and not has_scope(request, scope):
            message = _("This API key lacks the scope “%(scope)s”.") % {"scope": scope}
            raise Forbidden(message, code="missing_scope")
        return True
