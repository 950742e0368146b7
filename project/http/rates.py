"""What is left of a limit, for whoever is held to it: headers, a refusal, a line of JSON.

Headers as the IETF draft "RateLimit header fields for HTTP" has them (httpapi-ratelimit-headers),
and the three single ones of its earlier versions, which most clients know.
"""

from typing import TypedDict

from project.http.errors import TooMany
from project.ratelimit import RateState


class Allowance(TypedDict):
    """What is left of a limit; times in seconds."""

    limit: int
    remaining: int
    reset: int
    window: int


def allowance_body(state: RateState | None) -> Allowance | None:
    """Return what is left as JSON; None where nothing limits."""
    if state is None or not state.window:
        return None
    return {
        "limit": state.limit,
        "remaining": state.remaining,
        "reset": state.reset_after,
        "window": state.window,
    }


def rate_headers(name: str, state: RateState | None) -> dict[str, str]:
    """Return the headers that tell what is left of the limit of that name."""
    if state is None or not state.window:
        return {}
    reset = state.retry_after or state.reset_after
    return {
        "RateLimit-Policy": f'"{name}";q={state.limit};w={state.window}',
        "RateLimit": f'"{name}";r={state.remaining};t={reset}',
        "RateLimit-Limit": str(state.limit),
        "RateLimit-Remaining": str(state.remaining),
        "RateLimit-Reset": str(reset),
    }


def too_many(name: str, state: RateState, message: str, *, code: str | None = None) -> TooMany:
    """Return the refusal of a hit beyond its limit."""
    return TooMany(
        message,
        code=code,
        retry_after=state.retry_after,
        headers=rate_headers(name, state),
        details=allowance_body(state),
    )
