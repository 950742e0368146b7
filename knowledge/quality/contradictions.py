"""Whether two statements can be true together.

Two claims of one subject contradict each other when their numbers of one unit differ, when one
demands what the other forbids or leaves free, when one denies what the other says, or when they
use words that exclude each other. What counts as one subject: the words that both have, against
those that only one has. A statement may say more than the other; where each says what the other
does not, they are likely of different things.
"""

from __future__ import annotations

from dataclasses import dataclass

from knowledge.analysis import term_of
from knowledge.quality import vocabulary as known
from knowledge.quality.claims import CONTEXT, YEAR, Claim, Value

NUMBERS, MODALITY, NEGATION, OPPOSITES = "numbers", "modality", "negation", "opposites"
LEAST = {NUMBERS: 0.58, MODALITY: 0.6, NEGATION: 0.8, OPPOSITES: 0.7}
"""How alike the subjects must be; measured by benchmarks/contradiction_quality.py."""
NEAR = 0.4
"""From here on a vector may settle that the subjects are one, where numbers clash."""
NEAR_COSINE = 0.8
FEWEST_SHARED = {NUMBERS: 2, MODALITY: 2, NEGATION: 3, OPPOSITES: 2}  # words
EXTRA = 0.45
"""What a word costs that only the longer statement has, as a share of a shared word's worth."""
BOTH = 2.0
"""What a word costs for which the other statement has another one."""
IMPLIED = 0.5
"""What a word is worth that stands in the title or headings of the other."""
MOST_NUMBERS = 2
"""Of one unit in one statement: of more, nobody knows which belongs to what."""


_OPPOSED = frozenset(
    term
    for pair in known.OPPOSITES
    for word in pair
    for language in ("en", "pt")
    if (term := term_of(word, language))
)
"""They tell what is said of a subject, and not which it is."""


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


def clash_of(here: Claim, there: Claim) -> Clash | None:
    """Return how two claims of one language contradict each other, if they do.

    A clash that is not `is_sure` waits for another opinion on whether the subjects are one.
    """
    if here.language != there.language or here.words == there.words:
        return None
    kind = _kind(here, there)
    if kind is None or _are_apart(here, there):
        return None
    if here.is_past != there.is_past and not _is_of_years(here, there):
        return None  # what was is told, what is is ruled
    if len(here.terms & there.terms) < FEWEST_SHARED[kind]:
        return None
    likeness = likeness_of(here, there)
    least = NEAR if kind == NUMBERS else LEAST[kind]
    return Clash(kind, likeness, here, there) if likeness >= least else None


def likeness_of(here: Claim, there: Claim) -> float:
    """Return how alike the subjects of two claims are, 0 to 1.

    A word that only one has counts as shared where it stands in the title or headings of the other.
    """
    ours, theirs = here.terms - _OPPOSED, there.terms - _OPPOSED
    shared = ours & theirs
    only_here, only_there = ours - shared - there.context, theirs - shared - here.context
    implied = (ours - shared - only_here) | (theirs - shared - only_there)

    common = len(shared) + IMPLIED * len(implied)
    low, high = sorted((len(only_here), len(only_there)))
    return common / (common + BOTH * low + EXTRA * (high - low)) if common else 0.0


def _is_of_years(here: Claim, there: Claim) -> bool:
    return bool(here.of_unit(YEAR) and there.of_unit(YEAR))


def _are_apart(here: Claim, there: Claim) -> bool:
    """Return whether something names different things: years, kinds, titles, table columns."""
    if _disjoint(here.years, there.years) or _disjoint(here.title_years, there.title_years):
        return True
    if _are_other_tables(here, there):
        return True
    if here.title & there.title:  # parallel titles: water tariff, electricity tariff
        ours = here.title - there.title - there.terms - there.context
        theirs = there.title - here.title - here.terms - here.context
        if ours and theirs:
            return True
    if _conditions(here) and _conditions(there) and not _conditions(here) & _conditions(there):
        return True
    if here.names and there.names and not here.names & there.names:
        return True  # line 1, line 2
    rows = {row for row, _word in here.sides} & {row for row, _word in there.sides}
    for row in rows:
        left = {word for number, word in here.sides if number == row}
        right = {word for number, word in there.sides if number == row}
        if not left & right and not _same_stem(left, right):
            return True
    return False


def _disjoint(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return bool(ours and theirs and not ours & theirs)


def _are_other_tables(here: Claim, there: Claim) -> bool:
    """Return whether one is a table row and the other no row of a table with the same columns."""
    left, right = (claim.sentence.header.casefold().strip() for claim in (here, there))
    if not here.sentence.header and not there.sentence.header:
        return False
    rows = [claim.sentence.said.split(" | ")[0].casefold() for claim in (here, there)]
    return left != right or rows[0] != rows[1]


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
    if max(len(ours), len(theirs)) > MOST_NUMBERS and len(ours) != len(theirs):
        return False
    left, right = {value.amount for value in ours}, {value.amount for value in theirs}
    return bool(left - right) and bool(right - left)
