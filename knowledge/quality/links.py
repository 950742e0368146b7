"""Checks of links: wiki links, addresses of this site, headings, and the form of other addresses.

Nothing is fetched. What lies in other spaces is not looked at: who checks may not know of it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import Resolver404, resolve

from knowledge.choices import NodeStatus
from knowledge.linking import MAX_LENGTH
from knowledge.models import Node, NodeVersion
from knowledge.outline import outline
from knowledge.quality.types import Finding, NodeState, finding
from knowledge.wiki_links import WikiLink, find_wiki_links
from project.markdown import heading_slug, link_targets

MOST = 50
"""Findings of one kind in one text; more are told by the first of them."""

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_FOOTNOTE = re.compile(r"fn(?:ref)?\d")


@dataclass(frozen=True, slots=True)
class Target:
    """A node that links may lead to. `content` is None where it was not asked for."""

    node_id: uuid.UUID | None
    title: str
    status: str
    content: str | None = None


@dataclass(frozen=True)
class LinkTargets:
    """What the names and ids in a text stand for in its space."""

    by_name: Mapping[str, Target] = field(default_factory=dict)
    gone: frozenset[uuid.UUID] = frozenset()
    by_id: Mapping[uuid.UUID, Target] = field(default_factory=dict)


@dataclass(frozen=True)
class Links:
    """The links of a text. `targets` are Markdown links with the lines that their blocks begin on.

    `ids` are the nodes of this site among them.
    """

    content: str
    wiki: Sequence[WikiLink]
    targets: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, content: str) -> Links:
        """Find the links of a Markdown text."""
        return cls(content, find_wiki_links(content), link_targets(content))

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset of each line."""
        return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self.content))]

    @property
    def ids(self) -> set[uuid.UUID]:
        """The ids of the nodes that addresses of this site name."""
        return {node_id for href, _line in self.targets if (node_id := node_of(href)) is not None}

    def place(self, href: str, line: int) -> dict[str, int]:
        """Return where a target stands, as nearly as the source tells."""
        start = self.line_starts[min(line, len(self.line_starts) - 1)]
        for written in dict.fromkeys((href, unquote(href))):
            found = self.content.find(written, start)
            if found >= 0:
                return {"start": found, "end": found + len(written)}
        return {"start": start, "end": start}


def link_findings(state: NodeState, links: Links, known: LinkTargets) -> Iterator[Finding]:
    """Yield the links that lead nowhere, or where readers cannot follow."""
    own = {name.lower() for name in (state.title, state.external_id) if name}
    found: dict[tuple[str, str], Finding] = {}
    for link in links.wiki:
        for each in _wiki(state, link, known, own):
            found.setdefault((each.code, f"{link.title.lower()}#{link.heading or ''}"), each)
    for href, line in links.targets:
        for code, details in _address(state, href, known):
            found.setdefault(
                (code, href), finding(code, target=href, **details, **links.place(href, line))
            )
    counts: dict[str, int] = {}
    for each in found.values():
        counts[each.code] = counts.get(each.code, 0) + 1
        if counts[each.code] <= MOST:
            yield each


def _wiki(state: NodeState, link: WikiLink, known: LinkTargets, own: set[str]) -> Iterator[Finding]:
    name, place = link.title.lower(), {"start": link.start, "end": link.end}
    if name in own:
        if link.heading and not _has_heading(state.content, link.heading):
            target = f"{link.title}#{link.heading}"
            yield finding("broken_heading_link", target=target, **place)
        return
    target_node = known.by_name.get(name) if len(name) <= MAX_LENGTH else None
    if target_node is None:
        yield finding("broken_link", target=link.title, **place)
        return
    if target_node.status != NodeStatus.PUBLISHED:
        yield finding("link_unpublished", **_named(target_node), target=link.title, **place)
    if (
        link.heading
        and target_node.content is not None
        and not _has_heading(target_node.content, link.heading)
    ):
        target = f"{link.title}#{link.heading}"
        yield finding("broken_heading_link", target=target, **_named(target_node), **place)


def _named(target: Target) -> dict[str, str]:
    names = {"title": target.title}
    return names | ({"node": str(target.node_id)} if target.node_id else {})


def _has_heading(content: str, wanted: str) -> bool:
    return heading_slug(wanted) in {heading_slug(each.text) for each in outline(content).headings}


def _address(
    state: NodeState, href: str, known: LinkTargets
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield code and details of what is wrong with the address of a Markdown link or picture."""
    try:
        parts = urlsplit(href)
    except ValueError:
        yield "bad_url", {}
        return
    if parts.scheme or href.startswith("//"):
        if not _is_well_formed(parts.scheme.lower(), parts.netloc, parts.path):
            yield "bad_url", {}
        return
    if href.startswith("#"):
        if not _is_anchor(state.content, unquote(parts.fragment)):
            yield "broken_heading_link", {}
        return
    node_id = node_of(href)
    if node_id is not None:
        target = known.by_id.get(node_id)
        if node_id in known.gone:
            yield "broken_relative_link", {}
        elif target is not None and target.status != NodeStatus.PUBLISHED:
            yield "link_unpublished", _named(target)
    elif not _is_served(parts.path):
        yield "broken_relative_link", {}


def _is_anchor(content: str, fragment: str) -> bool:
    """Return whether the page of a text has an anchor: those of headings, and of footnotes."""
    if not fragment or _FOOTNOTE.match(fragment):
        return True
    seen: dict[str, int] = {}
    for heading in outline(content).headings:
        slug = heading_slug(heading.text)
        seen[slug] = seen.get(slug, 0) + 1
        if fragment == (f"h-{slug}" if seen[slug] == 1 else f"h-{slug}-{seen[slug]}"):
            return True
    return False


def _is_well_formed(scheme: str, netloc: str, path: str) -> bool:
    if scheme in {"http", "https"}:
        host = netloc.rpartition("@")[2]
        if host.startswith("["):
            return bool(re.fullmatch(r"\[[0-9a-f:.]+\](?::\d{1,5})?", host, re.IGNORECASE))
        name, _colon, port = host.partition(":")
        try:
            ascii_name = unquote(name).encode("idna").decode().lower() if name else ""
        except UnicodeError:
            return False
        return bool(_HOST.fullmatch(ascii_name)) and (not port or port.isdecimal())
    if scheme == "mailto":
        return bool(_MAIL.fullmatch(unquote(path)))
    return scheme == "tel" and any(letter.isdigit() for letter in path)


def node_of(href: str) -> uuid.UUID | None:
    """Return the node that an address of this site is the page of; None for any other."""
    match = re.match(r"/knowledge/nodes/([0-9a-fA-F-]{36})(?:/|$)", href)
    try:
        return uuid.UUID(match[1]) if match else None
    except ValueError:
        return None


def _is_served(path: str) -> bool:
    if not path.startswith("/"):
        return False
    if settings.STATIC_URL and path.startswith(settings.STATIC_URL):
        return True
    try:
        resolve(unquote(path))
    except Resolver404:
        return False
    return True


# -- what the names stand for ----------------------------------------------------------------------


def targets_of(state: NodeState, links: Links, others: Sequence[NodeState] = ()) -> LinkTargets:
    """Look up what the links of a state stand for, as if `others` were stored as they are."""
    names = {link.title.lower() for link in links.wiki if len(link.title) <= MAX_LENGTH}
    read = {link.title.lower() for link in links.wiki if link.heading}
    replaced = {other.node_id for other in others if other.node_id is not None}
    by_name: dict[str, Target] = {}
    for other in _published_first(others):
        target = Target(other.node_id, other.title, other.status, other.content)
        for name in _names_of(other):
            by_name.setdefault(name, target)
    missing = names - by_name.keys()
    rows = list(_rows(state.space_id, missing, replaced)) if missing else []
    contents: dict[uuid.UUID, str] = {}
    wanted = [pk for pk, title, alias, _status in rows if {title.lower(), alias.lower()} & read]
    if wanted:
        contents = dict(Node.objects.filter(pk__in=wanted).values_list("pk", "content"))
    for pk, title, alias, status in rows:
        for name in {title.lower(), alias.lower()} & missing:
            by_name.setdefault(name, Target(pk, title, status, contents.get(pk)))
    by_id, gone = _by_id(state.space_id, links.ids, others)
    return LinkTargets(by_name, gone, by_id)


def _names_of(state: NodeState) -> Iterable[str]:
    return (name.lower() for name in (state.title, state.external_id) if name)


def _published_first(states: Sequence[NodeState]) -> list[NodeState]:
    return sorted(states, key=lambda each: each.status != NodeStatus.PUBLISHED)


def _rows(
    space_id: uuid.UUID, names: set[str], replaced: set[uuid.UUID]
) -> Iterator[tuple[uuid.UUID, str, str, str]]:
    rows = (
        Node.objects.filter(space=space_id)
        .exclude(pk__in=replaced)
        .annotate(name=Lower("title"), alias=Lower("external_id"))
        .filter(Q(name__in=names) | Q(alias__in=names))
        .order_by("created_at", "pk")
        .values_list("pk", "title", "external_id", "status")
    )
    found = [(pk, title, alias or "", status) for pk, title, alias, status in rows]
    return iter(sorted(found, key=lambda row: row[3] != NodeStatus.PUBLISHED))


def _by_id(
    space_id: uuid.UUID, ids: set[uuid.UUID], others: Sequence[NodeState]
) -> tuple[dict[uuid.UUID, Target], frozenset[uuid.UUID]]:
    if not ids:
        return {}, frozenset()
    rows = Node.objects.filter(pk__in=ids, space=space_id).values_list("pk", "title", "status")
    found = {pk: Target(pk, title, status) for pk, title, status in rows}
    for other in others:
        if other.node_id in ids:
            found[other.node_id] = Target(other.node_id, other.title, other.status)
    known = NodeVersion.objects.filter(id__in=ids - found.keys(), space_id=space_id)
    return found, frozenset(known.values_list("id", flat=True))
