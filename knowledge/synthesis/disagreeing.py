"""Sentences of different nodes that cannot both be true: the check of the space's texts, live."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from knowledge.analysis import base_language
from knowledge.quality.claims import Claim
from knowledge.quality.clashes import Statement, settled, statements_of
from knowledge.quality.contradictions import Clash, clash_of
from knowledge.quality.neighbours import NearPassage, reader_of
from knowledge.synthesis.types import Disagreement, Sentence, citation_of
from knowledge.types import RetrievedPassage

MOST = 5
MOST_STATEMENTS = 600


def disagreements_of(
    passages: Sequence[RetrievedPassage],
    telling: Collection[int],
    space_id: uuid.UUID | None,
) -> list[Disagreement]:
    """Return what the passages say against each other, the likeliest first.

    Both sides are in passages of `telling`: what else was found is not of the topic.
    """
    found: list[tuple[Clash, Statement]] = []
    owners: dict[int, int] = {}  # of claims, by identity: two texts may claim the very same
    for language in sorted({base_language(each.language) for each in passages}):
        statements = _statements(passages, language)
        owners |= {id(each.claim): number for number, each in statements}
        found += _clashes(statements, telling)
    if not found:
        return []
    reader = reader_of(space_id, passages[0].language) if space_id else None
    return _told(settled(found, reader), passages, owners)


def _clashes(
    statements: Sequence[tuple[int, Statement]], telling: Collection[int]
) -> list[tuple[Clash, Statement]]:
    found: list[tuple[Clash, Statement]] = []
    by_term: dict[str, list[int]] = defaultdict(list)
    for number, (passage, there) in enumerate(statements):
        shared = Counter(n for term in there.claim.terms for n in by_term.get(term, ()))
        for other, count in shared.items():
            first, here = statements[other]
            is_told = first in telling and passage in telling
            if count < 2 or here.node == there.node or not is_told:
                continue
            clash = clash_of(here.claim, there.claim)
            if clash is not None:
                found.append((clash, there))
        for term in there.claim.terms:
            by_term[term].append(number)
    return found


def _statements(passages: Sequence[RetrievedPassage], language: str) -> list[tuple[int, Statement]]:
    """Return what the passages of a language claim, with the number of the passage."""
    rows: list[tuple[int, Statement]] = []
    seen: set[tuple[uuid.UUID, int]] = set()
    for number, each in enumerate(passages):
        near = NearPassage(
            each.chunk,
            each.node,
            each.title,
            each.version,
            each.start,
            each.text,
            each.language,
            each.heading_path,
        )
        for statement in statements_of([near], language):
            place = (each.node, statement.claim.sentence.start)
            if place not in seen:  # passages overlap
                seen.add(place)
                rows.append((number, statement))
    return rows[:MOST_STATEMENTS]


def _told(
    clashes: Sequence[tuple[Clash, Statement]],
    passages: Sequence[RetrievedPassage],
    owners: Mapping[int, int],
) -> list[Disagreement]:
    """Return the clashes with their places: of two nodes only the likeliest of each kind."""
    found: list[Disagreement] = []
    seen: set[tuple[object, ...]] = set()
    for clash, _statement in sorted(clashes, key=lambda each: -each[0].likeness):
        one = _side(clash.here, passages[owners[id(clash.here)]])
        other = _side(clash.there, passages[owners[id(clash.there)]])
        key = (clash.kind, *sorted(str(side.citations[0].node) for side in (one, other)))
        if key not in seen and len(found) < MOST:
            seen.add(key)
            found.append(Disagreement(clash.kind, (one, other)))
    return found


def _side(claim: Claim, passage: RetrievedPassage) -> Sentence:
    """Return what a claim says, with the citation of its place."""
    start, end = claim.sentence.start - passage.start, claim.sentence.end - passage.start
    return Sentence(claim.sentence.text, (citation_of(passage, start, end),))
