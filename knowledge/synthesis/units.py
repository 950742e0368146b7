"""The sentences of passages: how much each says of a topic, and how alike they are."""

from __future__ import annotations

import math
import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from django.db import connection

from knowledge.analysis import base_language
from knowledge.quality.neighbours import reader_of
from knowledge.types import RetrievedPassage
from project.inference.embeddings import embed_texts
from project.inference.extractive_scoring import Candidate, candidates_of, scored, understand
from project.inference.extractive_units import Unit, units_of
from project.inference.extractive_words import LEANS_BACK
from project.inference.types import EmbeddingModel, EmbeddingUnavailable, UsageContext

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LINK = re.compile(r"\[\[[^\]\n]+\]\]|\[[^\]\n]+\]\([^)\n]+\)")

log = structlog.get_logger(__name__)

TOPIC = -1
MOST = 96
"""Sentences that are compared with each other."""
SHARE = 0.5
"""Of the best score, from which on a sentence says something of the topic."""
SHORTEST, LONGEST = 4, 60  # words
COVERED, COVERED_IF_NEAR = 0.45, 0.2
"""The share of the topic's words, by weight, that some sentence must have with its headings."""
NEAR, VERY_NEAR = 0.35, 0.5
"""The cosine with which the lower share is enough, and that with which none is needed."""
EVIDENCE_AMONG = 8
MEANING, PLACE = 0.5, 1.0
"""What the cosine of a sentence and the score of its passage add to what its words say: a sentence
need not name the topic where all of its passage is about it."""
FOREIGN = 0.8
"""What a sentence counts that is not in the language of the topic."""
POINTING = 0.25
"""Share of a sentence that links to other texts, from which on it only points there."""


@dataclass(frozen=True, slots=True)
class Quotable:
    """A sentence that may be quoted: `passage.text[unit.start:unit.end]`."""

    passage: int
    unit: Unit
    score: float
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Quotables:
    """Sentences, best first, and how alike any two are: a square matrix of 0 to 1."""

    rows: tuple[Quotable, ...]
    likeness: npt.NDArray[np.float64]


def quotables_of(
    topic: str,
    passages: Sequence[RetrievedPassage],
    *,
    language: str,
    space_id: uuid.UUID | None,
    user_id: int | None,
) -> Quotables:
    """Return the sentences of passages that say something of a topic; none where nothing does."""
    import numpy as np

    best = max((each.score for each in passages), default=0.0) or 1.0
    understood = understand(topic, language)
    candidates: list[Candidate] = []
    for number, passage in enumerate(passages):
        title = f"{passage.title} {' '.join(passage.heading_path)}"
        units = units_of(passage.text)
        candidates += candidates_of(understood, number, units, title, passage.score / best)
    for each in scored(understood, candidates):
        each.score += PLACE * passages[each.passage].score / best
    fit = [each for each in candidates if _may_be_quoted(each, passages[each.passage].text)]
    ranked = sorted(fit, key=lambda each: -each.score)[:MOST]
    vectors = _vectors(topic, ranked, passages, space_id, user_id)
    for number, vector in vectors.items():
        if number >= 0:
            ranked[number].similarity = float(vectors[TOPIC] @ vector)
            ranked[number].score += MEANING * max(0.0, ranked[number].similarity or 0.0)
    for each in ranked:
        if base_language(passages[each.passage].language) != base_language(language):
            each.score *= FOREIGN
    order = sorted(range(len(ranked)), key=lambda number: -ranked[number].score)
    is_told = any(_is_evidence(ranked[number]) for number in order[:EVIDENCE_AMONG])
    if not is_told:
        return Quotables((), np.zeros((0, 0)))
    least = SHARE * ranked[order[0]].score
    kept = [number for number in order if ranked[number].score >= least]
    rows = tuple(
        Quotable(each.passage, each.unit, each.score, each.terms)
        for each in (ranked[number] for number in kept)
    )
    likeness = _by_words(rows)
    told = [place for place, number in enumerate(kept) if number in vectors]
    if told:
        chosen = np.stack([vectors[kept[place]] for place in told])
        block = np.ix_(told, told)
        likeness[block] = np.maximum(likeness[block], np.clip(chosen @ chosen.T, 0.0, 1.0))
    return Quotables(rows, likeness)


def _may_be_quoted(each: Candidate, text: str) -> bool:
    """Return whether a sentence can stand alone, and says something itself."""
    words = each.unit.text.count(" ") + 1
    source = text[each.unit.start : each.unit.end]
    if sum(len(link) for link in _LINK.findall(source)) >= POINTING * len(source):
        return False
    if each.unit.is_pointer or each.unit.text.endswith(":") or LEANS_BACK.match(each.unit.text):
        return False
    return words <= LONGEST and (words >= SHORTEST or each.unit.kind == "row")


def _is_evidence(each: Candidate) -> bool:
    near = each.similarity or 0.0
    if near >= VERY_NEAR:
        return True
    return each.coverage >= (COVERED_IF_NEAR if near >= NEAR else COVERED)


def _vectors(
    topic: str,
    ranked: Sequence[Candidate],
    passages: Sequence[RetrievedPassage],
    space_id: uuid.UUID | None,
    user_id: int | None,
) -> dict[int, npt.NDArray[np.float32]]:
    """Return the vectors of sentences by their number, and that of the topic by `TOPIC`.

    Of those alone whose language the model of the space reads; none where it is away.
    """
    spoken = {passages[each.passage].language for each in ranked}
    found = (reader_of(space_id, language) for language in sorted(spoken)) if space_id else ()
    reader = next((each for each in found if each is not None), None)
    if reader is None:
        return {}
    reads = reading(reader.model)
    numbers = [
        number for number, each in enumerate(ranked) if reads(passages[each.passage].language)
    ]
    units = [ranked[number].unit for number in numbers]
    texts = [f"{unit.lead_in or unit.heading} {unit.text}" for unit in units]
    if not connection.in_atomic_block:
        connection.close()  # back to the pool while the model works
    usage = UsageContext("synthesis", user_id=user_id, space_id=space_id)
    try:
        rows = embed_texts(reader.model, [topic, *texts], purpose="query", usage=usage)
    except EmbeddingUnavailable as error:
        log.warning("synthesis_without_vectors", error=str(error))
        return {}
    return dict(zip([TOPIC, *numbers], rows, strict=True))


def reading(model: EmbeddingModel) -> Callable[[str], bool]:
    """Return what tells whether a model reads a language."""
    known = model.languages and {base_language(code) for code in model.languages}
    return lambda language: not known or base_language(language) in known


def _by_words(rows: Sequence[Quotable]) -> npt.NDArray[np.float64]:
    """Return the cosines of the sentences' words, weighed by how few of them have each."""
    import numpy as np

    seen = Counter(term for each in rows for term in each.terms)
    numbers = {term: number for number, term in enumerate(seen)}
    matrix = np.zeros((len(rows), len(numbers)))
    for row, each in enumerate(rows):
        for term in each.terms:
            matrix[row, numbers[term]] = math.log1p(len(rows) / seen[term])
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.where(norms > 0, norms, 1.0)
    cosines: npt.NDArray[np.float64] = np.clip(matrix @ matrix.T, 0.0, 1.0)
    return cosines
