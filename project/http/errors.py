"""The errors a caller may see. Services raise them; every surface renders them in its own way."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An error with a stable code and a message that says what to do.

    `field` names the input at fault; `details` is JSON-ready; `retry_after` is in seconds;
    `headers` go with the answer over HTTP.
    """

    status = 400
    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        details: Any = None,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.details = details
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the error envelope of the REST contract."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        if self.details is not None:
            error["details"] = self.details
        error["request_id"] = request_id
        return {"error": error}


class Invalid(ApiError):
    """400: the input cannot be accepted."""


class Unauthenticated(ApiError):
    """401: nobody is signed in."""

    status = 401
    code = "unauthenticated"


class Forbidden(ApiError):
    """403: the caller may see the object, but not do this."""

    status = 403
    code = "forbidden"


class NotFound(ApiError):
    """404: absent, or not the caller's to see; both look the same."""

    status = 404
    code = "not_found"


class Conflict(ApiError):
    """409: the object changed since the caller read it."""

    status = 409
    code = "conflict"


class TooLarge(ApiError):
    """413: more bytes than are allowed."""

    status = 413
    code = "too_large"


class UnsupportedType(ApiError):
    """415: a kind of content that is not read."""

    status = 415
    code = "unsupported_type"


class Unreadable(ApiError):
    """422: the right kind of content, but broken."""

    status = 422
    code = "unreadable"


class TooMany(ApiError):
    """429: over a rate limit; `retry_after` says when to come back."""

    status = 429
    code = "rate_limited"


class Unavailable(ApiError):
    """503: something Acervo depends on is away; `retry_after` says when to come back."""

    status = 503
    code = "unavailable"


class InsufficientStorage(ApiError):
    """507: no room on the disk; nothing was kept."""

    status = 507
    code = "insufficient_storage"
