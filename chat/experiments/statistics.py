"""Whether a difference between shares may be chance, and how to go on sharing out. Pure.

Shares are compared by the two-proportion z-test with a pooled variance, two-sided, and by Fisher's
exact test where a cell of the table is expected to hold fewer than five. Several arms against one
are corrected by Holm (1979).
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SIGNIFICANT = 0.05
EXPECTED = 5
DRAWS = 4000
FLOOR = 0.05
"""The least share of an arm: what gets nothing teaches nothing."""
LEAST_VOTES = 20
"""Marks in all before shares are adapted."""
WHOLE = 1000

Method = Literal["z", "fisher", ""]


@dataclass(frozen=True, slots=True)
class Test:
    """The result of comparing two shares; without a method there was nothing to compare."""

    p_value: float | None = None
    method: Method = ""

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely make such a difference."""
        return self.p_value is not None and self.p_value < SIGNIFICANT


NOTHING = Test()


def compared(good: int, total: int, other_good: int, other_total: int) -> Test:
    """Compare two shares, each of successes among a total."""
    if not total or not other_total:
        return NOTHING
    share = (good + other_good) / (total + other_total)
    least = min(total, other_total) * min(share, 1 - share)
    if least < EXPECTED:
        return Test(fisher(good, total - good, other_good, other_total - other_good), "fisher")
    spread = math.sqrt(share * (1 - share) * (1 / total + 1 / other_total))
    z = (good / total - other_good / other_total) / spread
    return Test(math.erfc(abs(z) / math.sqrt(2)), "z")


def fisher(a: int, b: int, c: int, d: int) -> float:
    """Return the two-sided p of Fisher's exact test for the table ((a, b), (c, d)).

    Tables that are as unlikely as the one seen, or more, are summed up.
    """
    row, column, total = a + b, a + c, a + b + c + d

    def log_chance(first: int) -> float:
        return _log_comb(row, first) + _log_comb(total - row, column - first)

    seen = log_chance(a)
    possible = range(max(0, column - (total - row)), min(row, column) + 1)
    chances = [log_chance(first) for first in possible]
    whole = _log_comb(total, column)
    return min(1.0, sum(math.exp(each - whole) for each in chances if each <= seen + 1e-9))


def holm(tests: Sequence[Test]) -> list[Test]:
    """Return tests with their p-values corrected for how many were made."""
    known = [(each.p_value, at) for at, each in enumerate(tests) if each.p_value is not None]
    corrected, highest = list(tests), 0.0
    for rank, (value, at) in enumerate(sorted(known)):
        highest = max(highest, min(1.0, value * (len(known) - rank)))
        corrected[at] = Test(highest, tests[at].method)
    return corrected


def chances_to_be_best(counts: Sequence[tuple[int, int]], seed: str) -> list[float]:
    """Return for each arm how likely it is the best, from its good and bad marks.

    Draws from Beta(1 + good, 1 + bad) (Thompson, 1933). The same seed gives the same result.
    """
    draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
    wins = [0] * len(counts)
    for _ in range(DRAWS):
        drawn = [draw.betavariate(1 + good, 1 + bad) for good, bad in counts]
        wins[drawn.index(max(drawn))] += 1
    return [each / DRAWS for each in wins]


def adapted_weights(counts: Sequence[tuple[int, int]], seed: str) -> list[int] | None:
    """Return the shares of arms in thousandths by Thompson sampling; None before `LEAST_VOTES`."""
    if not counts or sum(good + bad for good, bad in counts) < LEAST_VOTES:
        return None
    floor = min(FLOOR, 1 / len(counts))
    rest = 1 - floor * len(counts)
    chances = chances_to_be_best(counts, seed)
    return [max(1, round(WHOLE * (floor + rest * each))) for each in chances]


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
