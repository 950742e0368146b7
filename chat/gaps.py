"""Knowledge gaps: questions that found nothing good, put together by what they are about.

A question joins the open gap of its space and language whose mean it is nearest to, from a cosine
of NEAR on, or begins one (leader clustering: Hartigan, "Clustering Algorithms", 1975): questions
come one by one, and people look at the list meanwhile, so what is there must not be dealt anew.
Without an embedding model only the same question joins.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from pgvector.django import MaxInnerProduct

from chat.answer_cache.guards import normalised
from chat.choices import FINAL_STATUSES, GapReason, GapStatus, MessageClass, TurnStatus
from chat.models import Feedback, GapQuestion, KnowledgeGap, Turn
from knowledge.analysis import base_language
from knowledge.languages import detect_language
from knowledge.models import Space
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts
from project.locks import transaction_lock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NEAR = 0.75
MOST_CHARS = 1000
JOINABLE = (GapStatus.OPEN, GapStatus.DRAFTED, GapStatus.DISMISSED)
"""What is asked again of a dismissed gap is counted there, and bothers nobody."""
REASONS = {
    "no_passages": GapReason.UNANSWERED,
    "not_confident": GapReason.UNSURE,
    "no_citations": GapReason.UNCITED,
}
"""By the flags of a turn's trace."""

log = structlog.get_logger(__name__)


@transaction.atomic
def gap_note(turn_id: uuid.UUID) -> KnowledgeGap | None:
    """Note, or take back, what a turn says about the knowledge, if it is over."""
    rows = Turn.objects.select_related("question", "conversation", "answer")
    turn = rows.filter(pk=turn_id, status__in=FINAL_STATUSES).first()
    return gap_of(turn) if turn is not None else None


def gap_of(turn: Turn) -> KnowledgeGap | None:
    """Do the same for a finished turn, in the caller's transaction; return its gap, if it has one.

    May be called any number of times: on the end of a turn, and whenever feedback changes.
    """
    if turn.as_of is not None:  # of the past nothing can be written any more
        return None
    reason, comment = _reason(turn)
    known = GapQuestion.objects.select_related("gap").filter(turn=turn).first()
    if reason is None:
        if known is not None:
            known.delete()
            _count(known.gap)
        return None
    if known is not None:
        known.reason, known.comment = reason, comment
        known.save(update_fields=["reason", "comment"])
        return known.gap
    gap = _gap_for(turn)
    GapQuestion.objects.create(
        gap=gap,
        turn=turn,
        text=turn.question.content[:MOST_CHARS],
        reason=reason,
        comment=comment,
    )
    _count(gap, asked_at=turn.finished_at)
    return gap


def gaps_recount() -> int:
    """Count anew the gaps whose questions went with their conversations; return how many changed.

    An open gap without questions goes.
    """
    changed = 0
    for gap in KnowledgeGap.objects.annotate(there=Count("questions")):
        if gap.there != gap.asked:
            _count(gap)
            changed += 1
    return changed


def _reason(turn: Turn) -> tuple[GapReason | None, str]:
    """Return why a turn counts, and what its reader says was missing."""
    given = Feedback.objects.filter(message=turn.answer_id).order_by("-created_at")
    marks = list(given.values_list("value", "reason")) if turn.answer_id else []
    worst = next((reason for value, reason in marks if value < 0), None)
    if worst is not None:
        return GapReason.BAD, worst[:MOST_CHARS]
    if turn.status != TurnStatus.COMPLETED or turn.is_partial:
        return None, ""
    if turn.message_class == MessageClass.OUT_OF_SCOPE:  # no knowledge base would say it
        return None, ""
    flags = turn.trace.get("flags") or []
    found = next((reason for flag, reason in REASONS.items() if flag in flags), None)
    return (None if any(value > 0 for value, _words in marks) else found), ""


def _gap_for(turn: Turn) -> KnowledgeGap:
    """Return the gap that a question joins, or a new one."""
    question = turn.question.content[:MOST_CHARS]
    space_id = turn.conversation.space_id
    spaces = [] if space_id else _spaces(turn)
    # Two like questions at once must not begin two gaps.
    transaction_lock(f"chat.gaps:{space_id or sorted(map(str, spaces))}")
    vector, key = _vector(question)
    language = base_language(detect_language(question, default=""))
    rows = KnowledgeGap.objects.filter(status__in=JOINABLE, language=language)
    rows = rows.filter(space=space_id) if space_id else rows.filter(space=None, spaces=spaces)
    gap = _nearest(rows, vector, key) if vector is not None else _same(rows, question)
    if gap is not None:
        return gap
    return KnowledgeGap.objects.create(
        space_id=space_id,
        spaces=spaces,
        title=question,
        language=language,
        model_key=key,
        vector=vector,
    )


def _spaces(turn: Turn) -> list[uuid.UUID]:
    visible = Space.objects.visible_to(turn.conversation.user)
    return list(visible.order_by("pk").values_list("pk", flat=True))


def _vector(question: str) -> tuple[npt.NDArray[np.float32] | None, str]:
    model = default_model()
    try:
        return embed_texts(model, [question], purpose="query")[0], model.key
    except EmbeddingUnavailable as error:
        log.warning("gap_without_vector", reason=error.reason)
        return None, ""


def _nearest(rows: Any, vector: npt.NDArray[np.float32], key: str) -> KnowledgeGap | None:
    import numpy as np

    found: KnowledgeGap | None = (
        rows.filter(model_key=key)
        .exclude(vector=None)
        .annotate(likeness=-MaxInnerProduct("vector", vector))
        .order_by("-likeness", "pk")
        .first()
    )
    if found is None or found.likeness < NEAR:  # type: ignore[attr-defined]
        return None
    mean = np.asarray(found.vector) * found.asked + vector
    found.vector = mean / np.linalg.norm(mean)
    found.save(update_fields=["vector"])
    return found


def _same(rows: Any, question: str) -> KnowledgeGap | None:
    wanted = normalised(question)
    return next((gap for gap in rows.order_by("pk") if normalised(gap.title) == wanted), None)


def _count(gap: KnowledgeGap, *, asked_at: Any = None) -> None:
    """Write how often and by how many people a gap was asked; one that is empty goes."""
    counts = gap.questions.aggregate(
        asked=Count("pk"), people=Count("turn__conversation__user", distinct=True)
    )
    if not counts["asked"] and gap.status == GapStatus.OPEN:
        gap.delete()
        return
    last = {"last_asked_at": asked_at or timezone.now()} if asked_at else {}
    KnowledgeGap.objects.filter(pk=gap.pk).update(**counts, **last)
