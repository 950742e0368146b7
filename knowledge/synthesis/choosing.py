"""Aspects of a topic, and the sentences to quote of each. Pure.

Passages are grouped by how alike their sentences are (average linkage), into as many groups as part
them best (the mean silhouette: Rousseeuw, 1987). Sentences are chosen greedily for a monotone
submodular function (Lin and Bilmes, "A class of submodular functions for document summarization",
2011): what the chosen ones stand for, plus a reward for aspects and for nodes that grows ever
slower. Greedy choice reaches 1 - 1/e of the best (Nemhauser and others, 1978).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from knowledge.synthesis.units import SHARE, Quotables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST_ASPECTS = 5
MOST_SENTENCES = 12
MOST_OF_ASPECT = 4
SATURATION = 0.5
"""Share of what all sentences together say of one, that is enough (alpha)."""
DIVERSITY = 2.0
"""The weight of the reward against coverage (lambda), shared by aspects and nodes."""
WORTH = 0.05
"""Share of the gain of the first sentence, below which another is not worth reading."""
SAME = 0.8
"""Likeness of two sentences that say the same: the second is not quoted."""
CLEAR = 0.05
"""Silhouette below which groups are not there, only cut."""


def aspects_of(quotables: Quotables) -> dict[int, int]:
    """Return the aspect of each passage that has sentences, numbered from 0."""
    import numpy as np

    owners = [each.passage for each in quotables.rows]
    passages = list(dict.fromkeys(owners))
    if len(passages) < 3:
        return dict.fromkeys(passages, 0)
    places = {
        passage: [n for n, owner in enumerate(owners) if owner == passage] for passage in passages
    }
    size = len(passages)
    near = np.ones((size, size))
    for row in range(size):
        for column in range(row):
            block = quotables.likeness[np.ix_(places[passages[row]], places[passages[column]])]
            # A passage is near where each sentence has one like it, from either side.
            value = (block.max(axis=0).mean() + block.max(axis=1).mean()) / 2
            near[row, column] = near[column, row] = value
    best = _parted(1.0 - near)
    return {passage: int(best[number]) for number, passage in enumerate(passages)}


def _parted(distances: npt.NDArray[np.float64]) -> list[int]:
    """Return the groups of the cut of the tree that has the best mean silhouette."""
    groups = [[number] for number in range(len(distances))]
    labels = [0] * len(distances)
    best = CLEAR
    while len(groups) > 1:
        if len(groups) <= MOST_ASPECTS:
            told = _labels(groups, len(distances))
            value = _silhouette(distances, told)
            if value > best:
                best, labels = value, told
        pair = min(
            ((i, j) for i in range(len(groups)) for j in range(i)),
            key=lambda ij: float(distances[groups[ij[0]]][:, groups[ij[1]]].mean()),
        )
        groups[pair[1]] += groups.pop(pair[0])
    return labels


def _labels(groups: Sequence[Sequence[int]], size: int) -> list[int]:
    labels = [0] * size
    for number, group in enumerate(groups):
        for member in group:
            labels[member] = number
    return labels


def _silhouette(distances: npt.NDArray[np.float64], labels: Sequence[int]) -> float:
    import numpy as np

    told = np.array(labels)
    values = []
    for number, own in enumerate(told):
        same = (told == own) & (np.arange(len(told)) != number)
        if not same.any():
            values.append(0.0)
            continue
        inside = distances[number][same].mean()
        outside = min(distances[number][told == other].mean() for other in set(labels) - {int(own)})
        values.append((outside - inside) / max(inside, outside, 1e-9))
    return float(np.mean(values))


def chosen_of(
    quotables: Quotables, aspects: dict[int, int], nodes: Sequence[uuid.UUID]
) -> list[int]:
    """Return the sentences to quote, by their numbers, in the order of their choice.

    `nodes` are those of the passages.
    """
    import numpy as np

    rows = quotables.rows
    if not rows:
        return []
    shares = np.array([each.score for each in rows]) / rows[0].score
    # How much a sentence is of the topic: those just good enough are worth next to nothing, so
    # that variety alone does not bring them in.
    scores = ((shares - SHARE) / (1 - SHARE)).clip(0.0, 1.0) ** 2
    weights = quotables.likeness * scores[:, None]  # what stands for much, counts for much
    enough = SATURATION * weights.sum(axis=1)
    groups = [("aspect", aspects[each.passage], nodes[each.passage]) for each in rows]
    covered = np.zeros(len(rows))
    held: dict[object, float] = {}
    chosen: list[int] = []
    scale = DIVERSITY / 2
    first = 0.0

    def gain(number: int) -> float:
        after = np.minimum(covered + weights[:, number], enough).sum()
        value = float(after - np.minimum(covered, enough).sum())
        for key in (("aspect", groups[number][1]), ("node", groups[number][2])):
            was = held.get(key, 0.0)
            value += scale * float((was + scores[number]) ** 0.5 - was**0.5)
        return value

    most = max(MOST_OF_ASPECT, MOST_SENTENCES // (1 + max(aspects.values())))
    free = set(range(len(rows)))
    while free and len(chosen) < MOST_SENTENCES:
        number = max(free, key=lambda each: (gain(each), -each))
        free.discard(number)
        first = first or gain(number)
        if gain(number) < WORTH * first:
            break
        own = groups[number][1]
        if sum(groups[each][1] == own for each in chosen) >= most:
            continue
        if any(quotables.likeness[number, each] >= SAME for each in chosen):
            continue
        chosen.append(number)
        covered = covered + weights[:, number]
        for key in (("aspect", own), ("node", groups[number][2])):
            held[key] = held.get(key, 0.0) + float(scores[number])
    return chosen
