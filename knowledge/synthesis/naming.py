"""Headings of aspects: the title or heading of a source that tells one aspect from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from knowledge.analysis import terms_of
from knowledge.types import RetrievedPassage

DEEPER = 0.9
"""What a heading inside a text counts beside its title: it is narrower."""
NAMING = 0.4
"""What it counts that a heading names the topic."""


def headings_of(
    topic: str,
    passages: Sequence[RetrievedPassage],
    aspects: Mapping[int, int],
    shares: Mapping[int, float],
) -> dict[int, str]:
    """Return a heading for each aspect, no two alike.

    `aspects` maps passages to aspects, `shares` passages to how much they say of the topic. The
    heading is the title, or last heading, whose words most of the aspect's passages have and few of
    the others', and that names the topic, where one does.
    """
    words = {number: _words(passages[number]) for number in aspects}
    taken: set[str] = set()
    named: dict[int, str] = {}
    weights = Counter[int]()
    for number, aspect in aspects.items():
        weights[aspect] += 1 + round(10 * shares.get(number, 0.0))
    for aspect in sorted(weights, key=lambda each: (-weights[each], each)):
        inside = [number for number in aspects if aspects[number] == aspect]
        outside = [number for number in aspects if aspects[number] != aspect]
        best, best_score = "", -2.0
        for number in inside:
            passage = passages[number]
            for label, worth in _labels(passage):
                terms = set(terms_of(label, passage.language))
                if not terms or label.casefold() in taken:
                    continue
                score = worth * _held(terms, inside, words) - _held(terms, outside, words)
                asked = set(terms_of(topic, passage.language))
                score += NAMING * len(asked & terms) / (len(asked) or 1)
                score += shares.get(number, 0.0) / 4
                if score > best_score:
                    best, best_score = label, score
        named[aspect] = best or passages[inside[0]].title
        taken.add(named[aspect].casefold())
    return named


def _labels(passage: RetrievedPassage) -> list[tuple[str, float]]:
    return [(passage.title, 1.0), *((path, DEEPER) for path in passage.heading_path[-1:])]


def _words(passage: RetrievedPassage) -> frozenset[str]:
    text = f"{passage.title} {' '.join(passage.heading_path)} {passage.text}"
    return frozenset(terms_of(text, passage.language))


def _held(terms: set[str], among: Sequence[int], words: Mapping[int, frozenset[str]]) -> float:
    if not among:
        return 0.0
    return sum(len(terms & words[number]) / len(terms) for number in among) / len(among)
