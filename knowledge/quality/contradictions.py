"""Whether two statements can be true together.

Two claims of one subject contradict each other when their numbers of one unit differ, when one
demands what the other forbids or leaves free, when one denies what the other says, or when they
use words that exclude each other. What counts as one subject: the words that both have, against
those that only one has. A statement may say more than the other; where each says what the other
does not, they are likely of different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.quality import vocabulary as known
from knowledge.quality.claims import CONTEXT, Claim, Value

NUMBERS, MODALITY, NEGATION, OPPOSITES = "numbers", "modality", "negation", "opposites"
LEAST = {NUMBERS: 0.58, MODALITY: 0.62, NEGATION: 0.68, OPPOSITES: 0.62}
"""How alike the subjects must be; measured by benchmarks/contradiction_quality.py."""
NEAR = 0.36
"""From here on a vector may settle that the subjects are one."""
NEAR_COSINE = 0.8
FEWEST_SHARED = 2.0
EXTRA = 0.3
"""What a word costs that only the longer statement has, as a share of a shared word's worth."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Two claims that cannot both be true; `likeness` is that of their subjects, 0 to 1."""

    kind: str
    likeness: float
    here: Claim
    there: Claim

    @property
    def is_sure(self) -> bool:
        """Whether the words alone say that the subjects are one."""
        return self.likeness >= LEAST[self.kind]


def clash_of(here: Claim, there: Claim, weights: Mapping[str, float] | None = None) -> Clash | None:
    """Return how two claims of one language contradict each other, if they do.

    A clash that is not `is_sure` waits for another opinion on whether the subjects are one.
    """
    if here.language != there.language or here.words == there.words:
        return None
    kind = _kind(here, there)
    if kind is None or _are_apart(here, there):
        return None
    likeness = likeness_of(here, there, weights)
    return Clash(kind, likeness, here, there) if likeness >= NEAR else None


def likeness_of(here: Claim, there: Claim, weights: Mapping[str, float] | None = None) -> float:
    """Return how alike the subjects of two claims are, 0 to 1.

    A word that only one has counts as shared where it stands in the title or headings of the other.
    """
    shared = here.terms & there.terms
    only_here = here.terms - shared - there.context
    only_there = there.terms - shared - here.context
    implied = (here.terms - shared - only_here) | (there.terms - shared - only_there)

    def worth(terms: frozenset[str]) -> float:
        return float(len(terms)) if weights is None else sum(weights.get(t, 1.0) for t in terms)

    common = worth(shared) + 0.5 * worth(implied)
    if len(shared) + 0.5 * len(implied) < FEWEST_SHARED:
        return 0.0
    low, high = sorted((worth(only_here), worth(only_there)))
    return common / (common + low + EXTRA * (high - low))


def _are_apart(here: Claim, there: Claim) -> bool:
    """Return whether something names different things: years, kinds, table columns."""
    if here.years and there.years and not here.years & there.years:
        return True
    if _conditions(here) and _conditions(there) and not _conditions(here) & _conditions(there):
        return True
    rows = {row for row, _word in here.sides} & {row for row, _word in there.sides}
    for row in rows:
        ours = {word for number, word in here.sides if number == row}
        theirs = {word for number, word in there.sides if number == row}
        if not ours & theirs and not _same_stem(ours, theirs):
            return True
    return False


def _conditions(claim: Claim) -> set[Value]:
    return {value for value in claim.values if value.bound in {known.OVER, known.UNDER}}


def _same_stem(ours: set[str], theirs: set[str]) -> bool:
    return bool({word.rstrip("s") for word in ours} & {word.rstrip("s") for word in theirs})


def _kind(here: Claim, there: Claim) -> str | None:
    differing = _differing_units(here, there)
    if differing:
        telling = [unit for unit in differing if unit not in CONTEXT]
        if len(telling) < len(differing) and telling:
            return None  # another date and another number: a change, not a contradiction
        return NUMBERS
    if here.has_exception != there.has_exception:
        return None
    if frozenset({here.modality, there.modality}) in known.CLASHES:
        return MODALITY if here.negations == there.negations else None
    for one, other in known.OPPOSITES:
        pair = {one, other}
        if len(pair & here.words) == len(pair & there.words) == 1 and not (
            pair & here.words & there.words
        ):
            return OPPOSITES if here.negations == there.negations else None
    if here.modality == there.modality and {here.negations, there.negations} == {0, 1}:
        return NEGATION
    return None


def _differing_units(here: Claim, there: Claim) -> list[str]:
    units = {value.unit for value in here.values} & {value.unit for value in there.values}
    return [unit for unit in sorted(units) if _differ(here.of_unit(unit), there.of_unit(unit))]


def _differ(ours: set[Value], theirs: set[Value]) -> bool:
    """Return whether each side has an amount that the other lacks, where both bound it alike."""
    bounds = frozenset(value.bound for value in ours), frozenset(value.bound for value in theirs)
    if set(bounds) == {frozenset({known.AT_LEAST}), frozenset({known.AT_MOST})}:
        return False
    left, right = {value.amount for value in ours}, {value.amount for value in theirs}
    return bool(left - right) and bool(right - left)
