"""What a browser sees when a request fails; programs get the same in the error envelope."""

import sys
from typing import Any

import structlog
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import get_template
from django.urls import Resolver404
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

from project.http import errors
from project.http.exceptions import to_api_error
from project.tracing import current_trace_id

_FOR_PROGRAMS = ("/api/", "/v1/", "/mcp/")
_THEMES = frozenset({"dark", "light"})
log = structlog.get_logger(__name__)


def _answer(
    request: HttpRequest, status: int, code: str, message: str, **context: Any
) -> HttpResponse:
    trace_id = current_trace_id()
    if request.path.startswith(_FOR_PROGRAMS):
        error = errors.ApiError(message, code=code)
        return JsonResponse(error.body(trace_id), status=status)
    theme = request.COOKIES.get("acervo_theme", "")
    context |= {"request_id": trace_id, "theme": theme if theme in _THEMES else ""}
    # Rendered without the request: a page about a fault must need no session and no database.
    return HttpResponse(get_template(f"{status}.html").render(context), status=status)


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400; 413 for programs whose body is too large."""
    known = to_api_error(exception)
    if known is not None and known.status == 413 and request.path.startswith(_FOR_PROGRAMS):
        answer = _answer(request, known.status, known.code, known.message)
    else:
        answer = _answer(request, 400, "invalid", _("The request cannot be understood."))
    # One line instead of Django's traceback: anybody can send nonsense as often as they like.
    log.warning("request_refused", error=type(exception).__name__, path=request.path)
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    return _answer(request, 403, "forbidden", _("You may not do this."))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that does not come from our own pages."""
    return _answer(
        request, 403, "csrf_failed", _("The CSRF token is missing or wrong."), reason_is_csrf=True
    )


def too_many_requests(request: HttpRequest, retry_after: int) -> HttpResponse:
    """429, with the seconds after which to come back."""
    message = _("Too many requests. Wait and try again.")
    minutes = -(-retry_after // 60)
    answer = _answer(request, 429, "rate_limited", message, minutes=minutes)
    answer.headers["Retry-After"] = str(retry_after)
    return answer


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404; the reason is shown when one of our views gave one."""
    is_ours = isinstance(exception, Http404) and not isinstance(exception, Resolver404)
    reason = str(exception.args[0]) if is_ours and exception.args else ""
    # Django's own words for a missing row name the model; they are not meant for readers.
    reason = "" if "matches the given query" in reason else reason
    message = _("There is no such address, or nothing there that you may see.")
    return _answer(request, 404, "not_found", message, reason=reason)


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500; 503 with Retry-After when the fault is a database that is away.

    Django calls this while the exception is being handled, whichever layer raised it.
    """
    fault = sys.exc_info()[1]
    known = to_api_error(fault) if isinstance(fault, Exception) else None
    if known is not None and known.status == 503:
        answer = _answer(request, 503, known.code, known.message)
        answer.headers["Retry-After"] = str(known.retry_after or 2)
        answer._has_been_logged = True  # type: ignore[attr-defined]  # in one line, above
        return answer
    message = _(
        "Something went wrong on the server. Try again; if it stays, report the request id."
    )
    return _answer(request, 500, "internal", message)
