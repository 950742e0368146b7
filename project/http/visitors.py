"""The limit of requests by whom nobody knows, an address at a time.

Whoever is signed in, and every program with a valid key, has limits of their own. Static files are
answered before this, and what watches the server must always be answered.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from project import ratelimit
from project.http.client_address import address_block, client_address
from project.http.error_pages import too_many_requests
from project.http.rates import rate_headers

_NOT_COUNTED = ("/health/", "/metrics")


class VisitorLimitMiddleware:
    """Counts anonymous requests against ACERVO_RATE_ANONYMOUS.

    A request with a key is known only once its view has looked: it counts when the key was wrong.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        limit = settings.ACERVO_RATE_ANONYMOUS
        if not limit or request.path.startswith(_NOT_COUNTED):
            return self.get_response(request)
        if "Authorization" in request.headers:
            response = self.get_response(request)
            refusal = _refusal(request, limit) if response.status_code == 401 else None
            return response if refusal is None else refusal
        if request.user.is_authenticated:
            return self.get_response(request)
        return _refusal(request, limit) or self.get_response(request)


def _refusal(request: HttpRequest, limit: str) -> HttpResponse | None:
    """Count a request; return the answer to one too many."""
    state = ratelimit.hit("visitor", address_block(client_address(request)), limit)
    if state.allowed:
        return None
    answer = too_many_requests(request, state.retry_after)
    for name, value in rate_headers("visitor", state).items():
        answer.headers[name] = value
    return answer
