"""Knowledge gaps: questions that found nothing good, put together by what they are about.

A question joins the open gap of its space and language whose mean it is nearest to, from a cosine
of NEAR on, or begins one (leader clustering: Hartigan, "Clustering Algorithms", 1975): questions
come one by one, and people look at the list meanwhile, so what is there must not be dealt anew.
Without an embedding model only the same question joins.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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


class _Place(NamedTuple):
    """Where a question was asked: a space, or all spaces that the person could read."""

    space_id: uuid.UUID | None
    spaces: list[uuid.UUID]


@transaction.atomic
def gap_note(turn_id: uuid.UUID) -> None:
    """Note, or take back, what a turn says about the knowledge, if it is over."""
    rows = Turn.objects.select_related("question", "conversation", "answer")
    gaps_of(rows.filter(pk=turn_id, status__in=FINAL_STATUSES))


def gaps_of(turns: Iterable[Turn]) -> None:
    """Do the same for different finished turns, in the caller's transaction.

    May be called any number of times: on the end of a turn, and whenever feedback changes.
    """
    # Of the past nothing can be written any more.
    asked = [turn for turn in turns if turn.as_of is None]
    if not asked:
        return
    marks = _marks(asked)
    reasons = {turn.pk: _reason(turn, marks.get(turn.answer_id, [])) for turn in asked}
    rows = GapQuestion.objects.select_related("gap").filter(turn__in=asked).order_by("pk")
    known = {each.turn_id: each for each in rows}
    new = [turn for turn in asked if reasons[turn.pk][0] is not None and turn.pk not in known]
    vectors, key = _vectors(new)
    places = [_Place(turn.conversation.space_id, _spaces(turn)) for turn in new]
    _lock([*places, *(_Place(each.gap.space_id, each.gap.spaces) for each in known.values())])
    for question in known.values():
        _change(question, *reasons[question.turn_id])
    for turn, place, vector in zip(new, places, vectors, strict=True):
        reason, comment = reasons[turn.pk]
        if reason is not None:
            gap = _gap_for(turn.question.content[:MOST_CHARS], place, vector, key)
            _add(gap, turn, reason, comment)


def _lock(places: Iterable[_Place]) -> None:
    """Wait for those who change gaps of the same spaces, always in one order.

    Two like questions at once must not begin two gaps.
    """
    names = {f"chat.gaps:{each.space_id or sorted(map(str, each.spaces))}" for each in places}
    for name in sorted(names):
        transaction_lock(name)


def _change(question: GapQuestion, reason: GapReason | None, comment: str) -> None:
    """Write why a question counts by now; without a reason it is taken back."""
    if reason is None:
        question.delete()
        _count(question.gap)
    elif (question.reason, question.comment) != (reason, comment):
        question.reason, question.comment = reason, comment
        question.save(update_fields=["reason", "comment"])


def _add(gap: KnowledgeGap, turn: Turn, reason: GapReason, comment: str) -> None:
    GapQuestion.objects.create(
        gap=gap,
        turn=turn,
        text=turn.question.content[:MOST_CHARS],
        reason=reason,
        comment=comment,
    )
    _count(gap, asked_at=turn.finished_at)


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


def _marks(turns: Sequence[Turn]) -> dict[uuid.UUID | None, list[tuple[int, str]]]:
    """Return what readers thought of the answers, newest first, and what they said."""
    answers = [turn.answer_id for turn in turns if turn.answer_id is not None]
    marks: dict[uuid.UUID | None, list[tuple[int, str]]] = {}
    given = Feedback.objects.filter(message__in=answers).order_by("-created_at")
    for answer, value, reason in given.values_list("message", "value", "reason"):
        marks.setdefault(answer, []).append((value, reason))
    return marks


def _reason(turn: Turn, marks: Sequence[tuple[int, str]]) -> tuple[GapReason | None, str]:
    """Return why a turn counts, and what its reader says was missing."""
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


def _gap_for(
    question: str, place: _Place, vector: npt.NDArray[np.float32] | None, key: str
) -> KnowledgeGap:
    """Return the gap that a question joins, or a new one; expects the lock of its place."""
    language = base_language(detect_language(question, default=""))
    rows = KnowledgeGap.objects.filter(status__in=JOINABLE, language=language)
    rows = rows.filter(space=place.space_id)
    if place.space_id is None:
        rows = rows.filter(spaces=place.spaces)
    gap = _nearest(rows, vector, key) if vector is not None else _same(rows, question)
    if gap is not None:
        return gap
    return KnowledgeGap.objects.create(
        space_id=place.space_id,
        spaces=place.spaces,
        title=question,
        language=language,
        model_key=key,
        vector=vector,
    )


def _spaces(turn: Turn) -> list[uuid.UUID]:
    """Return the spaces that were searched for a question that named none."""
    if turn.conversation.space_id:
        return []
    visible = Space.objects.visible_to(turn.conversation.user)
    return list(visible.order_by("pk").values_list("pk", flat=True))


def _vectors(turns: Sequence[Turn]) -> tuple[Sequence[npt.NDArray[np.float32] | None], str]:
    """Return the vectors of questions and the model's key; none where no model answers."""
    if not turns:
        return [], ""
    model = default_model()
    questions = [turn.question.content[:MOST_CHARS] for turn in turns]
    try:
        return list(embed_texts(model, questions, purpose="query")), model.key
    except EmbeddingUnavailable as error:
        log.warning("gap_without_vector", reason=error.reason)
        return [None] * len(turns), ""


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
