"""From the candidates of the legs to ranked units, as a profile says. No statement is sent here.

What a tuning does again and again with other profiles, a search does once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge import ranking
from knowledge.binary import sequence_unpack, vectors_unpack
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

    similarity = np.array([one.similarity or 0.0 for one in candidates]).clip(min=0.0)
    if not question.highest or not candidates:
        nothing = np.zeros(len(candidates))
        return Signals(candidates, similarity, nothing, nothing)
    # Sequences have a 0 between fields; one more after each passage makes them one array.
    joined = sequence_unpack(_END.join([*(one.sequence for one in candidates), b""]))
    starts, lengths = ranking.field_lengths(joined)
    norms = K1 * (1 - B + B * (lengths @ np.array(FIELD_WEIGHTS)) / average)
    phrase = ranking.phrase_scores(joined, starts, question.pairs, norms, K1) / question.highest
    match = np.array([one.bm25 for one in candidates]) / question.highest
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
    numbers: dict[int, int] = {}
    ids = [one.node.int if by_node else one.chunk.int for one in candidates]
    members = [numbers.setdefault(each, len(numbers)) for each in ids]
    groups = np.array(members)
    best_similarity = ranking.group_best(groups, signals.similarity, len(numbers))
    best_match = ranking.group_best(groups, match, len(numbers))
    weights = _weights(found, candidates)
    own = weights * signals.similarity + (1 - weights) * match
    scores = weights * best_similarity[groups] + (1 - weights) * best_match[groups]
    scores = np.minimum(1.0, scores).tolist()
    # Numbers of Python, as one of NumPy takes longer to get at than to reckon with.
    similarities, matches = best_similarity.tolist(), best_match.tolist()
    phrases, of_legs = phrase.tolist(), weights.tolist()
    units: dict[int, Unit] = {}
    for place in np.argsort(-own, kind="stable").tolist():
        group = members[place]
        if (unit := units.get(group)) is not None:
            unit.passages.append(candidates[place])
            continue
        units[group] = Unit(
            best=candidates[place],
            score=scores[place],
            similarity=similarities[group],
            match=matches[group],
            phrase=phrases[place],
            weight=of_legs[place],
            passages=[candidates[place]],
            fused=scores[place],
        )
    return sorted(units.values(), key=order)


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
    known = [number for number, unit in enumerate(top) if unit.best.chunk in packed]
    if known:
        rows[known] = vectors_unpack([packed[top[number].best.chunk] for number in known])
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
    found.units.sort(key=order)


def order(unit: Unit) -> tuple[float, int]:
    """Return what units are sorted by: the best first, equal ones always the same way."""
    return -unit.score, unit.best.chunk.int


def _weights(found: Found, candidates: Sequence[Candidate]) -> Floats:
    """Return the weight of the vector leg for each passage, 0 when there is none at all."""
    import numpy as np

    if not found.vectors:
        return np.zeros(len(candidates))
    factor = ranking.literal_factor(found.profile, found.best_match)
    by_model = [
        factor * ranking.confident_weight(found.profile, query.weight, found.nearest)
        for query in found.vectors
    ]
    return np.array(by_model)[[one.model or 0 for one in candidates]]
