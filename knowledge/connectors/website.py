"""The pages of a website, by its sitemap or by following its links.

1. An address that gives a sitemap (or an index of such) names the pages; any other is a page whose
   links are followed, level by level, down to the depth of the feed.
2. Only addresses of the same host, below the first one's folder unless the feed says otherwise, and
   only those that robots.txt leaves open (RFC 9309).
3. A known page is asked for with its entity tag and date; where nothing changed, the links that it
   had are followed on. A page that fails is a fault, and its old links are followed too: one bad
   moment of a page must not make everything behind it look gone.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.choices import SourceKind
from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Fault,
    Found,
    Item,
    Known,
    KnownItem,
    Setting,
    Unchanged,
    key_of,
)
from knowledge.connectors.calling import (
    conditions,
    content_type_of,
    fetched,
    filename_of,
    memo_of,
    modified_of,
    status_fault,
    tag_of,
)
from knowledge.connectors.checks import address_check, is_document
from knowledge.connectors.markup import Page, page_read, sitemap_read
from knowledge.connectors.robots import Robots
from project.http.fetching import Fetched, address_plain

GONE = {404, 410}
MOST_LINKS = 1000  # of a page that are remembered
MOST_SITEMAPS = 200
Queue = deque[tuple[str, int, str]]  # address, links from the first page, date of the sitemap
_HTML = {"text/html", "application/xhtml+xml"}
_XML = {"application/xml", "text/xml"}
_PAGES = {"", ".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp", ".cgi"}


class WebsiteConnector(Connector):
    """A website, bounded in depth and pages."""

    name = "website"
    label = gettext_lazy("Website or sitemap")
    source_kind = SourceKind.URL
    settings = (
        Setting(
            "url",
            gettext_lazy("Address"),
            is_required=True,
            help=gettext_lazy("Of a page to begin with, or of a sitemap."),
        ),
        Setting(
            "depth",
            gettext_lazy("Depth"),
            kind="number",
            default=2,
            least=0,
            most=10,
            help=gettext_lazy("How many links away from the first page. 0: no links are followed."),
        ),
        Setting(
            "most_pages", gettext_lazy("Most pages"), kind="number", default=500, least=1,
            most=20_000,
        ),
        Setting(
            "whole_host",
            gettext_lazy("Whole host"),
            kind="flag",
            default=False,
            help=gettext_lazy("Also pages outside the folder of the first one."),
        ),
        Setting(
            "leave_out",
            gettext_lazy("Leave out"),
            kind="list",
            default=[],
            help=gettext_lazy("Patterns of paths such as /tag/*, one a line."),
        ),
        Setting(
            "pause_ms", gettext_lazy("Pause between pages (ms)"), kind="number", default=250,
            least=0, most=60_000,
        ),
    )  # fmt: skip

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault for what is no web address."""
        address_check(values["url"], "url")

    def probe(self) -> str:
        """Call the first address and say what it leads to."""
        walk = _Walk(self)
        answer = walk.call(address_plain(self.values["url"]), {})
        if answer.status != 200:
            raise status_fault(answer)
        pages = walk.sitemap_pages(answer)
        if pages is not None:
            return _("The sitemap names %(count)s pages.") % {"count": len(pages)}
        links = [each for each in walk.page(answer).links if walk.is_ours(each)]
        return _("The page is there, with %(count)s links to follow.") % {"count": len(links)}

    def items(self, known: Known) -> Iterator[Found]:
        """Yield the pages by their addresses."""
        yield from _Walk(self).found(known)


@dataclass(slots=True)
class _Walk:
    """One walk over a website."""

    connector: WebsiteConnector
    host: str = ""
    folder: str = "/"
    robots: Robots = field(init=False)
    _last_call: float = 0.0

    def __post_init__(self) -> None:
        self.robots = Robots(self.connector.fetcher)
        self._settle(address_plain(self.connector.values["url"]))

    def found(self, known: Known) -> Iterator[Found]:
        """Yield what the pages are, level by level."""
        start = address_plain(self.connector.values["url"])
        if not self.robots.allows(start):
            raise ConnectorFault(_("The site's robots.txt closes this address."), is_lasting=True)
        result, links, named = self._begin(start, known)
        queue: Queue = deque((page, self.depth, stamp) for page, stamp in named)
        reached = {start, *(page for page, _stamp in named)}
        yielded: set[str] = set()
        depth = 0
        while True:
            if result is not None and result.key not in yielded:
                yielded.add(result.key)
                yield result
            self._follow(links, depth, queue, reached)
            if not queue or len(yielded) >= self.connector.values["most_pages"]:
                break
            address, depth, stamp = queue.popleft()
            result, links = self._visit(address, known, stamp)
        if queue:
            for key in known.keys():  # noqa: SIM118 - not a mapping
                if key not in yielded:
                    yield Fault(key, _("Not looked at: the most pages of the feed were reached."))

    @property
    def depth(self) -> int:
        """How many links away from the first page the walk goes."""
        return int(self.connector.values["depth"])

    def _begin(
        self, start: str, known: Known
    ) -> tuple[Found | None, list[str], list[tuple[str, str]]]:
        """Call the first address: return it as a page with its links, or the pages it names."""
        before = known.get(key_of(start))
        answer = self.call(start, conditions(before))
        if answer.status == 304 and before is not None:
            return Unchanged(before.key), list(before.memo.get("links", [])), []
        if answer.status != 200:
            raise status_fault(answer)
        self._settle(address_plain(answer.url))
        named = self.sitemap_pages(answer)
        if named is not None:
            return None, [], named
        result, links = self._answered(start, answer, "")
        return result, links, []

    def _follow(self, links: list[str], depth: int, queue: Queue, reached: set[str]) -> None:
        if depth >= self.depth:
            return
        for link in links:
            if link not in reached and self.is_ours(link):
                reached.add(link)
                queue.append((link, depth + 1, ""))

    def _visit(self, address: str, known: Known, stamp: str) -> tuple[Found | None, list[str]]:
        """Return what an address gave, and the links of it."""
        if not self.robots.allows(address):
            return None, []
        before = known.get(key_of(address))
        if before is not None and (before.is_done or (stamp and before.memo.get("stamp") == stamp)):
            return Unchanged(before.key), list(before.memo.get("links", []))
        try:
            answer = self.call(address, conditions(before))
        except ConnectorFault as error:
            return _fault(before, address, error.message)
        if answer.status == 304 and before is not None:
            return Unchanged(before.key), list(before.memo.get("links", []))
        if answer.status in GONE:
            return None, []
        if answer.status != 200:
            return _fault(before, address, status_fault(answer).message)
        return self._answered(address, answer, stamp)

    def _answered(
        self, address: str, answer: Fetched, stamp: str
    ) -> tuple[Found | None, list[str]]:
        """Return a page that was sent, None for what is no page of this site."""
        content_type = content_type_of(answer.headers)
        if not self.is_ours(address_plain(answer.url)):
            return None, []
        page = self.page(answer) if content_type in _HTML else Page()
        filename = filename_of(answer.url, content_type)
        if content_type not in _HTML and not is_document(filename):
            return None, []
        links = page.links[:MOST_LINKS]
        if page.is_hidden:
            return None, links
        facts = {"links": links, **({"stamp": stamp} if stamp else {})}
        item = Item(
            key_of(address),
            lambda: answer.file,
            filename=filename,
            content_type=content_type,
            etag=tag_of(answer),
            modified=modified_of(answer.headers),
            url=answer.url,
            memo=memo_of(answer.headers, **facts),
        )
        return item, links

    def call(self, address: str, headers: Mapping[str, str]) -> Fetched:
        """Call a page, after the pause that is due. Raises ConnectorFault."""
        pause = max(self.connector.values["pause_ms"] / 1000, self.robots.pause(address))
        wait = self._last_call + pause - time.monotonic()
        if wait > 0 and self._last_call:
            time.sleep(wait)
        try:
            return fetched(self.connector.fetcher, address, headers=headers)
        finally:
            self._last_call = time.monotonic()

    def page(self, answer: Fetched) -> Page:
        """Return the links and wishes of an HTML page."""
        answer.file.seek(0)
        page = page_read(answer.read(), answer.url)
        answer.file.seek(0)
        return page

    def sitemap_pages(self, answer: Fetched) -> list[tuple[str, str]] | None:
        """Return the pages of a sitemap, and of those that it names, with their dates.

        None for what is no sitemap.
        """
        content_type = content_type_of(answer.headers)
        path = urlsplit(answer.url).path.lower()
        if content_type not in _XML and not path.endswith((".xml", ".xml.gz")):
            return None
        first = sitemap_read(answer.read())
        if first is None:
            return None
        pages, waiting = dict(first.pages), deque(first.maps)
        seen = {answer.url}
        while waiting and len(seen) < MOST_SITEMAPS:
            address = address_plain(waiting.popleft())
            if address in seen or urlsplit(address).netloc != self.host:
                continue
            seen.add(address)
            inner = self.call(address, {})
            if inner.status != 200:
                raise status_fault(inner)
            more = sitemap_read(inner.read())
            if more is not None:
                pages |= dict(more.pages)
                waiting.extend(more.maps)
        named = {address_plain(each): stamp for each, stamp in pages.items()}
        return [(each, stamp) for each, stamp in named.items() if self.is_ours(each)]

    def is_ours(self, address: str) -> bool:
        """Return whether an address belongs to what the feed reads."""
        parts = urlsplit(address)
        path = unquote(parts.path)
        suffix = PurePosixPath(path).suffix.lower()
        if parts.netloc != self.host or not path.startswith(self.folder):
            return False
        if len(address) > 2000 or any(fnmatch(path, each) for each in self._left_out()):
            return False
        return suffix in _PAGES or is_document(path) or len(suffix) > 6

    def _left_out(self) -> list[str]:
        patterns: list[str] = self.connector.values["leave_out"]
        return patterns

    def _settle(self, address: str) -> None:
        """Take an address for the first one: its host, and its folder unless all is wanted."""
        parts = urlsplit(address)
        self.host = parts.netloc
        is_map = parts.path.lower().endswith((".xml", ".xml.gz"))
        if not self.connector.values["whole_host"] and not is_map:
            self.folder = unquote(parts.path).rpartition("/")[0] + "/"


def _fault(before: KnownItem | None, address: str, message: str) -> tuple[Found, list[str]]:
    links = list(before.memo.get("links", [])) if before is not None else []
    return Fault(key_of(address), message), links
