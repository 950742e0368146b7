"""All that speaks for relating a node to others, as rows for editors to decide."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from knowledge.choices import EvidenceWay, NodeStatus, SuggestionStatus
from knowledge.models import DistinctPair, Node, NodeQuality, Relation, RelationSuggestion
from knowledge.relating.citing import cited_with
from knowledge.relating.evidence import Evidence, cited_strength, joint
from knowledge.relating.likeness import Surroundings, surroundings_of
from knowledge.relating.naming import named_in, names_in, names_of
from knowledge.relating.passages import Held
from project.locks import transaction_lock

LEAST = 0.5
"""Score from which a pair is worth an editor's time: of such pairs most are right."""
MOST_NEW = 8
"""Suggestions that a node may get at once; of more, the strongest."""
NAMES = (EvidenceWay.MENTION, EvidenceWay.ADDRESS)


@dataclass(frozen=True, slots=True)
class Pair:
    """A node and another, with what speaks for them."""

    other: uuid.UUID
    evidence: tuple[Evidence, ...]

    @property
    def score(self) -> float:
        """How strong it is together."""
        return round(joint(each.strength for each in self.evidence), 4)


def pairs_of(node: Node, known: Collection[uuid.UUID]) -> tuple[list[Pair], Surroundings]:
    """Return the pairs of a published node, strongest first, and what is near it.

    `known` names the nodes that a pair was suggested with before: they are looked at again, however
    far they have become. Pairs that are related already are left out.
    """
    surroundings = surroundings_of(node, None, also=known)
    found: dict[uuid.UUID, list[Evidence]] = defaultdict(list)
    for near in surroundings.near:
        found[near.node].append(_similar(near.strength, near.here, near.there))
    cited = cited_with(node.pk)
    for other in cited.others:
        strength = cited_strength(
            other.conversations, cited.conversations, other.conversations_there
        )
        if strength:
            counts = {"answers": other.answers, "conversations": other.conversations}
            found[other.node].append(Evidence(EvidenceWay.CITED, strength, counts))
    for named in (*names_in(node), *named_in(node)):
        found[named.node].append(named.evidence)
    for text in Node.objects.filter(pk__in=known, status=NodeStatus.PUBLISHED):
        held = {each.way for each in found[text.pk] if each.details.get("by") == str(text.pk)}
        found[text.pk] += [each for each in names_of(node, text) if each.way not in held]
    _duplicates(node.pk, found)
    allowed = _relatable(node, found)
    pairs = [Pair(other, tuple(found[other])) for other in allowed if found[other]]
    return sorted(pairs, key=lambda pair: (-pair.score, pair.other)), surroundings


def _similar(strength: float, here: Held, there: Held) -> Evidence:
    places = [
        {
            "node": str(held.node),
            "version": held.version,
            "start": held.start,
            "end": held.end,
        }
        for held in (here, there)
    ]
    return Evidence(EvidenceWay.SIMILAR, strength, {"passages": places})


def _duplicates(node_id: uuid.UUID, found: dict[uuid.UUID, list[Evidence]]) -> None:
    """Add what the checks found to be nearly the same text, unless somebody said it is not."""
    row = NodeQuality.objects.filter(node=node_id).only("findings").first()
    distinct = set(
        DistinctPair.objects.filter(Q(low=node_id) | Q(high=node_id)).values_list("low", "high")
    )
    for stored in row.findings if row else ():
        other = stored["details"].get("node")
        if stored["code"] not in {"duplicate", "near_duplicate"} or not other:
            continue
        low, high = sorted((node_id, uuid.UUID(other)))
        if (low, high) not in distinct:
            percent = int(stored["details"].get("percent", 100))
            evidence = Evidence(EvidenceWay.DUPLICATE, percent / 100, {"percent": percent})
            found[uuid.UUID(other)].append(evidence)


def _relatable(node: Node, found: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of the nodes are published and not related to the node in any way."""
    rows = Node.objects.filter(pk__in=list(found), status=NodeStatus.PUBLISHED)
    related = Relation.objects.filter(Q(source=node) | Q(target=node))
    joined = {each for pair in related.values_list("source_id", "target_id") for each in pair}
    return set(rows.exclude(pk=node.pk).values_list("pk", flat=True)) - joined


def suggested_with(node_id: uuid.UUID) -> set[uuid.UUID]:
    """Return the other nodes of the undecided suggestions of a node."""
    rows = RelationSuggestion.objects.filter(Q(source=node_id) | Q(target=node_id))
    pairs = rows.filter(status=SuggestionStatus.OPEN).values_list("source_id", "target_id")
    return {target if source == node_id else source for source, target in pairs}


@transaction.atomic
def pairs_store(node: Node, pairs: Iterable[Pair]) -> int:
    """Bring the undecided suggestions of a node in step with its pairs; return how many are new.

    What was decided stays as it is. May run twice, and beside another node's.
    """
    transaction_lock("knowledge.suggestions")
    rows = RelationSuggestion.objects.filter(Q(source=node) | Q(target=node))
    known = {row.target_id if row.source_id == node.pk else row.source_id: row for row in rows}
    kept: set[uuid.UUID] = set()
    made: list[RelationSuggestion] = []
    strong = [pair for pair in pairs if pair.score >= LEAST]
    spaces = dict(
        Node.objects.filter(pk__in=[pair.other for pair in strong]).values_list("pk", "space_id")
    )
    for pair in strong:
        row = known.get(pair.other)
        if row is not None:
            kept.add(pair.other)
            if row.status == SuggestionStatus.OPEN:
                _fill(row, pair)
                row.save(update_fields=["score", "ways", "evidence"])
        elif len(made) < MOST_NEW and pair.other in spaces:
            made.append(_row(node, pair, spaces[pair.other]))
    gone = [row.pk for other, row in known.items() if other not in kept]
    rows.filter(pk__in=gone, status=SuggestionStatus.OPEN).delete()
    RelationSuggestion.objects.bulk_create(made)
    return len(made)


def _row(node: Node, pair: Pair, other_space: uuid.UUID) -> RelationSuggestion:
    """Return a new row: a text points to what it names; of others the looked-at one points."""
    by = {each.details.get("by") for each in pair.evidence if each.way in NAMES}
    is_turned = by == {str(pair.other)}
    ends: dict[str, Any] = {
        "source_id": node.pk,
        "target_id": pair.other,
        "space_id": node.space_id,
    }
    if is_turned:
        ends = {"source_id": pair.other, "target_id": node.pk, "space_id": other_space}
    row = RelationSuggestion(**ends)
    _fill(row, pair)
    return row


def _fill(row: RelationSuggestion, pair: Pair) -> None:
    row.score = pair.score
    row.ways = sorted({str(each.way) for each in pair.evidence})
    strongest = sorted(pair.evidence, key=lambda each: -each.strength)
    row.evidence = [each.stored() for each in strongest]
