"""What went wrong with a call, in a closed vocabulary: errors of the client never leave this app.

Messages are written here and hold no address, key or text of the server's answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from project.inference.choices import Outcome

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

RETRY_AFTER_LIMIT = 120.0
BACKOFF_SECONDS = 0.25
BACKOFF_LIMIT_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    `retryable`: the same call may succeed a moment later. `is_fault`: the circuit breaker counts it
    against the endpoint. `retry_after`: seconds the server asked for.
    """

    outcome: Outcome
    message: StrOrPromise
    retryable: bool = False
    is_fault: bool = True
    retry_after: float | None = None


CONNECT_TIMEOUT = Failure(
    Outcome.TIMEOUT, _("The model could not be reached in time."), retryable=True
)
FIRST_TOKEN_TIMEOUT = Failure(Outcome.TIMEOUT, _("The model did not begin to answer in time."))
IDLE_TIMEOUT = Failure(Outcome.TIMEOUT, _("The model stopped answering half-way."))
TOTAL_TIMEOUT = Failure(Outcome.TIMEOUT, _("The model took too long to answer."))
REFUSED = Failure(Outcome.REFUSED, _("The model could not be reached."), retryable=True)
BROKEN_OFF = Failure(
    Outcome.INTERRUPTED, _("The connection to the model broke off."), retryable=True
)
INCOMPLETE = Failure(Outcome.INTERRUPTED, _("The model's answer ended before it was complete."))
MALFORMED = Failure(Outcome.MALFORMED, _("The model sent something that is not an answer."))
OVERSIZED = Failure(Outcome.MALFORMED, _("The model's answer was too large."))
SERVER_ERROR = Failure(Outcome.ERROR, _("The model reported an error."), retryable=True)
BUSY = Failure(Outcome.RATE_LIMITED, _("The model is busy."))
SEALED = Failure(Outcome.ERROR, _("The model's key must be entered again."))


class OversizedAnswer(Exception):
    """The server sent more than any answer can be."""


def classify(error: BaseException) -> Failure:
    """Return the failure that an exception of the client means."""
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return from_status(error.status_code, _retry_after(error.response.headers))
    cause = error.__cause__
    if isinstance(error, OversizedAnswer) or isinstance(cause, OversizedAnswer):
        return OVERSIZED
    if (streamed := _of_streaming(error)) is not None:
        return streamed
    if isinstance(error, openai.APITimeoutError):
        return CONNECT_TIMEOUT if isinstance(cause, httpx2.ConnectTimeout) else FIRST_TOKEN_TIMEOUT
    if isinstance(error, openai.APIConnectionError):
        connecting = isinstance(cause, httpx2.ConnectError) or cause is None
        return REFUSED if connecting else BROKEN_OFF
    if isinstance(error, httpx2.TimeoutException):
        return FIRST_TOKEN_TIMEOUT
    if isinstance(error, httpx2.TransportError):
        return BROKEN_OFF
    if isinstance(error, openai.APIError) and not isinstance(
        error, openai.APIResponseValidationError
    ):
        return SERVER_ERROR  # an error object inside the stream
    return MALFORMED


def _of_streaming(error: BaseException) -> Failure | None:
    """Return the failure by what aiohttp said first; the layers above take resets for timeouts."""
    import aiohttp

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientError):
        cause = cause.__cause__
    if cause is None:
        return None
    if isinstance(cause, aiohttp.ConnectionTimeoutError):
        return CONNECT_TIMEOUT
    if isinstance(cause, aiohttp.ServerTimeoutError):
        return FIRST_TOKEN_TIMEOUT
    return REFUSED if isinstance(cause, aiohttp.ClientConnectorError) else BROKEN_OFF


def backoff_seconds(attempt: int, retry_after: float | None = None) -> float:
    """Return how long to wait after a failed attempt (1, 2, …): full jitter, capped.

    "Exponential Backoff And Jitter" (AWS architecture blog, 2015). What the server asked for is
    kept to, as far as the cap goes.
    """
    ceiling = min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2**attempt)
    wait = random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing
    return max(wait, min(retry_after or 0.0, BACKOFF_LIMIT_SECONDS))


def from_status(status: int, retry_after: float | None) -> Failure:
    """Return the failure that a status of HTTP means."""
    if status == 429:
        return Failure(
            Outcome.RATE_LIMITED, _("The model is busy."), retryable=True, retry_after=retry_after
        )
    if status in {401, 403}:
        return Failure(Outcome.REJECTED, _("The model refused the key."))
    if status == 404:
        return Failure(Outcome.REJECTED, _("The server does not know the model."))
    if status == 408 or status >= 500:
        return Failure(
            Outcome.ERROR,
            _("The model reported an error."),
            retryable=True,
            retry_after=retry_after,
        )
    # This request is wrong (too long, say); the endpoint is not.
    return Failure(Outcome.REJECTED, _("The model did not accept the request."), is_fault=False)


def _retry_after(headers: object) -> float | None:
    """Return the seconds of a `Retry-After` header, in either of its forms, capped."""
    import datetime
    from email.utils import parsedate_to_datetime

    value = headers.get("retry-after") if hasattr(headers, "get") else None
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            seconds = (moment - datetime.datetime.now(datetime.UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT) if seconds == seconds else None
