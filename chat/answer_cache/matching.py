"""Which of the nearest kept questions is the one that was asked, if any. Pure.

A threshold on the cosine alone is wrong in one hit of thirty: among questions of one field, what
differs in one word is as near as what differs in none. Three more things must hold:

1. nothing that changes an answer differs (`guards`);
2. the kept questions about as near as the best have the same answer: where two answers compete for
   a question, neither is safe. The idea is that of the margin in open-set recognition;
3. what the best stands on is among the first that a search for the new question finds now.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from chat.answer_cache.guards import difference, sense_of

MARGIN = 0.08
"""Cosine within which the answers of kept questions must agree."""
AMONG_FIRST = 5
"""Nodes that a search finds first, among which an answer's own must be."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept question; `cited` are the nodes that its answer cites, in the order of the marks."""

    answer: uuid.UUID
    question: str
    similarity: float
    cited: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer to give, or None; `near` is the best that came into question, `reason` says what
    spoke against it.
    """

    chosen: Kept | None = None
    near: Kept | None = None
    reason: str = ""


def chosen_of(
    question: str, nearest: Sequence[Kept], found: Sequence[uuid.UUID], *, threshold: float
) -> Choice:
    """Choose among kept questions, nearest first; `found` are the nodes that a search finds."""
    near = [kept for kept in nearest if kept.similarity >= threshold]
    if not near:
        return Choice()
    sense = sense_of(question)
    reasons = [difference(sense, sense_of(kept.question)) for kept in near]
    best = next((kept for kept, reason in zip(near, reasons, strict=True) if not reason), None)
    if best is None:
        return Choice(near=near[0], reason=reasons[0])
    rivals = [kept for kept in nearest if kept.similarity >= best.similarity - MARGIN]
    if not all(_agree(best, rival) for rival in rivals):
        return Choice(near=best, reason="another answer as near")
    if best.cited[0] not in list(dict.fromkeys(found))[:AMONG_FIRST]:
        return Choice(near=best, reason="other passages")
    return Choice(best, best)


def _agree(best: Kept, rival: Kept) -> bool:
    """Whether one answer stands on what the other does: what either cites first."""
    return rival.cited[0] in best.cited or best.cited[0] in rival.cited
