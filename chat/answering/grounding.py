"""What an answer stands on: passages the person may read, memories that are theirs.

Synchronous: the pipeline calls these in threads. The only place that knows how knowledge, memory
and the extractive answerer are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import structlog

from chat.attaching.finding import passages_attached
from chat.types import Passage, Recollection, TurnRequest
from knowledge.languages import detect_language
from knowledge.retrieval import retrieve_passages
from memory.recall import RecallQuery, recall
from project.http.errors import Invalid
from project.inference import embeddings, extractive

PASSAGES = 12
MEMORIES = 5
log = structlog.get_logger(__name__)


def warm_up() -> None:
    """Load what the first question needs: the embedding model, the client of the language models.

    What cannot be loaded now is left to the first question, which says what is missing.
    """
    try:
        embeddings.warm_up()
    except embeddings.EmbeddingUnavailable as error:
        log.warning("embedding_not_ready", reason=error.reason)
    import_module("openai")


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Passages, best first; `degraded` names what could not take part, or not wholly."""

    passages: list[Passage]
    degraded: list[str]
    notice: str = ""


def retrieve(request: TurnRequest, query: str) -> Retrieved:
    """Return the passages that bear on the query, through the gate of knowledge.

    Those of the state that was asked; of one that there is no more, none, and a notice why.
    """
    spaces = (request.space_id,) if request.space_id is not None else None
    state, degraded = request.state, list[str]()
    is_release = state is not None and bool(state.release_name)
    wanted: dict[str, Any] = {}
    if state is not None and is_release:
        wanted["release"] = str(state.release_id or state.release_name)
    elif state is not None:
        wanted["as_of"] = state.moment
    elif request.proposal_id is not None:
        wanted["proposal"] = request.proposal_id
    try:
        passages = retrieve_passages(
            query,
            user=request.user,
            spaces=spaces,
            limit=PASSAGES,
            language=question_language(request),
            degraded=degraded,
            **wanted,
        )
    except Invalid as refusal:
        if not wanted:
            raise
        return Retrieved([], degraded, refusal.message)
    attached = passages_attached(request.session, query)
    if attached:
        passages = sorted([*attached, *passages], key=lambda each: -each.score)[:PASSAGES]
    return Retrieved(passages, degraded)


def recall_memories(request: TurnRequest, query: str) -> list[Recollection]:
    """Return what the person said in other conversations that bears on the query.

    Only of spaces that they may still read, and nothing from after the state that was asked;
    nothing at all when they turned memory off.
    """
    if request.user.is_guest or not request.user.remembers:
        return []
    wanted = RecallQuery(
        query,
        limit=MEMORIES,
        excluded_session=request.session,
        is_readable=True,
        until=request.state.moment if request.state is not None else None,
    )
    return recall(wanted, user=request.user)


def extract_answer(request: TurnRequest, query: str, passages: Sequence[Passage]) -> str | None:
    """Return an answer made of sentences of the passages, as Markdown with `[n]` marks.

    None where none of them answers.
    """
    numbered = [
        extractive.Passage(n, each.title, each.text, each.score, " ".join(each.heading_path))
        for n, each in enumerate(passages, start=1)
    ]
    answer = extractive.extract_answer(query, numbered, language=question_language(request))
    return answer.text if answer.is_found else None


def question_language(request: TurnRequest) -> str:
    """Return the language of the question; the person's own where the question does not show it."""
    own = "pt-br" if request.language.startswith("pt") else "en"
    return detect_language(request.question, default=own)
