"""Checking a whole answer against what it cites. Synchronous: call in a thread.

The rules (`checked`) are quick; the embedding model is asked once, about the statements that they
leave in doubt, if it reads their language (`compared`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from chat.answering.evidence import Evidence, evidence_of
from chat.answering.stated import statements
from chat.answering.verifying import Grade, Judged, judged, settled
from chat.types import Passage
from knowledge.analysis import base_language
from project.inference.choices import Backend
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

MOST_ASKED = 8
"""Statements whose meaning is compared; the rest stay as the rules left them."""
MOST_CHARS = 20_000
log = structlog.get_logger(__name__)


def checked(
    answer: str,
    cited: Mapping[int, Passage],
    language: str,
    *,
    sent: Sequence[Passage] = (),
) -> list[Judged]:
    """Return what the rules say of every statement of an answer, in order.

    `cited` are the passages by the numbers of the answer's marks; a statement without a mark is
    compared with all of them. Where nothing is cited at all, what a passage of those that were
    `sent` says is partly supported: no reader can tell which.
    """
    held = {number: evidence_of(each, language) for number, each in cited.items()}
    found = []
    uncited: dict[int, Evidence] = {}
    for statement in statements(answer[:MOST_CHARS], language):
        named = {number: held[number] for number in statement.citations if number in held}
        if held:
            found.append(judged(statement, named or held, language))
            continue
        uncited = uncited or {-n: evidence_of(each, language) for n, each in enumerate(sent, 1)}
        verdict = judged(statement, uncited, language)
        grade: Grade = "partly" if verdict.grade == "supported" else "unsupported"
        found.append(replace(verdict, grade=grade, reason="uncited", citations=()))
    return found


def compared(found: Sequence[Judged], language: str) -> list[Judged]:
    """Have the embedding model look at what is in doubt; without one, nothing changes."""
    doubtful = [at for at, each in enumerate(found) if each.is_in_doubt and each.source]
    doubtful = doubtful[:MOST_ASKED]
    model = default_model()
    reads = model.languages is None or base_language(language) in model.languages
    if not doubtful or not reads or model.backend == Backend.HASHING:
        return list(found)
    texts = [found[at].statement.text for at in doubtful] + [found[at].source for at in doubtful]
    try:
        vectors = embed_texts(model, texts, purpose="document")
    except EmbeddingUnavailable as error:
        log.warning("statements_not_compared", reason=error.reason)
        return list(found)
    here, there = vectors[: len(doubtful)], vectors[len(doubtful) :]
    nearness = dict(zip(doubtful, (here * there).sum(axis=1).tolist(), strict=True))
    return [
        settled(each, nearness[at]) if at in nearness else each for at, each in enumerate(found)
    ]


def verification_of(found: Sequence[Judged]) -> dict[str, Any]:
    """Return verdicts as a turn keeps them; `share` counts what is partly supported as half."""
    graded = [each for each in found if each.grade is not None]
    counts = {
        grade: sum(each.grade == grade for each in graded)
        for grade in ("supported", "partly", "unsupported")
    }
    points = counts["supported"] + counts["partly"] / 2
    return {
        "share": round(points / len(graded), 4) if graded else None,
        **counts,
        "sentences": [
            {
                "start": each.statement.start,
                "end": each.statement.end,
                "verdict": each.grade,
                "reason": each.reason,
                "citations": list(each.citations),
                "agreement": each.agreement,
                "similarity": each.similarity,
            }
            for each in graded
        ],
    }
