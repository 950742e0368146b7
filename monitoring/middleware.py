"""What every request to the admin brings with it."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from monitoring.navigation import numbers_forget

_READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ASKING = frozenset({"/api/v1/search/"})
"""What is asked by POST, and changes nothing."""


class FreshNumbersMiddleware:
    """Whoever has done something sees it in the numbers of the sidebar on the next page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_reading = request.method in _READING or request.path in _ASKING
        if not is_reading and request.user.is_staff:
            numbers_forget(request)
        return response
