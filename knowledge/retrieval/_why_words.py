"""How far a node was from the candidates of each leg, in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from knowledge.analysis import term_key
from knowledge.binary import sequence_unpack
from knowledge.retrieval._found import Found
from knowledge.retrieval._legs import Candidate

Last = tuple[Candidate | None, Candidate | None]
"""The last candidate of the vector leg, and that of the keyword leg."""


def last_of_legs(found: Found) -> Last:
    """Return the last candidate of the vector leg, and that of the keyword leg."""
    every = [each for unit in found.units for each in unit.passages]
    near = [each for each in every if each.vector_rank is not None]
    worded = [each for each in every if each.keyword_rank is not None]
    return (
        max(near, key=lambda each: each.vector_rank or 0, default=None),
        max(worded, key=lambda each: each.keyword_rank or 0, default=None),
    )


def is_near(found: Found, own: list[Candidate], last: Last) -> bool:
    """Return whether a leg that looks at every passage would have one of these.

    They have ranks, or are compared with the last candidates.
    """
    if any(each.vector_rank or each.keyword_rank for each in own):
        ranks = [rank for each in own for rank in (each.vector_rank, each.keyword_rank) if rank]
        return min(ranks) <= found.depth
    near, worded = last
    return any(
        (near is not None and (each.similarity or -1.0) > (near.similarity or -1.0))
        or (worded is not None and _has_word(found, each) and each.bm25 > worded.bm25)
        for each in own
    )


def _has_word(found: Found, candidate: Candidate) -> bool:
    keys = {term_key(term) for term in found.question.candidates}
    return not keys.isdisjoint(sequence_unpack(candidate.sequence).tolist())


def vector_words(
    found: Found, numbers: dict[str, Any], own: list[Candidate], last: Last
) -> list[str]:
    """Say how near its meaning is, and how near it had to be."""
    if not found.vectors:
        return [_("The search had no vectors: the embedding model is away, or was not asked.")]
    held = [each for each in own if each.similarity is not None]
    if not held:
        return [_("It has no vector in the generation that is searched.")]
    best = max(held, key=lambda each: each.similarity or 0.0)
    numbers["vector"] = {"rank": best.vector_rank, "similarity": best.similarity}
    if best.vector_rank is None:
        words = _("By meaning its best passage has a similarity of %(own)s")
    else:
        words = _("By meaning its best passage is number %(rank)s, with a similarity of %(own)s")
    text = words % {"rank": best.vector_rank, "own": f"{best.similarity or 0.0:.3f}"}
    if last[0] is None:
        return [text + "."]
    numbers["vector"]["cut_off"] = last[0].similarity
    after = _("; the last candidate, number %(rank)s, has %(own)s.")
    seen = {"rank": last[0].vector_rank, "own": f"{last[0].similarity or 0.0:.3f}"}
    return [text + after % seen]


def keyword_words(
    found: Found, numbers: dict[str, Any], own: list[Candidate], last: Last
) -> list[str]:
    """Say how well its words match, and how well they had to."""
    question = found.question
    if not question.candidates:
        return [_("No word of the question took part.")]
    held = [each for each in own if each.keyword_rank or _has_word(found, each)]
    if not held:
        words = _("It has none of the words that bring candidates: %(words)s.")
        return [words % {"words": ", ".join(question.candidates)}]
    best = max(held, key=lambda each: each.bm25)
    numbers["keyword"] = {"rank": best.keyword_rank, "bm25": best.bm25}
    if best.keyword_rank is None:
        words = _("By words it has a BM25 score of %(own)s")
    else:
        words = _("By words it is number %(rank)s, with a BM25 score of %(own)s")
    text = words % {"rank": best.keyword_rank, "own": f"{best.bm25:.2f}"}
    if last[1] is None:
        return [text + "."]
    numbers["keyword"]["cut_off"] = last[1].bm25
    after = _("; the last candidate, number %(rank)s, has %(own)s.")
    return [text + after % {"rank": last[1].keyword_rank, "own": f"{last[1].bm25:.2f}"}]
