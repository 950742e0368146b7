"""From the candidates of the legs to ranked units, as a profile says. No statement is sent here.

What a tuning does again and again with other profiles, a search does once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge import ranking
from knowledge.binary import sequence_unpack, vector_unpack
from knowledge.choices import SearchMode
from knowledge.retrieval._found import Found, Unit
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._question import Question
from knowledge.weights import FIELD_WEIGHTS, K1, B

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Packed = Mapping[uuid.UUID, bytes]
"""Vectors of passages, as the database sends them."""

_END = b"\0\0\0\0"


@dataclass(frozen=True, slots=True)
class Signals:
    """Candidates with what they say, a number each, 0 to 1.

    `similarity` is the cosine, `match` the BM25 score as a share of the highest one, `phrase` the
    same of the words that stand side by side, which is not part of `match` yet.
    """

    candidates: list[Candidate]
    similarity: Floats
    match: Floats
    phrase: Floats


def signals_of(question: Question, candidates: list[Candidate], average: float) -> Signals:
    """Return the signals of candidates; `average` is the mean length of a passage of the scope."""
    import numpy as np

    similarity = np.array([max(candidate.similarity or 0.0, 0.0) for candidate in candidates])
    if not question.highest or not candidates:
        nothing = np.zeros(len(candidates))
        return Signals(candidates, similarity, nothing, nothing)
    # Sequences have a 0 between fields; one more after each passage makes them one array.
    joined = sequence_unpack(b"".join(one.sequence + _END for one in candidates))
    starts, lengths = ranking.field_lengths(joined)
    norms = K1 * (1 - B + B * (lengths @ np.array(FIELD_WEIGHTS)) / average)
    phrase = ranking.phrase_scores(joined, starts, question.pairs, norms, K1) / question.highest
    match = np.array([candidate.bm25 for candidate in candidates]) / question.highest
    return Signals(candidates, similarity, match, phrase)


def units_of(found: Found, signals: Signals, mode: SearchMode, *, by_node: bool) -> list[Unit]:
    """Group candidates, and fuse the best signals of each group; best first."""
    import numpy as np

    candidates = signals.candidates
    if not candidates:
        return []
    phrase = found.profile.phrase_share * signals.phrase
    match = np.minimum(1.0, signals.match + phrase)
    if mode == SearchMode.VECTOR and found.vectors:
        match, phrase = np.zeros_like(match), np.zeros_like(phrase)
    found.best_match = max(found.best_match, float(match.max()))
    found.nearest = max(found.nearest, float(signals.similarity.max()))
    weights = np.array([_weight(found, candidate) for candidate in candidates])
    numbers: dict[uuid.UUID, int] = {}
    groups = np.array(
        [
            numbers.setdefault(candidate.node if by_node else candidate.chunk, len(numbers))
            for candidate in candidates
        ]
    )
    best_similarity = ranking.group_best(groups, signals.similarity, len(numbers))
    best_match = ranking.group_best(groups, match, len(numbers))
    own = weights * signals.similarity + (1 - weights) * match
    units: dict[int, Unit] = {}
    for place in np.argsort(-own, kind="stable").tolist():
        group = int(groups[place])
        if group in units:
            units[group].passages.append(candidates[place])
            continue
        weight = float(weights[place])
        score = float(weight * best_similarity[group] + (1 - weight) * best_match[group])
        units[group] = Unit(
            best=candidates[place],
            score=min(1.0, score),
            similarity=float(best_similarity[group]),
            match=float(best_match[group]),
            phrase=float(phrase[place]),
            weight=weight,
            passages=[candidates[place]],
            fused=min(1.0, score),
        )
    return sorted(units.values(), key=_order)


def refine(found: Found, vectors: Callable[[Sequence[uuid.UUID]], Packed]) -> None:
    """Look around the best units, where one model that reads the question can tell near.

    `vectors` gives those of passages in that model.
    """
    import numpy as np

    profile = found.profile
    top = found.units[: profile.neighbourhood]
    if not top or not found.is_read:
        return
    query = found.vectors[0]
    packed = vectors([unit.best.chunk for unit in top])
    rows = np.zeros((len(top), len(query.vector)), dtype=np.float32)
    for number, unit in enumerate(top):
        if unit.best.chunk in packed:
            rows[number] = vector_unpack(packed[unit.best.chunk])
    weights = np.array([unit.weight for unit in top])
    similarities = np.array([unit.similarity for unit in top])
    scores = np.array([unit.score for unit in top])
    refined = ranking.refined_similarities(profile, query.vector, rows, similarities, scores)
    scores = ranking.smoothed(profile, scores + weights * (refined - similarities), rows)
    for unit, score in zip(top, scores.tolist(), strict=True):
        unit.score = unit.refined = min(1.0, max(0.0, score))
    # The rest was below and stays below.
    floor = min(unit.score for unit in top)
    for unit in found.units[profile.neighbourhood :]:
        unit.score = min(unit.score, floor)
    found.units.sort(key=_order)


def _order(unit: Unit) -> tuple[float, uuid.UUID]:
    return -unit.score, unit.best.chunk


def _weight(found: Found, candidate: Candidate) -> float:
    """Return the weight of the vector leg for a passage, 0 when there is none at all."""
    if not found.vectors:
        return 0.0
    weight = found.vectors[candidate.model or 0].weight
    weight = ranking.confident_weight(found.profile, weight, found.nearest)
    return weight * ranking.literal_factor(found.profile, found.best_match)
