"""Learning the knobs of a search from questions whose answers are known.

1. Every question is searched once (`retrieval._replay`); all profiles are tried on the recordings.
2. `learned` goes from knob to knob and takes the value of its grid under which nDCG is best on the
   questions it learns from, as long as that gains more than noise would: the present value stays
   otherwise. It goes round until nothing changes, three times at most. (Coordinate ascent: Metzler
   and Croft, "Linear feature-based models for information retrieval", 2007.)
3. `tuned` says whether that is worth anything: the questions are parted in folds, and each fold is
   judged by a profile that was learned without it. The differences to the present profile on these
   held-out questions are bootstrapped (Efron and Tibshirani, 1993; for retrieval Sakai, 2006): a
   profile is proposed only if the mean gain is above 0 in at least 95 of 100 resamples, and recall
   does not fall. Then the profile is learned once more, from all questions.

Pure: recordings in, figures out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

from knowledge.knobs import Profile
from knowledge.measures import linear_ndcg_at

LEAST: Final = 30
"""Questions below which differences say nothing."""
MOST: Final = 400
"""Questions that are learned from; of more, a sample that is always the same."""
FOLDS: Final = 5
ROUNDS: Final = 3
GAIN: Final = 0.001
"""Least gain of nDCG for which a knob leaves its value."""
RESAMPLES: Final = 10_000
CERTAINTY: Final = 0.95
GRIDS: Final[dict[str, tuple[float, ...]]] = {
    "readable_weight": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "unreadable_weight": (0.05, 0.1, 0.2, 0.3, 0.4),
    "hashing_weight": (0.0, 0.1, 0.2, 0.3),
    "confidence": (0.0, 1.0, 2.0, 3.0),
    "literal_share": (0.0, 0.25, 0.5, 0.75),
    "literal_from": (0.2, 0.3, 0.4, 0.5, 0.6),
    "phrase_share": (0.0, 0.1, 0.2, 0.4),
    "feedback_share": (0.0, 0.2, 0.4, 0.6, 0.8),
    "feedback_nodes": (1, 2, 3, 5),
    "neighbour_share": (0.0, 0.1, 0.2, 0.3, 0.4),
}
"""What each knob may become, coarse: fine differences would be noise."""

Progress = Callable[[float], None]


class Ranking(Protocol):
    """A recorded search."""

    def ranked(self, profile: Profile, limit: int, /) -> Sequence[Hashable]:
        """Return ids, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """A question: its recording, how much each id matters, and the set that it comes from."""

    ranking: Ranking
    grades: Mapping[Any, float]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it on held-out questions: means of the present profile and of the learned ones.

    `low` and `high` bound the gain of nDCG in 95 of 100 resamples; `certainty` is the share of
    resamples with a gain above 0. `folds` has a row a fold.
    """

    questions: int
    k: int
    before: dict[str, float]
    after: dict[str, float]
    gain: float
    low: float
    high: float
    certainty: float
    better: int
    worse: int
    folds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_better(self) -> bool:
        """Whether a profile learned like this is to be proposed."""
        recall_holds = self.after["recall"] >= self.before["recall"] - 1e-9
        return self.gain > 0.0 and self.certainty >= CERTAINTY and recall_holds

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tuned:
    """The learned profile, and how well learning it does on questions it has not seen."""

    profile: Profile
    figures: Figures


class Trials:
    """Profiles tried on questions; none is tried twice."""

    def __init__(self, samples: Sequence[Sample], k: int) -> None:
        self.samples = samples
        self.k = k
        self.count = 0
        self._known: dict[tuple[int, tuple[Any, ...]], tuple[float, float]] = {}

    def measured(self, number: int, profile: Profile) -> tuple[float, float]:
        """Return nDCG and recall of a question under a profile."""
        key = (number, tuple(getattr(profile, name) for name in GRIDS))
        found = self._known.get(key)
        if found is None:
            self.count += 1
            sample = self.samples[number]
            ids = sample.ranking.ranked(profile, self.k)
            recall = len(set(ids) & set(sample.grades)) / len(sample.grades)
            found = self._known[key] = (linear_ndcg_at(ids, sample.grades, self.k), recall)
        return found

    def mean(self, numbers: Sequence[int], profile: Profile) -> float:
        """Return the mean nDCG of questions under a profile."""
        return sum(self.measured(number, profile)[0] for number in numbers) / len(numbers)


def learned(
    trials: Trials, numbers: Sequence[int], present: Profile, tell: Progress | None = None
) -> Profile:
    """Return the profile that does best on the questions of these numbers."""
    best, score = present, trials.mean(numbers, present)
    for turn in range(ROUNDS):
        before = best
        for place, (name, grid) in enumerate(GRIDS.items()):
            for value in grid:
                tried = best.with_values(**{name: value})
                gained = trials.mean(numbers, tried)
                if gained > score + GAIN:
                    best, score = tried, gained
            if tell:
                tell((turn + (place + 1) / len(GRIDS)) / ROUNDS)
        if best == before:
            break
    return best


def tuned(
    samples: Sequence[Sample], present: Profile, *, k: int, progress: Progress | None = None
) -> Tuned:
    """Learn a profile and judge the learning on held-out questions. Raises ValueError below LEAST.

    Questions of several groups are held out group by group, those of one in five folds.
    """
    if len(samples) < LEAST:
        message = f"{len(samples)} of {LEAST} questions"
        raise ValueError(message)
    trials = Trials(samples, k)
    folds = folds_of(samples)
    rows, after = [], {}
    for number, fold in enumerate(folds):
        others = [each for each in range(len(samples)) if each not in set(fold)]
        profile = learned(trials, others, present, _part(progress, number, len(folds) + 1))
        for each in fold:
            after[each] = trials.measured(each, profile)
        rows.append(
            {
                "group": samples[fold[0]].group,
                "questions": len(fold),
                "before": trials.mean(fold, present),
                "after": trials.mean(fold, profile),
                "changes": {
                    name: value for name, (_was, value) in profile.differences_to(present).items()
                },
            }
        )
    everything = range(len(samples))
    profile = learned(trials, everything, present, _part(progress, len(folds), len(folds) + 1))
    before = [trials.measured(each, present) for each in everything]
    figures = compared(before, [after[each] for each in everything], k=k, folds=rows)
    return Tuned(profile, figures)


def folds_of(samples: Sequence[Sample]) -> list[list[int]]:
    """Return the numbers of the questions of each fold; the same every time."""
    groups: dict[str, list[int]] = {}
    for number, sample in enumerate(samples):
        groups.setdefault(sample.group, []).append(number)
    if len(groups) > 1:
        return list(groups.values())
    numbers = list(range(len(samples)))
    random.Random(len(samples)).shuffle(numbers)  # noqa: S311 - parts, hides nothing
    count = min(FOLDS, len(samples))
    return [sorted(numbers[start::count]) for start in range(count)]


def compared(
    before: Sequence[tuple[float, float]],
    after: Sequence[tuple[float, float]],
    *,
    k: int,
    folds: list[dict[str, Any]],
) -> Figures:
    """Return the figures of pairs of nDCG and recall, with a paired bootstrap over questions."""
    import numpy as np

    was, becomes = np.array(before), np.array(after)
    differences = becomes[:, 0] - was[:, 0]
    drawn = np.random.default_rng(len(differences)).integers(
        0, len(differences), (RESAMPLES, len(differences))
    )
    means = differences[drawn].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    names = ("ndcg", "recall")
    return Figures(
        questions=len(differences),
        k=k,
        before=dict(zip(names, was.mean(axis=0).tolist(), strict=True)),
        after=dict(zip(names, becomes.mean(axis=0).tolist(), strict=True)),
        gain=float(differences.mean()),
        low=float(low),
        high=float(high),
        certainty=float((means > 0).mean()),
        better=int((differences > 1e-9).sum()),
        worse=int((differences < -1e-9).sum()),
        folds=folds,
    )


def sampled(samples: Sequence[Any]) -> list[Any]:
    """Return at most MOST of them, always the same ones, in their order."""
    if len(samples) <= MOST:
        return list(samples)
    chosen = random.Random(MOST).sample(range(len(samples)), MOST)  # noqa: S311 - hides nothing
    return [samples[number] for number in sorted(chosen)]


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda share: progress((number + share) / count)
