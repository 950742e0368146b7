"""Which passages to weigh at all: those that hold enough of the question's weight. Pure.

Weighing every passage that has any word of the question grows with the collection: a common word is
in a fifth of all passages. A passage can only be among the best if the words it holds weigh enough
together. So the words become a threshold formula: passages in which the weights of the words
present add up to a bound. The index of words answers such a formula without reading passages. The
bound is the highest at which about as many passages as wanted are left, counted as if words were
independent; words of one subject occur together, which only leaves more. After the threshold
queries of Broder et al., "Efficient query evaluation using a two-level retrieval process" (2003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_IN_FORMULA = 9
"""Words that are combined, the heaviest first: the number of combinations doubles with each."""
MUCH = 1.5
ENOUGH = 0.3
"""Shares of what is wanted: fewer are taken where the next step brings that many."""
Combination = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """Combinations of words, each of which makes a passage a candidate.

    `expected` is how many passages it brings, at least where words of a subject occur together.
    """

    combinations: tuple[Combination, ...]
    expected: float
    is_whole: bool


def formula_of(
    weights: Mapping[str, float], passages_with: Mapping[str, int], passages: int, wanted: int
) -> Formula:
    """Return the formula whose passages are worth weighing: about `wanted`, or all there are.

    `weights` are those of the words (idf times frequency), `passages_with` says how many of all
    `passages` have each.
    """
    ordered = sorted(weights, key=lambda word: (-weights[word], word))
    brought = sum(passages_with[word] for word in ordered)
    if brought <= wanted or len(ordered) <= 1:
        return Formula(tuple((word,) for word in ordered), float(brought), is_whole=True)
    chosen = ordered[:MOST_IN_FORMULA]
    shares = [min(1.0, passages_with[word] / max(passages, 1)) for word in chosen]
    sums, chances = _outcomes([weights[word] for word in chosen], shares)
    expected, bound = 0.0, 0.0
    for place in sorted(range(1, len(sums)), key=lambda place: -sums[place]):
        more = expected + passages * chances[place]
        if more > MUCH * wanted and expected >= ENOUGH * wanted:
            break  # the next step is a common word: far more passages, of little weight
        expected, bound = more, sums[place]
        if expected >= wanted:
            break
    return Formula(
        _least([weights[word] for word in chosen], chosen, bound), expected, is_whole=False
    )


def _outcomes(weights: Sequence[float], shares: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the weight and the chance of each set of words, numbered by their bits."""
    sums, chances = [0.0], [1.0]
    for weight, share in zip(weights, shares, strict=True):
        sums += [each + weight for each in sums]
        chances = [each * (1 - share) for each in chances] + [each * share for each in chances]
    return sums, chances


def _least(weights: Sequence[float], words: Sequence[str], bound: float) -> tuple[Combination, ...]:
    """Return the sets that reach the bound and would not without any one of their words."""
    found: list[Combination] = []
    rest = [sum(weights[place:]) for place in range(len(weights) + 1)]
    least = bound * (1 - 1e-9)

    def add(place: int, chosen: tuple[int, ...], held: float) -> None:
        # Heaviest first: the word that reaches the bound is the lightest of its set.
        if held >= least:
            found.append(tuple(words[each] for each in chosen))
        elif held + rest[place] >= least:
            add(place + 1, (*chosen, place), held + weights[place])
            add(place + 1, chosen, held)

    add(0, (), 0.0)
    return tuple(found)
