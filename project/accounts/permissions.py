"""Which scope a call needs. A session has all; a key has those it was given."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from project.http.errors import Forbidden


class HasScope(BasePermission):
    """Views name `read_scope` and `write_scope`; reads need the first, everything else the second."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether someone is signed in; raises Forbidden when the key lacks the scope."""
        if not request.user or not request.user.is_authenticated:
            return False
        if request.auth is None:
            return True
        scope = view.read_scope if request.method in SAFE_METHODS else view.write_scope
        if scope is not None and scope not in request.auth.scopes:
            message = _("This API key lacks the scope “%(scope)s”.") % {"scope": scope}
            raise Forbidden(message, code="missing_scope")
        return True
