"""The rate limit of the REST API: a person or a key."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from project import ratelimit
from project.http.client_address import address_block, client_address
from project.http.rates import too_many


class ApiThrottle(BaseThrottle):
    """Counts every call against ACERVO_RATE_API, by key, else by user, else by address."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call. Raises TooMany beyond the limit."""
        limit = settings.ACERVO_RATE_API
        if not limit:
            return True
        state = ratelimit.hit("api", self._who(request), limit)
        if not state.allowed:
            raise too_many("api", state, _("Too many requests. Wait and try again."))
        return True

    def _who(self, request: Request) -> str:
        if request.auth is not None:
            return f"key:{request.auth.pk}"
        if request.user.is_authenticated:
            return f"user:{request.user.pk}"
        return f"address:{address_block(client_address(request))}"
