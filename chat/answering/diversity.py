"""Passages that each add something. Pure.

Maximal marginal relevance (Carbonell and Goldstein, 1998): next comes the passage with the best
balance of its own score and its likeness to those chosen before. Likeness is the cosine of the
words, weighted by how rare they are among the passages at hand. Words, not vectors: what is to be
avoided is the same text twice (an FAQ and the rule it repeats), and passages of several index
generations and of past states have no common vectors.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chat.types import Passage
from knowledge.analysis import terms_of

RELEVANCE = 0.7
SAME = 0.92
"""Likeness from which on a passage says nothing new."""
KEPT = 512  # passages whose words are kept
LEAST_REST = 120  # characters of what an overlap leaves
_SPAN = re.compile(r"([?&])(start|end)=\d+")

Vector = dict[str, float]


def diverse(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages in the order of what they add; the best first, repetitions left out.

    No two that are returned overlap in one version: of two that do, the worse one keeps what only
    it has, if that is worth reading.
    """
    rest = apart(passages)
    if not rest:
        return []
    vectors = _vectors(rest)
    top = max(each.score for each in rest) or 1.0
    order = [0]
    waiting = list(range(1, len(rest)))
    likeness = {at: _cosine(vectors[at], vectors[0]) for at in waiting}
    while waiting:
        best = max(
            waiting,
            key=lambda at: (
                RELEVANCE * rest[at].score / top - (1 - RELEVANCE) * likeness[at],
                -at,
            ),
        )
        waiting.remove(best)
        if likeness[best] >= SAME:
            continue
        order.append(best)
        chosen = vectors[best]
        for at in waiting:
            likeness[at] = max(likeness[at], _cosine(chosen, vectors[at]))
    return [rest[at] for at in order]


def apart(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages, best first, none with text of its version that a better one has."""
    kept: list[Passage] = []
    for passage in passages:
        left: Passage | None = passage
        for other in kept:
            if left is None:
                break
            if (other.node, other.version) == (left.node, left.version):
                left = _without(left, other)
        if left is not None:
            kept.append(left)
    return kept


def _without(passage: Passage, other: Passage) -> Passage | None:
    """Return what of a passage is outside of another of its version: its longer end, or nothing."""
    if passage.end <= other.start or other.end <= passage.start:
        return passage
    before = (passage.start, max(passage.start, other.start))
    after = (min(passage.end, other.end), passage.end)
    start, end = max(before, after, key=lambda span: span[1] - span[0])
    text = passage.text[start - passage.start : end - passage.start]
    start += len(text) - len(text.lstrip())
    text = text.strip()
    if len(text) < LEAST_REST:
        return None
    end = start + len(text)
    places = {"start": start, "end": end}
    url = _SPAN.sub(lambda found: f"{found[1]}{found[2]}={places[found[2]]}", passage.url)
    return replace(passage, text=text, start=start, end=end, url=url)


def _vectors(passages: Sequence[Passage]) -> list[Vector]:
    counts = [_counted(f"{each.title} {each.text}", each.language or "en") for each in passages]
    held = Counter(term for each in counts for term in each)
    rarity = {term: math.log(1 + len(counts) / number) for term, number in held.items()}
    vectors = []
    for each in counts:
        weights = {term: (1 + math.log(times)) * rarity[term] for term, times in each.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        vectors.append({term: weight / length for term, weight in weights.items()})
    return vectors


@functools.lru_cache(maxsize=KEPT)  # what is found is found again
def _counted(text: str, language: str) -> Mapping[str, int]:
    return Counter(terms_of(text, language))


def _cosine(one: Vector, other: Vector) -> float:
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())
