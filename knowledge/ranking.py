"""From the signals of passages to an order of nodes. Pure: arrays in, arrays out.

The score of a node, 0 to 1, comparable between searches over the same model:

1. A passage has a *similarity* (cosine of its vector and the question's, 0 to 1) and a *match* (its
   BM25 score as a share of the highest that any passage could reach for these words, 0 to 1, with
   a little more for words that stand side by side as in the question).
2. A node's score is `weight · best similarity + (1 - weight) · best match` over its passages. Fixed
   scales keep what min-max or ranks throw away: how good the best one really is. (Bruch, Gai and
   Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023.) The weight depends on
   whether the embedding model reads the question's language, so that a leg that understands
   nothing cannot spoil the one that does; it grows with how similar the nearest passage is, so that
   a leg that is lost counts less; and it sinks where one passage holds most words of the question,
   because who knows the words wants the passage that has them.
3. The question moves a little towards the best nodes, which say in their own words what it is
   about. (Rocchio, "Relevance feedback in information retrieval", 1971, without the user.)
4. Nodes near each other should score alike: each takes over a share of its nearest neighbours'
   scores among the best. (Diaz, "Regularizing ad hoc retrieval scores", 2005.)
5. Confirmed relations lead a share of a node's score to its neighbours in the graph.

Steps 3 and 4 are taken only with a model that reads the question: to another, near means nothing.
How much of each is done says the `Profile` (`knowledge.knobs`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from knowledge.knobs import Profile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.intp]


def vector_weight(profile: Profile, readings: Sequence[bool], *, hashing: bool = False) -> float:
    """Return the weight of the vector leg.

    `readings` says for each language the question may be in whether the model reads it.
    """
    if hashing:
        return profile.hashing_weight
    share = sum(map(bool, readings)) / len(readings) if readings else 0.5
    return profile.unreadable_weight + share * (profile.readable_weight - profile.unreadable_weight)


def confident_weight(profile: Profile, weight: float, nearest: float) -> float:
    """Return the weight of the vector leg for a question whose nearest passage is that similar.

    What a leg says counts the more, the surer it is of it: the odds of its weight grow with the
    similarity of the best, which is high where the model has met what the question is about. A
    weight of 0 or 1 is not a matter of trust and stays.
    """
    if not 0.0 < weight < 1.0:
        return weight
    trust = profile.confidence * (nearest - profile.confidence_from)
    odds = weight / (1.0 - weight) * math.exp(trust)
    return odds / (1.0 + odds)


def literal_factor(profile: Profile, best_match: float) -> float:
    """Return what is left of the vector leg's weight when the best match is that good."""
    above = (best_match - profile.literal_from) / (1.0 - profile.literal_from)
    return 1.0 - profile.literal_share * min(1.0, max(0.0, above))


def refined_similarities(
    profile: Profile,
    question: npt.NDArray[np.float32],
    vectors: npt.NDArray[np.float32],
    similarities: Floats,
    scores: Floats,
) -> Floats:
    """Return similarities to the question once it has moved towards the best by `scores`.

    Rows of `vectors` are unit vectors, best first; a row of zeros keeps its similarity. The best
    similarity stays what it was, so that scores keep their scale.
    """
    import numpy as np

    known = np.flatnonzero(vectors.any(axis=1))
    best = known[: profile.feedback_nodes]
    total = float(scores[best].sum())
    if not len(best) or total <= 0.0:
        return similarities
    shares = (scores[best] / total).astype(np.float32)
    moved = question + profile.feedback_share * (shares @ vectors[best])
    moved /= np.linalg.norm(moved)
    refined = similarities.copy()
    refined[known] += vectors[known] @ moved - vectors[known] @ question
    refined[known] += similarities[known].max() - refined[known].max()
    return np.clip(refined, 0.0, 1.0)


def field_lengths(joined: npt.NDArray[np.uint32]) -> tuple[Integers, Integers]:
    """Return where each passage begins, and how many words its three fields have (n, 3).

    `joined` holds the sequences of passages, a 0 after every field.
    """
    import numpy as np

    ends = np.flatnonzero(joined == 0).reshape(-1, 3)
    starts = np.concatenate([[0], ends[:-1, 2] + 1]).astype(np.intp)
    before = np.column_stack([starts - 1, ends[:, 0], ends[:, 1]])
    return starts, ends - before - 1


def phrase_scores(
    joined: npt.NDArray[np.uint32],
    starts: Integers,
    pairs: dict[tuple[int, int], float],
    norms: Floats,
    k1: float,
) -> Floats:
    """Return for each passage the BM25 sum over pairs of words that stand side by side in it.

    `pairs` has the weight of each pair of the question, `norms` BM25's length norm a passage.
    """
    import numpy as np

    scores = np.zeros(len(starts))
    for (first, second), weight in pairs.items():
        places = np.flatnonzero((joined[:-1] == first) & (joined[1:] == second))
        if len(places):
            owners = np.searchsorted(starts, places, side="right") - 1
            times = np.bincount(owners, minlength=len(starts))
            scores += weight * times * (k1 + 1) / (times + norms)
    return scores


def group_best(groups: Integers, scores: Floats, count: int) -> Floats:
    """Return the best score of each group (0 to `count` - 1); 0 for a group without any."""
    import numpy as np

    best = np.zeros(count)
    np.maximum.at(best, groups, scores)
    return best


def smoothed(profile: Profile, scores: Floats, vectors: npt.NDArray[np.float32]) -> Floats:
    """Return scores in which each row has taken over a share of its nearest neighbours'.

    `vectors` are unit vectors, a row each; a row of zeros keeps its score.
    """
    import numpy as np

    count = len(scores)
    if count < 3:
        return scores
    near = np.clip(vectors @ vectors.T, 0.0, None).astype(np.float64)
    np.fill_diagonal(near, 0.0)
    if count > profile.neighbours + 1:
        last = count - profile.neighbours
        least = np.partition(near, last, axis=1)[:, last]
        near[near < least[:, None]] = 0.0
    sums = near.sum(axis=1)
    alone = sums <= 0.0
    around = (near @ scores) / np.where(alone, 1.0, sums)
    share = profile.neighbour_share
    mixed: Floats = (1 - share) * scores + share * around
    return np.where(alone, scores, mixed)


def led_on(score: float, led: float, share: float) -> float:
    """Return a score with what relations lead to it: never above 1, never below the score."""
    return score + share * led * (1.0 - score)
