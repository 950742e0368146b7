"""Looking through knowledge on a page: what is wanted, what can be chosen, what is found."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from knowledge.marking import Part, marked, terms_asked
from knowledge.models import Node, Release, Space
from knowledge.moments import Moment
from knowledge.past_reading import asked_moment, page_url, releases_offered, versions_in
from knowledge.querysets import Reader
from knowledge.retrieval import search
from knowledge.types import Correction, SearchRequest, SearchResult

NEWEST = 30
RESULTS = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a visitor asked for; empty fields restrict nothing."""

    query: str = ""
    space: str = ""
    kind: str = ""
    language: str = ""
    as_of: str = ""
    release: str = ""

    @classmethod
    def from_query(cls, values: Mapping[str, str]) -> "Wanted":
        """Read the parameters of an address: `q`, filters, and the state that it asks."""
        return cls(
            query=values.get("q", "").strip()[:500],
            space=values.get("space", "")[:80],
            kind=values.get("kind", "")[:40],
            language=values.get("language", "")[:10],
            as_of="" if values.get("release") else values.get("as_of", "").strip()[:40],
            release=values.get("release", "").strip()[:120],
        )

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the words restricts the search."""
        return bool(self.space or self.kind or self.language)

    @property
    def today_query(self) -> str:
        """The parameters that ask the same of the present state."""
        asked = {
            "q": self.query,
            "space": self.space,
            "kind": self.kind,
            "language": self.language,
        }
        return urlencode({name: value for name, value in asked.items() if value})

    @property
    def day(self) -> str:
        """The day of the moment that is asked, for a date field."""
        return self.as_of[:10]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the visitor may choose from."""

    spaces: list[Space]
    kinds: list[str]
    languages: list[str]
    releases: list[Release]


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of the page: a node or a version of one, and where a search found it, the passage.

    `title` and `snippet` are in parts: words of the question, and what is between them.
    """

    node: Any
    url: str
    title: list[Part]
    snippet: list[Part] = field(default_factory=list)
    headings: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The rows; of a search, also its time, the legs that did not work, and if more matched.

    `corrections` are the words that results were found by in the place of misspelled ones.
    """

    hits: list[Hit]
    took_ms: int | None = None
    degraded: list[str] = field(default_factory=list)
    is_cut: bool = False
    moment: Moment | None = None
    corrections: tuple[Correction, ...] = ()
    has_words: bool = True
    """Whether a word of the question stands in what is shown; else its meaning alone found it."""


def choices(user: Reader) -> Choices:
    """Return the spaces, kinds and languages of what `user` can find."""
    nodes = Node.objects.searchable_by(user)
    return Choices(
        spaces=list(Space.objects.visible_to(user).order_by("name")),
        kinds=sorted(nodes.order_by().values_list("kind", flat=True).distinct()),
        languages=sorted(nodes.order_by().values_list("language", flat=True).distinct()),
        releases=releases_offered(user),
    )


def find(wanted: Wanted, user: Reader) -> Found:
    """Return what a search for the words finds, or the newest nodes where there are none.

    Raises Invalid for a state that there is not.
    """
    moment = asked_moment({"as_of": wanted.as_of, "release": wanted.release}, user)
    if wanted.query:
        return _search(wanted, user, moment)
    if moment is not None:
        return _newest_then(wanted, user, moment)
    nodes = Node.objects.searchable_by(user).select_related("space").defer("content")
    if wanted.space:
        nodes = nodes.filter(space__slug=wanted.space)
    if wanted.kind:
        nodes = nodes.filter(kind=wanted.kind)
    if wanted.language:
        nodes = nodes.filter(language=wanted.language)
    newest = nodes.order_by("-updated_at", "pk")[:NEWEST]
    return Found([Hit(node, node.get_absolute_url(), _plain(node.title)) for node in newest])


def _newest_then(wanted: Wanted, user: Reader, moment: Moment) -> Found:
    rows = versions_in(user, moment).select_related("space").defer("content")
    if wanted.space:
        rows = rows.filter(space__slug=wanted.space)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.language:
        rows = rows.filter(language=wanted.language)
    newest = list(rows.order_by("-history_date", "id")[:NEWEST])
    for row in newest:
        row.updated_at = row.history_date
    hits = [Hit(row, page_url(row, moment), _plain(row.title)) for row in newest]
    return Found(hits, moment=moment)


def _search(wanted: Wanted, user: Reader, moment: Moment | None) -> Found:
    spaces = None
    if wanted.space:
        rows = Space.objects.visible_to(user).filter(slug=wanted.space)
        spaces = tuple(rows.values_list("pk", flat=True))
    request = SearchRequest(
        query=wanted.query,
        limit=RESULTS,
        spaces=spaces,
        kinds=(wanted.kind,) if wanted.kind else None,
        language=wanted.language or None,
        as_of=moment.as_of if moment is not None else None,
        release=str(moment.release.pk) if moment is not None and moment.release else None,
    )
    response = search(request, user=user)
    wanted_nodes = [result.node for result in response.results]
    nodes: dict[uuid.UUID, Any]
    if moment is None:
        now = Node.objects.searchable_by(user).select_related("space").defer("content")
        nodes = now.in_bulk(wanted_nodes)
    else:
        then = versions_in(user, moment).filter(id__in=wanted_nodes).select_related("space")
        nodes = {row.id: row for row in then}
    asked = (wanted.query, *(used for each in response.corrections for used in each.used))
    hits = [_hit(nodes[each.node], each, asked) for each in response.results if each.node in nodes]
    return Found(
        hits,
        response.took_ms,
        response.degraded,
        is_cut=len(hits) >= RESULTS,
        moment=moment,
        corrections=response.corrections,
        has_words=any(_has_words(hit, asked) for hit in hits),
    )


def _hit(node: Any, result: SearchResult, asked: tuple[str, ...]) -> Hit:
    terms = terms_asked(asked, node.language)
    return Hit(
        node,
        result.url,
        marked(node.title, terms, node.language),
        marked(result.snippet, terms, node.language),
        result.heading_path,
        result.page,
    )


def _has_words(hit: Hit, asked: tuple[str, ...]) -> bool:
    """Whether what is shown of a hit has a term of the question, if that has any."""
    language = hit.node.language
    terms = terms_asked(asked, language)
    texts = (hit.node.title, "".join(part.text for part in hit.snippet), *hit.headings)
    return not terms or not terms.isdisjoint(terms_asked(texts, language))


def _plain(title: str) -> list[Part]:
    return [Part(title, is_marked=False)]
