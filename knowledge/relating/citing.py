"""What answers cite together. Apps that answer tell it through `cocitations_asked`, as counts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from knowledge.models import Node
from knowledge.signals import cocitations_asked


@dataclass(frozen=True, slots=True)
class CitedTogether:
    """Another node: in how many answers and conversations both are cited, and in how many it is."""

    node: uuid.UUID
    answers: int
    conversations: int
    conversations_there: int


@dataclass(frozen=True, slots=True)
class CitedWith:
    """In how many conversations a node is cited, and what is cited there besides."""

    conversations: int
    others: tuple[CitedTogether, ...] = ()


def cited_with(node_id: uuid.UUID) -> CitedWith:
    """Return what is cited together with a node, most often first."""
    answers = cocitations_asked.send(sender=Node, node_id=node_id)
    told = [each for _receiver, each in cast("Iterable[tuple[object, CitedWith]]", answers)]
    others = sorted(
        (other for each in told for other in each.others), key=lambda other: -other.conversations
    )
    return CitedWith(sum(each.conversations for each in told), tuple(others))
