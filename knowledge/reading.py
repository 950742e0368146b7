"""What the reading page shows of a node: one version, and a passage of it with its surroundings."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from knowledge.models import Node
from knowledge.outline import outline
from knowledge.querysets import Reader
from project.markdown import LinkResolver, heading_slug, render_markdown, render_passage

CONTEXT_CHARS = 6000
"""How much text the side panel shows before and after a passage of a long node."""

MOST_RELATIONS = 60


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage in its context: safe HTML, the headings above it, and where the source had it."""

    html: str
    headings: tuple[str, ...]
    place: str
    is_cut_before: bool
    is_cut_after: bool


def wiki_links(node: Node, user: Reader) -> LinkResolver:
    """Return how `[[Title]]` in the text of `node` becomes an address that `user` may open."""
    known: dict[str, str | None] = {}

    def resolve(title: str, heading: str | None) -> str | None:
        key = title.casefold()
        if key not in known:
            target = (
                Node.objects.visible_to(user)
                .filter(space_id=node.space_id, title__iexact=title)
                .only("pk", "version")
                .first()
            )
            known[key] = None if target is None else target.get_absolute_url()
        url = known[key]
        return f"{url}#h-{heading_slug(heading)}" if url and heading else url

    return resolve


def rendered(content: str, span: tuple[int, int] | None, resolver: LinkResolver) -> str:
    """Return a whole text as safe HTML, with the passage at `span` marked."""
    if span is None:
        return render_markdown(content, link_resolver=resolver, heading_ids=True)
    return render_passage(content, *span, link_resolver=resolver)


def passage_of(version: Any, span: tuple[int, int], resolver: LinkResolver) -> Passage:
    """Return the passage at `span` of a version, with about CONTEXT_CHARS on both sides."""
    content: str = version.content
    start, end = span
    first, last = _surroundings(content, start, end)
    return Passage(
        html=render_passage(
            content[first:last], start - first, end - first, link_resolver=resolver
        ),
        headings=heading_path(content, start),
        place=place_of(version.anchors, start),
        is_cut_before=first > 0,
        is_cut_after=last < len(content),
    )


def _surroundings(content: str, start: int, end: int) -> tuple[int, int]:
    """Return a cut around the passage that begins at a heading and ends at a blank line."""
    if len(content) <= 2 * CONTEXT_CHARS + (end - start):
        return 0, len(content)
    first = 0
    if start > CONTEXT_CHARS:
        # A heading is never inside a list or a fence, so cutting there changes no meaning.
        starts = [heading.start for heading in outline(content).headings]
        index = bisect_right(starts, start) - 1
        near = index >= 0 and starts[index] >= start - 2 * CONTEXT_CHARS
        first = starts[index] if near else _blank_line(content, start - CONTEXT_CHARS, start)
    last = content.find("\n\n", end + CONTEXT_CHARS)
    return first, len(content) if last < 0 else last


def _blank_line(content: str, low: int, high: int) -> int:
    found = content.find("\n\n", low, high)
    return low if found < 0 else found + 2


def heading_path(content: str, offset: int) -> tuple[str, ...]:
    """Return the headings above `offset`, outermost first."""
    path: list[tuple[int, str]] = []
    for heading in outline(content).headings:
        if heading.start > offset:
            break
        path = [item for item in path if item[0] < heading.level]
        path.append((heading.level, heading.text))
    return tuple(text for _level, text in path)


def place_of(anchors: list[dict[str, Any]], offset: int) -> str:
    """Return the page or sheet of the source that holds `offset` as words, or nothing."""
    for anchor in anchors:
        if anchor.get("start", 0) <= offset < anchor.get("end", 0):
            if anchor.get("label"):
                return str(anchor["label"])
            return _("page %(page)s") % {"page": anchor["page"]} if anchor.get("page") else ""
    return ""


def relation_words(kind: str, *, is_outgoing: bool) -> str:
    """Return how a page says what a neighbour is to its node: it, or the other one, points."""
    known = {
        "links_to": (_("linked in this text"), _("links here")),
        "related_to": (_("related"), _("related")),
        "part_of": (_("this is part of it"), _("is part of this")),
        "depends_on": (_("this depends on it"), _("depends on this")),
        "caused_by": (_("caused this"), _("caused by this")),
        "explains": (_("explained here"), _("explains this")),
        "supersedes": (_("replaced by this"), _("replaces this")),
        "summarises": (_("summarised by this"), _("summarises this")),
        "translation_of": (_("translation"), _("translation")),
    }
    if kind in known:
        return known[kind][0 if is_outgoing else 1]
    words = kind.replace("_", " ")
    return words if is_outgoing else _("%(kind)s, from there") % {"kind": words}
