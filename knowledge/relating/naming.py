"""Titles, external ids and addresses of nodes in the texts of others, where no wiki link is.

A title is looked up among the stretches of words of a text through an index of titles, so the work
grows with the text and not with the space.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from knowledge.analysis import terms_of
from knowledge.choices import EvidenceWay, NodeStatus
from knowledge.models import Chunk, Node
from knowledge.relating.evidence import ADDRESSED, NAMED, Evidence
from knowledge.retrieval._shelves import Statement, quoted
from knowledge.wiki_links import find_wiki_links

MOST_WORDS = 6000
"""Of a text, that are looked at."""
LONGEST = 10  # words of a title
MOST_TEXTS = 40
"""Passages that may name a node, looked at."""
LEAST_CHARS = 8
OTHER_CASE = 0.75
"""What a name is worth that is written with other capitals than the title."""

_WORD = re.compile(r"\w+")
_NODE = re.compile(
    r"/knowledge/nodes/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)
_URL = re.compile(r"https?://[^\s<>\"'\])|]+")


@dataclass(frozen=True, slots=True)
class Named:
    """That a text names another node, at a place in its version."""

    node: uuid.UUID
    evidence: Evidence


def names_in(node: Node) -> list[Named]:
    """Return the published nodes that the text of a node names, each once per way."""
    text = _unlinked(node.content)
    found: dict[tuple[uuid.UUID, str], Named] = {}
    for named in (*_titles(node, text), *_addresses(node, text)):
        if named.node != node.pk:
            found.setdefault((named.node, str(named.evidence.way)), named)
    return list(found.values())


def names_of(node: Node, text_of: Node) -> list[Evidence]:
    """Return how the text of one node names another, each way once."""
    text = _unlinked(text_of.content)
    found = []
    for name in (node.title, node.external_id or ""):
        match = _pattern(name).search(text) if _is_telling(name) else None
        if match and (name == node.title or match[0] == name):
            found.append(_named(text_of.pk, text_of.version, match.start(), match[0], name))
            break
    address = next((m for m in _NODE.finditer(text) if m[1] == str(node.pk)), None)
    return [*found, _addressed(text_of, address)] if address else found


def named_in(node: Node) -> list[Named]:
    """Return the published nodes of the space whose texts name a node, each once."""
    if not _is_telling(node.title):
        return []
    words = sorted(set(terms_of(node.title, node.language)))
    if not words:
        return []
    query = " & ".join(quoted(words))
    rows = (
        Chunk.objects.filter(space=node.space_id, node__status=NodeStatus.PUBLISHED)
        .exclude(node=node.pk)
        .extra(where=["search @@ %s::tsquery"], params=[query])
        .order_by("node", "position")
    )
    pattern = _pattern(node.title)
    found: dict[uuid.UUID, Named] = {}
    for row in rows.only("node_id", "version", "start", "text")[:MOST_TEXTS]:
        match = pattern.search(_unlinked(row.text))
        if match and row.node_id not in found:
            start = row.start + match.start()
            evidence = _named(row.node_id, row.version, start, match[0], node.title)
            found[row.node_id] = Named(row.node_id, evidence)
    return list(found.values())


def _titles(node: Node, text: str) -> Iterator[Named]:
    """Yield what stretches of words of the text are titles or external ids of the space."""
    words = list(_WORD.finditer(text))[:MOST_WORDS]
    places: dict[str, tuple[int, int]] = {}
    for first, word in enumerate(words):
        for last in words[first : first + LONGEST]:
            stretch = " ".join(text[word.start() : last.end()].split())
            if "\n\n" in text[word.start() : last.end()]:
                break
            if _is_telling(stretch):
                places.setdefault(stretch.lower(), (word.start(), last.end()))
    if not places:
        return
    exact = [" ".join(text[start:end].split()) for start, end in places.values()]
    statement = Statement()
    for field, called, names in (
        ("title", "lower(title)", list(places)),
        ("external_id", "external_id", exact),
    ):
        statement.add(
            f"{' UNION ALL ' if statement.parts else ''}"  # noqa: S608 - names of ours
            f"SELECT id, {field} FROM knowledge_node "
            f"WHERE space_id = %s AND status = %s AND {called} = ANY(%s)",
            *(node.space_id, NodeStatus.PUBLISHED, names),
        )
    for pk, name in statement.run():
        start, end = places[name.lower()]
        yield Named(pk, _named(node.pk, node.version, start, text[start:end], name))


def _addresses(node: Node, text: str) -> Iterator[Named]:
    """Yield the nodes whose pages, or whose sources, the text gives the address of."""
    by_id = {uuid.UUID(match[1]): match for match in _NODE.finditer(text)}
    by_origin = {match[0].rstrip(".,;:!?"): match for match in _URL.finditer(text)}
    published = Node.objects.filter(status=NodeStatus.PUBLISHED)
    for pk in published.filter(pk__in=by_id).values_list("pk", flat=True):
        yield Named(pk, _addressed(node, by_id[pk]))
    if by_origin:
        rows = published.filter(space=node.space_id, source__origin__in=list(by_origin))
        for pk, origin in rows.values_list("pk", "source__origin"):
            yield Named(pk, _addressed(node, by_origin[origin]))


def _named(by: uuid.UUID, version: int, start: int, written: str, name: str) -> Evidence:
    is_exact = " ".join(written.split()) == name
    return Evidence(
        EvidenceWay.MENTION,
        NAMED if is_exact else NAMED * OTHER_CASE,
        _place(by, version, start, start + len(written)),
    )


def _addressed(node: Node, match: re.Match[str]) -> Evidence:
    place = _place(node.pk, node.version, match.start(), match.end())
    return Evidence(EvidenceWay.ADDRESS, ADDRESSED, place)


def _place(by: uuid.UUID, version: int, start: int, end: int) -> dict[str, Any]:
    return {"by": str(by), "version": version, "start": start, "end": end}


def _is_telling(name: str) -> bool:
    """Return whether a name can hardly stand in a text by chance."""
    if len(name) < LEAST_CHARS and not any(letter.isdigit() for letter in name):
        return False
    return len(name) >= 4 and (" " in name or any(letter.isdigit() for letter in name))


def _pattern(title: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in title.split())
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _unlinked(markdown: str) -> str:
    """Return a text of the same length without its wiki links: these are relations already."""
    parts, at = [], 0
    for link in find_wiki_links(markdown):
        if link.start >= at:
            parts += [markdown[at : link.start], "\n\n".ljust(link.end - link.start, "\n")]
            at = link.end
    return "".join([*parts, markdown[at:]])
