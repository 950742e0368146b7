"""The rate limit of the REST API: a person or a key."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from project import ratelimit


class ApiThrottle(BaseThrottle):
    """Counts every call against ACERVO_RATE_API, by key, else by user, else by address."""

    _wait: float | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Return whether the call is within the limit."""
        limit = settings.ACERVO_RATE_API
        if not limit:
            return True
        state = ratelimit.hit("api", self._who(request), limit)
        self._wait = float(state.retry_after)
        return state.allowed

    def wait(self) -> float | None:
        """Return the seconds after which to come back."""
        return self._wait

    def _who(self, request: Request) -> str:
        if request.auth is not None:
            return f"key:{request.auth.pk}"
        if request.user.is_authenticated:
            return f"user:{request.user.pk}"
        return f"address:{request.META.get('REMOTE_ADDR', '')}"
