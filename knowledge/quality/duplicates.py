"""Nodes of the space with the same text, or nearly the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q

from knowledge.choices import NodeStatus
from knowledge.models import DistinctPair, Node, NodeQuality
from knowledge.quality.texts import bands, hash_of, jaccard, normalised, shingles
from knowledge.quality.types import Finding, NodeState, finding

NEAR_JACCARD = 0.35
"""Of shingles of four words."""
NEAR_COSINE = 0.82
"""Mean of passages with their titles; both measured by benchmarks/duplicate_quality.py."""
MOST = 5
MOST_CANDIDATES = 60


@dataclass(frozen=True, slots=True)
class Print:
    """What finds a text again: hash, shingles and their signature."""

    hash: str
    marks: frozenset[int]
    bands: tuple[int, ...]

    @classmethod
    def of(cls, content: str) -> Print:
        """Take the print of a Markdown text."""
        words = normalised(content)
        marks = shingles(words)
        return cls(hash_of(words), marks, tuple(bands(marks)))


def duplicate_findings(
    state: NodeState,
    print_: Print,
    likeness: Mapping[uuid.UUID, float],
    others: Sequence[NodeState] = (),
) -> Iterator[Finding]:
    """Yield the texts that are the same, then those that are nearly so, most alike first.

    `likeness` holds the cosines of neighbours; `others` stand in for the nodes they replace.
    """
    if not print_.hash:
        return
    replaced = {other.node_id for other in others if other.node_id}
    distinct = _distinct_from(state.node_id)
    same: dict[object, str] = {}
    near: dict[object, tuple[float, str]] = {}
    for node, title, content in _candidates(state, print_, likeness, replaced | distinct):
        _compare(print_, node, title, content, same, near)
        cosine = likeness.get(node, 0.0)
        if node not in same and cosine >= NEAR_COSINE and cosine > near.get(node, (0.0, ""))[0]:
            near[node] = (cosine, title)
    for number, other in enumerate(others):
        is_other = other.node_id is None or other.node_id not in {state.node_id, *distinct}
        if other.status != NodeStatus.ARCHIVED and is_other:
            key: object = other.node_id or number
            _compare(print_, key, other.title, other.content, same, near)
    for key, name in list(same.items())[:MOST]:
        yield finding("duplicate", title=name, node=_id(key))
    for key, (share, name) in sorted(near.items(), key=lambda item: -item[1][0])[:MOST]:
        yield finding("near_duplicate", title=name, node=_id(key), percent=round(share * 100))


def _distinct_from(node_id: uuid.UUID | None) -> set[uuid.UUID]:
    """Return the nodes of which somebody said that they are no duplicates of this one."""
    if node_id is None:
        return set()
    rows = DistinctPair.objects.filter(Q(low=node_id) | Q(high=node_id))
    return {high if low == node_id else low for low, high in rows.values_list("low", "high")}


def _id(key: object) -> str | None:
    return str(key) if isinstance(key, uuid.UUID) else None


def _compare(
    print_: Print,
    key: object,
    title: str,
    content: str,
    same: dict[object, str],
    near: dict[object, tuple[float, str]],
) -> None:
    words = normalised(content)
    if hash_of(words) == print_.hash:
        same[key] = title
        return
    share = jaccard(print_.marks, shingles(words))
    if share >= NEAR_JACCARD:
        near[key] = (share, title)


def _candidates(
    state: NodeState,
    print_: Print,
    likeness: Mapping[uuid.UUID, float],
    replaced: set[uuid.UUID],
) -> Iterator[tuple[uuid.UUID, str, str]]:
    """Yield id, title and text of the nodes that may be duplicates, drafts among them."""
    rows = NodeQuality.objects.filter(space=state.space_id)
    ids = set(rows.filter(text_hash=print_.hash).values_list("node", flat=True)[:MOST_CANDIDATES])
    if print_.bands:
        alike = rows.filter(bands__overlap=list(print_.bands)).order_by("node")
        ids |= set(alike.values_list("node", flat=True)[:MOST_CANDIDATES])
    ids |= {node for node, cosine in likeness.items() if cosine >= NEAR_COSINE}
    ids -= replaced | ({state.node_id} if state.node_id else set())
    nodes = Node.objects.filter(pk__in=ids, space=state.space_id)
    nodes = nodes.exclude(status=NodeStatus.ARCHIVED).order_by("created_at", "pk")
    yield from nodes.values_list("pk", "title", "content")
