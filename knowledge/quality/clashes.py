"""Contradictions between a text and its neighbours, with the places of both sentences."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from knowledge.analysis import base_language
from knowledge.quality.claims import Claim, claim_of
from knowledge.quality.contradictions import NEAR_COSINE, Clash, clash_of
from knowledge.quality.neighbours import NearPassage, Reader
from knowledge.quality.sentences import Sentence, sentences
from knowledge.quality.types import Finding, NodeState, finding
from project.inference.types import EmbeddingUnavailable

log = structlog.get_logger(__name__)

MOST = 8  # findings
MOST_SENTENCES = 600  # of the text
MOST_UNSURE = 16
"""Pairs that the model is asked about."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim of another text, and where it stands there."""

    node: uuid.UUID | None
    title: str
    version: int | None
    claim: Claim


def clash_findings(
    state: NodeState,
    found: Sequence[Sentence],
    statements: Iterable[Statement],
    reader: Reader | None,
) -> Iterator[Finding]:
    """Yield the pairs of sentences that cannot both be true, the likeliest first."""
    own = [claim for each in found[:MOST_SENTENCES] if _says(claim := _claim(state, each))]
    by_term: dict[str, list[int]] = defaultdict(list)
    for number, claim in enumerate(own):
        for term in claim.terms:
            by_term[term].append(number)
    clashes: list[tuple[Clash, Statement]] = []
    for statement in statements:
        shared = Counter(n for term in statement.claim.terms for n in by_term.get(term, ()))
        for number, count in shared.items():
            clash = clash_of(own[number], statement.claim) if count > 1 else None
            if clash is not None:
                clashes.append((clash, statement))
    yield from _told(settled(clashes, reader))


def statements_of(passages: Iterable[NearPassage], language: str) -> Iterator[Statement]:
    """Yield what passages of the language claim."""
    seen: set[tuple[uuid.UUID, int]] = set()
    for passage in passages:
        if base_language(passage.language) != base_language(language):
            continue
        for each in sentences(passage.text):
            place = (passage.node, passage.start + each.start)
            if place in seen:
                continue
            seen.add(place)
            moved = replace(
                each,
                start=place[1],
                end=passage.start + each.end,
                headings=passage.headings or each.headings,
            )
            claim = claim_of(moved, passage.title, passage.language)
            if _says(claim):
                yield Statement(passage.node, passage.title, passage.version, claim)


def statements_of_state(other: NodeState, language: str) -> Iterator[Statement]:
    """Yield what a state claims that is to be stored together with the checked one."""
    if base_language(other.language) == base_language(language):
        for each in sentences(other.content)[:MOST_SENTENCES]:
            yield Statement(other.node_id, other.title, None, _claim(other, each))


def _claim(state: NodeState, sentence: Sentence) -> Claim:
    return claim_of(sentence, state.title, state.language)


def _says(claim: Claim) -> bool:
    return len(claim.terms) > 1


def settled(
    clashes: list[tuple[Clash, Statement]], reader: Reader | None
) -> list[tuple[Clash, Statement]]:
    """Keep the sure ones, and those that the model says are about one thing."""
    sure = [each for each in clashes if each[0].is_sure]
    unsure = sorted(
        (each for each in clashes if not each[0].is_sure), key=lambda each: -each[0].likeness
    )[:MOST_UNSURE]
    if reader is None or not unsure:
        return sure
    texts = [claim.sentence.said for clash, _other in unsure for claim in (clash.here, clash.there)]
    try:
        vectors = reader.vectors(texts)
    except EmbeddingUnavailable as error:
        log.warning("clashes_without_vectors", error=str(error))
        return sure
    for number, each in enumerate(unsure):
        if float(vectors[2 * number] @ vectors[2 * number + 1]) >= NEAR_COSINE:
            sure.append(each)
    return sure


def _told(clashes: list[tuple[Clash, Statement]]) -> Iterator[Finding]:
    """Yield findings: of one sentence and one other node only the likeliest."""
    seen: set[tuple[int, uuid.UUID | None]] = set()
    for clash, other in sorted(clashes, key=lambda each: (-each[0].likeness, each[1].title)):
        here, there = clash.here.sentence, clash.there.sentence
        key = (here.start, other.node)
        if key in seen or len(seen) >= MOST:
            continue
        seen.add(key)
        yield finding(
            "contradiction",
            kind=clash.kind,
            here=here.text,
            start=here.start,
            end=here.end,
            there=there.text,
            there_start=there.start,
            there_end=there.end,
            title=other.title,
            node=str(other.node) if other.node else None,
            version=other.version,
        )
