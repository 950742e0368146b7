"""The end of a turn: its answer stored and announced, once.

Only by whoever holds its claim (`chat.turns`).
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from chat.choices import MessageRole, TurnStatus
from chat.models import ArmTurn, Citation, Conversation, ExperimentArm, Message, Turn
from chat.querysets import remember_related
from chat.representation import final_fields
from chat.turns import Claim
from chat.types import AnswerDraft
from knowledge.models import Node
from project.events.services import emit


class LeaseLost(Exception):
    """The turn is somebody else's now, or gone."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended; the error is for people."""

    status: TurnStatus
    error_code: str = ""
    error_message: str = ""


@transaction.atomic
def turn_finish(
    claim: Claim, draft: AnswerDraft, ending: Ending, *, last_seq: int
) -> dict[str, object]:
    """Store the outcome of a turn and announce it; return the turn's last event.

    What there is of an answer becomes a message under the question, unless the turn failed.
    Raises LeaseLost when the claim no longer holds: then nothing is stored.
    """
    turn = (
        Turn.objects.select_for_update(of=("self",))
        .select_related("conversation")
        .filter(pk=claim.turn_id, lease_owner=claim.owner, status=TurnStatus.RUNNING)
        .first()
    )
    if turn is None:
        raise LeaseLost
    _fill(turn, draft, ending, last_seq)
    if draft.text and ending.status != TurnStatus.FAILED:
        turn.answer = Message.objects.create(
            conversation_id=turn.conversation_id,
            parent_id=turn.question_id,
            role=MessageRole.ASSISTANT,
            content=draft.text,
        )
        turn.answer.answered_by = turn
        Conversation.objects.filter(pk=turn.conversation_id).update(updated_at=Now())
        citations = Citation.objects.bulk_create(_citations(turn, draft))
        remember_related(turn, citations=citations)
    turn.save()
    if draft.arms:
        _note_arms(turn, draft)
    _announce(turn)
    return final_fields(turn)


def _fill(turn: Turn, draft: AnswerDraft, ending: Ending, last_seq: int) -> None:
    turn.status = ending.status
    turn.error_code = ending.error_code
    turn.error_message = ending.error_message
    turn.route = draft.route
    turn.cache = draft.cache
    turn.model = draft.model[:200]
    turn.prompt_version = draft.prompt_version
    turn.is_partial = draft.is_partial
    turn.prompt_tokens = draft.prompt_tokens
    turn.completion_tokens = draft.completion_tokens
    turn.cost = draft.cost
    turn.timings = draft.timings
    turn.trace = {**draft.trace, **({"notice": draft.notice} if draft.notice else {})}
    if draft.arms:
        turn.trace["experiments"] = [each.name for each in draft.arms]
    turn.finished_at = timezone.now()
    turn.lease_owner = ""
    turn.lease_until = None
    turn.last_seq = last_seq


def _note_arms(turn: Turn, draft: AnswerDraft) -> None:
    """Count the turn for the arms that answered it, as far as their experiments still stand."""
    arms = ExperimentArm.objects.filter(pk__in=[each.arm for each in draft.arms])
    ArmTurn.objects.bulk_create(
        ArmTurn(turn=turn, experiment_id=each.experiment_id, arm=each) for each in arms
    )


def _citations(turn: Turn, draft: AnswerDraft) -> list[Citation]:
    """Return the rows of the citations; a node that was deleted meanwhile is left empty."""
    nodes = Node.objects.filter(pk__in=[each.node for each in draft.citations])
    present = {str(pk) for pk in nodes.values_list("pk", flat=True)} if draft.citations else set()
    return [
        Citation(
            turn=turn,
            index=each.index,
            node_id=each.node if each.node in present else None,
            cited_id=each.node,
            version=each.version,
            chunk_id=each.chunk,
            title=each.title[:300],
            snippet=each.snippet,
            start=each.start,
            end=each.end,
            page=each.page,
            place=each.place[:500],
        )
        for each in draft.citations
    ]


def _announce(turn: Turn) -> None:
    emit(
        f"chat.turn.{turn.status}",
        {
            "turn": str(turn.pk),
            "conversation": str(turn.conversation_id),
            "question": str(turn.question_id),
            "answer": str(turn.answer_id) if turn.answer_id else None,
        },
        space_id=turn.conversation.space_id,
        subject_id=turn.pk,
    )
