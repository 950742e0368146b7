"""How near two nodes are: by the meaning and the words of their best passages."""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.models import Node, RelatingState
from knowledge.querysets import Reader
from knowledge.relating.candidates import candidates_of, ground_of
from knowledge.relating.evidence import likeness_strength
from knowledge.relating.passages import Held, passages_held
from knowledge.statistics import totals
from knowledge.weights import rarity

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BEST = 3
"""Pairs of passages whose cosines are averaged: one alone may be a turn of phrase."""
AROUND = 10
"""Nearest nodes whose mean likeness tells how crowded it is around a node."""
LEAST, LEAST_BY_WORDS = 0.2, 0.08
"""Likeness below which texts share a language and not a subject, however lonely they are."""


@dataclass(frozen=True, slots=True)
class Near:
    """A node near another: `likeness` and `strength` from 0 to 1, and the passages that say so."""

    node: uuid.UUID
    likeness: float
    strength: float
    here: Held
    there: Held


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is near a node, nearest first, and how crowded it is there."""

    near: tuple[Near, ...]
    crowding: float


def surroundings_of(
    node: Node, user: Reader | None, *, also: Collection[uuid.UUID] = ()
) -> Surroundings:
    """Return the nodes near a node that a reader may read; None: any of its space.

    `also` names nodes to compare with besides those that are found; they have to be permitted.
    """
    ground = ground_of(node, user)
    own = passages_held({node.pk: ()}, ground.generation_ids, ground.reads).get(node.pk, [])
    if not own:
        return Surroundings((), 0.0)
    wanted: dict[uuid.UUID, Collection[uuid.UUID]] = dict(candidates_of(node.pk, own, ground))
    for each in also:
        wanted.setdefault(each, ())
    wanted.pop(node.pk, None)
    others = passages_held(wanted, ground.generation_ids, ground.reads)
    keys = {key for held in (own, *others.values()) for each in held for key in each.words}
    counted = totals(ground.space_ids, keys)
    idfs = {
        key: rarity(counted.passages_with.get(key, 1), max(counted.passages, 1)) for key in keys
    }
    found = [(other, *_likeness(own, held, idfs)) for other, held in others.items()]
    found.sort(key=lambda row: (-row[1], row[0]))
    values = [likeness for _other, likeness, _here, _there in found[:AROUND]]
    crowding = sum(values) / len(values) if values else 0.0
    known = _crowdings(row[0] for row in found)
    near = [
        Near(
            other,
            likeness,
            likeness_strength(likeness, crowding, known.get(other, crowding)),
            here,
            there,
        )
        for other, likeness, here, there in found
        if likeness >= (LEAST if ground.generations else LEAST_BY_WORDS)
    ]
    return Surroundings(tuple(sorted(near, key=lambda each: -each.strength)), crowding)


def _crowdings(nodes: Iterable[uuid.UUID]) -> dict[uuid.UUID, float]:
    rows = RelatingState.objects.filter(node__in=list(nodes)).exclude(crowding=None)
    return {
        node: value for node, value in rows.values_list("node", "crowding") if value is not None
    }


def _likeness(
    own: Sequence[Held], others: Sequence[Held], idfs: Mapping[int, float]
) -> tuple[float, Held, Held]:
    """Return the likeness of two texts, and the pair of passages that is most alike.

    The mean of the best cosines of vectors and of the best cosine of words. Where vectors are
    missing, they say nothing for or against: words then have no more than their half.
    """
    import numpy as np

    words = _word_cosines(own, others, idfs)
    meant = _vector_cosines(own, others)
    both = words if meant is None else (np.nan_to_num(meant, nan=0.0) + words) / 2
    here, there = np.unravel_index(int(both.argmax()), both.shape)
    by_words = float(words.max())
    if meant is None:
        return by_words / 2, own[int(here)], others[int(there)]
    flat = np.sort(meant[~np.isnan(meant)])[::-1][:BEST]
    likeness = (max(0.0, float(flat.mean())) + by_words) / 2
    return likeness, own[int(here)], others[int(there)]


def _vector_cosines(own: Sequence[Held], others: Sequence[Held]) -> npt.NDArray[np.float32] | None:
    """Return the cosines of all pairs of passages; nan where one has no vector, None for all."""
    import numpy as np

    size = next((len(e.vector) for e in (*own, *others) if e.vector is not None), 0)
    if not size:
        return None
    blank = np.full(size, np.nan, dtype=np.float32)
    left = np.stack([blank if each.vector is None else each.vector for each in own])
    right = np.stack([blank if each.vector is None else each.vector for each in others])
    cosines: npt.NDArray[np.float32] = left @ right.T
    return None if np.isnan(cosines).all() else cosines


def _word_cosines(
    own: Sequence[Held], others: Sequence[Held], idfs: Mapping[int, float]
) -> npt.NDArray[np.float32]:
    """Return the cosines of all pairs of passages, their words weighed by rarity."""
    import numpy as np

    def length(held: Held) -> float:
        return math.sqrt(sum(idfs[key] ** 2 for key in held.words)) or 1.0

    lengths = [length(each) for each in others]
    cosines = np.zeros((len(own), len(others)), dtype=np.float32)
    for row, here in enumerate(own):
        norm = length(here)
        for column, there in enumerate(others):
            shared = sum(idfs[key] ** 2 for key in here.words & there.words)
            cosines[row, column] = shared / (norm * lengths[column])
    return cosines
