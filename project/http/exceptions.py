"""Every error of the REST API in one envelope, with nothing in it that is not the caller's."""

from typing import Any

import structlog
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.utils.translation import gettext as _
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.response import Response

from project.http import errors
from project.tracing import current_trace_id

log = structlog.get_logger(__name__)


def handle_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Render any exception of a view; DRF's hook."""
    known = to_api_error(error)
    if known is None:
        log.error("request_failed", exc_info=error)
        known = errors.ApiError(
            _("Something went wrong on the server. Try again; if it stays, report the request id."),
            code="internal",
        )
        known.status = 500
    headers = dict(known.headers)
    if known.retry_after is not None:
        headers["Retry-After"] = str(known.retry_after)
    if known.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(known.body(current_trace_id()), status=known.status, headers=headers)


def to_api_error(error: Exception) -> errors.ApiError | None:
    """Return the error that a caller may see, or None for a fault of ours."""
    if isinstance(error, errors.ApiError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return _validation(error)
    if isinstance(error, exceptions.Throttled):
        return errors.TooMany(
            _("Too many requests. Wait and try again."),
            retry_after=int(getattr(error, "wait", None) or 1),
        )
    if isinstance(error, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return errors.Unauthenticated(str(error.detail))
    if isinstance(error, (exceptions.PermissionDenied, PermissionDenied)):
        return errors.Forbidden(str(getattr(error, "detail", "")) or _("You may not do this."))
    if isinstance(error, (Http404, exceptions.NotFound, ObjectDoesNotExist)):
        return errors.NotFound(_("There is no such object, or it is not yours to see."))
    if isinstance(error, exceptions.APIException):
        known = errors.ApiError(str(error.detail), code=str(error.get_codes()))
        known.status = error.status_code
        return known
    return _outside(error)


def _outside(error: Exception) -> errors.ApiError | None:
    """Return what is at fault outside our code: the request as it came, or the database."""
    if isinstance(error, RequestDataTooBig):
        return errors.TooLarge(_("The body is larger than is allowed."))
    if isinstance(error, (SuspiciousOperation, UnreadablePostError)):
        return errors.Invalid(_("The request cannot be read."))
    if isinstance(error, DataError):
        log.warning("value_not_storable", exc_info=error)
        return errors.Invalid(_("A value is out of the range that can be stored."))
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeout)):
        log.warning("database_away", error=type(error).__name__)
        return errors.Unavailable(_("The database is not answering. Try again."), retry_after=2)
    return None


def _validation(error: exceptions.ValidationError) -> errors.Invalid:
    detail = error.detail
    if isinstance(detail, list):
        return errors.Invalid(str(detail[0]), details={"non_field_errors": detail})
    field, problems = next(iter(detail.items()))
    while isinstance(problems, (list, dict)) and problems:
        problems = next(iter(problems.values())) if isinstance(problems, dict) else problems[0]
    stated = str(getattr(problems, "code", ""))
    code = stated if stated in {"unknown_field", "required"} else "invalid"
    name = None if field == "non_field_errors" else field
    return errors.Invalid(str(problems), code=code, field=name, details=detail)
