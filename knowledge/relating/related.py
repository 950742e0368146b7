"""The nodes related to a node, for a reader: with the reasons, best first."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.choices import RelationStatus
from knowledge.models import Node, Relation
from knowledge.querysets import Reader
from knowledge.reading import relation_words
from knowledge.relating.citing import cited_with
from knowledge.relating.evidence import FEWEST, cited_strength, joint
from knowledge.relating.likeness import surroundings_of
from knowledge.retrieval._view import one_view

LEAST = 0.4
"""Strength from which a likeness is worth a reader's time."""
LINKED = 0.9
"""What a confirmed relation of weight 1 says."""
MOST_RELATIONS = 60
MOST_LINKED = 10
"""Related nodes that are shown besides a page, at most; the list over REST has its own limit."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node is related: `way` is linked, similar or cited, `words` say it to a person."""

    way: str
    words: str
    strength: float


@dataclass(frozen=True, slots=True)
class RelatedNode:
    """A related node; `score` from 0 to 1 is how strong its reasons are together."""

    node: Node
    score: float
    reasons: tuple[Reason, ...]

    @property
    def url(self) -> str:
        """The address of its reading page."""
        return self.node.get_absolute_url()

    @property
    def ways(self) -> tuple[str, ...]:
        """The reasons in words."""
        return tuple(each.words for each in self.reasons)


def related_of(node: Node, user: Reader, *, limit: int = MOST_LINKED) -> list[RelatedNode]:
    """Return at most `limit` nodes related to a node that a reader may open, strongest first."""
    reasons: dict[uuid.UUID, list[Reason]] = defaultdict(list)
    with one_view():
        _linked(node, user, reasons)
        _cited(node.pk, reasons)
        for near in surroundings_of(node, user).near:
            if near.strength >= LEAST or near.node in reasons:
                words = _("similar text")
                reasons[near.node].append(Reason("similar", words, round(near.strength, 4)))
        nodes = Node.objects.visible_to(user).filter(pk__in=reasons).select_related("space")
        rows = nodes.defer("content", "metadata", "anchors", "wiki_links")
        found = [
            RelatedNode(row, round(joint(each.strength for each in why), 4), tuple(why))
            for row in rows
            if (why := reasons[row.pk])
        ]
    return sorted(found, key=lambda each: (-each.score, each.node.title))[:limit]


def _linked(node: Node, user: Reader, reasons: dict[uuid.UUID, list[Reason]]) -> None:
    rows = Relation.objects.visible_to(user).filter(Q(source=node) | Q(target=node))
    confirmed = rows.filter(status=RelationStatus.CONFIRMED).order_by("-weight", "kind", "id")
    for source, target, kind, weight in confirmed.values_list(
        "source_id", "target_id", "kind", "weight"
    )[:MOST_RELATIONS]:
        is_outgoing = source == node.pk
        words = relation_words(kind, is_outgoing=is_outgoing)
        held = reasons[target if is_outgoing else source]
        if all(each.words != words for each in held):
            held.append(Reason("linked", words, round(LINKED * weight, 4)))


def _cited(node_id: uuid.UUID, reasons: dict[uuid.UUID, list[Reason]]) -> None:
    told = cited_with(node_id)
    for other in told.others:
        if other.conversations < FEWEST:
            continue
        strength = cited_strength(
            other.conversations, told.conversations, other.conversations_there
        )
        text = ngettext(
            "cited together in %(count)s answer",
            "cited together in %(count)s answers",
            other.answers,
        )
        words = text % {"count": other.answers}
        reasons[other.node].append(Reason("cited", words, round(strength, 4)))
