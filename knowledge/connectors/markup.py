"""Reading what web pages and sitemaps say about other pages."""

import gzip
import io
import zlib
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from project.http.fetching import address_plain

_MOST_MAP = 50 * 1024 * 1024  # bytes of a sitemap, as sitemaps.org has it


@dataclass(frozen=True, slots=True)
class Page:
    """The links of a page that may be followed; hidden when it asks not to be indexed."""

    links: list[str] = field(default_factory=list)
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Sitemap:
    """Pages with the dates of their changes ("" without one), and further sitemaps."""

    pages: list[tuple[str, str]]
    maps: list[str]


def page_read(data: bytes, url: str) -> Page:
    """Return the links of an HTML page, absolute, in order, each once."""
    from bs4 import BeautifulSoup
    from bs4.filter import SoupStrainer

    soup = BeautifulSoup(data, "lxml", parse_only=SoupStrainer(["a", "base", "meta"]))
    wishes = {
        word.strip()
        for tag in soup.find_all("meta")
        if str(tag.get("name", "")).lower() == "robots"
        for word in str(tag.get("content", "")).lower().split(",")
    }
    is_hidden = bool(wishes & {"noindex", "none"})
    if wishes & {"nofollow", "none"}:
        return Page(is_hidden=is_hidden)
    base = soup.find("base", href=True)
    links: dict[str, None] = {}
    for anchor in soup.find_all("a", href=True):
        if "nofollow" in str(anchor.get("rel", "")).lower():
            continue
        link = _absolute(url, str(base["href"]) if base else "", str(anchor["href"]))
        if link:
            links[link] = None
    return Page(list(links), is_hidden)


def _absolute(url: str, base: str, target: str) -> str:
    """Return where a link leads, "" for what is no web address."""
    try:
        link = urljoin(urljoin(url, base), target.strip())
        return address_plain(link) if urlsplit(link).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def sitemap_read(data: bytes) -> Sitemap | None:
    """Return what a sitemap or an index of sitemaps names; None for anything else."""
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(_MOST_MAP + 1)
        except (OSError, EOFError, zlib.error):
            return None
    if len(data) > _MOST_MAP:
        return None
    try:
        root = ElementTree.fromstring(data, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError):
        return None
    kind = root.tag.rpartition("}")[2]
    if kind not in {"urlset", "sitemapindex"}:
        return None
    named: list[tuple[str, str]] = []
    for entry in root:
        facts = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in entry}
        if facts.get("loc"):
            named.append((facts["loc"], facts.get("lastmod", "")[:60]))
    if kind == "urlset":
        return Sitemap(named, [])
    return Sitemap([], [address for address, _date in named])
