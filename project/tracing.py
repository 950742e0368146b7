"""The trace id: one name for a piece of work, carried from the request to its last effect.

It is the `X-Request-ID` of the HTTP answer, a field of every log line, and a column of jobs,
turns, events and usage rows.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

_VALID = re.compile(r"[A-Za-z0-9._:-]{8,64}")
_trace_id: ContextVar[str] = ContextVar("acervo_trace_id", default="")


def new_trace_id() -> str:
    """Return a fresh trace id (32 hexadecimal digits)."""
    return uuid.uuid4().hex


def valid_trace_id(candidate: str | None) -> str | None:
    """Return `candidate` when a caller may choose it as a trace id, else None."""
    return candidate if candidate and _VALID.fullmatch(candidate) else None


def current_trace_id() -> str:
    """Return the trace id of the running work, or a fresh one outside any."""
    return _trace_id.get() or new_trace_id()


@contextmanager
def bind_trace(trace_id: str) -> Iterator[str]:
    """Run a block under `trace_id`: log lines and rows made inside carry it."""
    token = _trace_id.set(trace_id)
    with structlog.contextvars.bound_contextvars(trace_id=trace_id):
        try:
            yield trace_id
        finally:
            _trace_id.reset(token)
