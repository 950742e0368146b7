"""What connectors that call web servers share: faults in their words, names and times of pages."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _

from knowledge.connectors.base import ConnectorFault, KnownItem
from project.http.addresses import Blocked
from project.http.fetching import Fetched, Fetcher, FetchFailed

_ENDINGS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
    "text/csv": ".csv",
    "application/json": ".json",
    "message/rfc822": ".eml",
}
LASTING = {400, 401, 403, 405, 407, 451}


def fetched(fetcher: Fetcher, url: str, **options: Any) -> Fetched:
    """Call an address. Raises ConnectorFault for what gives no answer at all."""
    try:
        return fetcher.fetch(url, **options)
    except Blocked as error:
        raise ConnectorFault(error.message, is_lasting=True) from None
    except FetchFailed as error:
        raise ConnectorFault(error.message, is_lasting=error.status == 413) from None


def status_fault(answer: Fetched) -> ConnectorFault:
    """Return the fault that an answer without a page is."""
    host = urlsplit(answer.url).hostname or ""
    message = _("“%(host)s” answered with the status %(status)s.")
    return ConnectorFault(
        message % {"host": host, "status": answer.status}, is_lasting=answer.status in LASTING
    )


def conditions(known: KnownItem | None) -> dict[str, str]:
    """Return the headers with which a page is only sent if it is not the known one."""
    if known is None:
        return {}
    headers = {}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.memo.get("modified"):
        headers["If-Modified-Since"] = str(known.memo["modified"])
    return headers


def tag_of(answer: Fetched) -> str:
    """Return an answer's entity tag, "" for one that is too long to be kept."""
    tag = answer.headers.get("ETag", "").strip()
    return tag if len(tag) <= 300 and tag.isascii() else ""


def modified_of(headers: Message) -> datetime | None:
    """Return when an answer's content was changed; None where it does not say."""
    return time_of(headers.get("Last-Modified", ""))


def time_of(text: str) -> datetime | None:
    """Return a time as web and mail servers write it; None for anything else."""
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def content_type_of(headers: Message) -> str:
    """Return the bare media type of an answer."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()[:127]


def filename_of(url: str, content_type: str) -> str:
    """Return a file name for what an address gave, with the ending of its type."""
    path = PurePosixPath(unquote(urlsplit(url).path))
    stem = path.stem or (urlsplit(url).hostname or "page")
    ending = _ENDINGS.get(content_type)
    if content_type in {"application/octet-stream", "text/plain", ""} and path.suffix:
        ending = path.suffix  # servers name many things so that they do not know
    return f"{stem[:150]}{ending or path.suffix or '.html'}"


def memo_of(headers: Message, **more: Any) -> Mapping[str, Any]:
    """Return what the next call of the same page needs."""
    modified = headers.get("Last-Modified", "").strip()
    return {**({"modified": modified[:60]} if modified else {}), **more}
