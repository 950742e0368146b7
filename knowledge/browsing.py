"""Looking through knowledge on a page: what is wanted, what can be chosen, what is found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from knowledge.models import Node, Space
from knowledge.querysets import Reader
from knowledge.retrieval import search
from knowledge.types import SearchRequest

NEWEST = 30
RESULTS = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a visitor asked for; empty fields restrict nothing."""

    query: str = ""
    space: str = ""
    kind: str = ""
    language: str = ""

    @classmethod
    def from_query(cls, values: Mapping[str, str]) -> "Wanted":
        """Read the parameters `q`, `space`, `kind` and `language` of an address."""
        return cls(
            query=values.get("q", "").strip()[:500],
            space=values.get("space", "")[:80],
            kind=values.get("kind", "")[:40],
            language=values.get("language", "")[:10],
        )

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the words restricts the search."""
        return bool(self.space or self.kind or self.language)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the visitor may choose from."""

    spaces: list[Space]
    kinds: list[str]
    languages: list[str]


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of the page: a node, and where a search found it, the passage."""

    node: Node
    url: str
    snippet: str = ""
    headings: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The rows; of a search, also its time, the legs that did not work, and if more matched."""

    hits: list[Hit]
    took_ms: int | None = None
    degraded: list[str] = field(default_factory=list)
    is_cut: bool = False


def choices(user: Reader) -> Choices:
    """Return the spaces, kinds and languages of what `user` can find."""
    nodes = Node.objects.searchable_by(user)
    return Choices(
        spaces=list(Space.objects.visible_to(user).order_by("name")),
        kinds=sorted(nodes.order_by().values_list("kind", flat=True).distinct()),
        languages=sorted(nodes.order_by().values_list("language", flat=True).distinct()),
    )


def find(wanted: Wanted, user: Reader) -> Found:
    """Return what a search for the words finds, or the newest nodes where there are none."""
    if wanted.query:
        return _search(wanted, user)
    nodes = Node.objects.searchable_by(user).select_related("space").defer("content")
    if wanted.space:
        nodes = nodes.filter(space__slug=wanted.space)
    if wanted.kind:
        nodes = nodes.filter(kind=wanted.kind)
    if wanted.language:
        nodes = nodes.filter(language=wanted.language)
    newest = nodes.order_by("-updated_at", "pk")[:NEWEST]
    return Found(hits=[Hit(node=node, url=node.get_absolute_url()) for node in newest])


def _search(wanted: Wanted, user: Reader) -> Found:
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
    )
    response = search(request, user=user)
    found = Node.objects.searchable_by(user).select_related("space").defer("content")
    nodes = found.in_bulk([result.node for result in response.results])
    hits = [
        Hit(nodes[each.node], each.url, each.snippet, each.heading_path, each.page)
        for each in response.results
        if each.node in nodes
    ]
    return Found(hits, response.took_ms, response.degraded, is_cut=len(hits) >= RESULTS)
