"""One call of a receiver, and what its answer means."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from project.events.webhooks import signing
from project.http.addresses import Blocked
from project.http.fetching import Fetched, Fetcher, FetchFailed

TIMEOUT = 15.0  # seconds for the whole call
READ = 4096  # bytes of an answer
EXCERPT = 500  # characters of it that are kept
MOST_WAIT = 6 * 3600.0  # seconds that a receiver can ask to be left alone
_GONE = 410
AGENT = "Acervo-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended; `error` is "" for an answer that takes the event."""

    status: int = 0
    error: str = ""
    excerpt: str = ""
    milliseconds: int = 0
    retry_after: float = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has the event."""
        return not self.error

    @property
    def is_gone(self) -> bool:
        """Whether the receiver asks never to be called again."""
        return self.status == _GONE


def call(url: str, message_id: str, body: bytes, secrets: Sequence[str]) -> Answer:
    """Send one signed message; whatever happens comes back as an answer."""
    stamp = int(time.time())
    headers = {"content-type": "application/json", "accept": "*/*"}
    headers |= signing.headers(secrets, message_id, stamp, body)
    fetcher = Fetcher(limit=READ, timeout=TIMEOUT, agent=AGENT, cuts=True)
    began = time.monotonic()
    try:
        fetched = fetcher.fetch(url, method="POST", headers=headers, body=body, redirects=0)
    except (Blocked, FetchFailed) as error:
        return Answer(error=error.message, milliseconds=_since(began))
    try:
        return _read(fetched, _since(began))
    finally:
        fetched.file.close()


def _read(fetched: Fetched, milliseconds: int) -> Answer:
    status = fetched.status
    error = ""
    if 300 <= status < 400:
        error = _("The receiver redirects, which is not followed: enter the final address.")
    elif status == _GONE:
        error = _("The receiver says that it is gone for good.")
    elif not 200 <= status < 300:
        error = _("The receiver answered %(status)s.") % {"status": status}
    return Answer(
        status=status,
        error=error,
        excerpt=_excerpt(fetched.read()),
        milliseconds=milliseconds,
        retry_after=_retry_after(fetched.headers.get("Retry-After", "")) if error else 0.0,
    )


def _excerpt(body: bytes) -> str:
    text = body[: 4 * EXCERPT].decode("utf-8", "replace")
    shown = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text)
    return " ".join(shown.split())[:EXCERPT]


def _retry_after(value: str) -> float:
    value = value.strip()
    is_number = value.isascii() and value.isdigit() and len(value) < 10
    return min(MOST_WAIT, float(value)) if is_number else 0.0


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
