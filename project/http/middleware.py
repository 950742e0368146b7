"""Middleware: the trace id of every request, and the admin's own content security policy."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from project.tracing import bind_trace, new_trace_id, valid_trace_id

_ADMIN_POLICY = "; ".join(
    f"{name} {' '.join(values)}" for name, values in settings.ADMIN_CONTENT_SECURITY_POLICY.items()
)

Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class TraceMiddleware:
    """Bind the caller's `X-Request-ID`, or a fresh one, to the request and to its answer."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._acall(request)
        with bind_trace(self._trace(request)) as trace_id:
            response = self.get_response(request)
            assert isinstance(response, HttpResponseBase)
            return self._finish(request, response, trace_id)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        with bind_trace(self._trace(request)) as trace_id:
            response = self.get_response(request)
            assert not isinstance(response, HttpResponseBase)
            return self._finish(request, await response, trace_id)

    @staticmethod
    def _trace(request: HttpRequest) -> str:
        return valid_trace_id(request.headers.get("X-Request-ID")) or new_trace_id()

    @staticmethod
    def _finish(
        request: HttpRequest, response: HttpResponseBase, trace_id: str
    ) -> HttpResponseBase:
        response.headers["X-Request-ID"] = trace_id
        # Looking up the name of a link that nobody follows would tell its owner who reads it.
        response.headers["X-DNS-Prefetch-Control"] = "off"
        if request.path.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", _ADMIN_POLICY)
        return response
