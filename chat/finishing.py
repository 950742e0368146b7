"""The end of a turn: its answer stored and announced, once.

Only by whoever holds its claim (`chat.claiming`).
"""

import functools
from dataclasses import dataclass
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from chat.choices import MessageRole, TurnStatus
from chat.claiming import Claim
from chat.models import ArmTurn, Citation, ExperimentArm, Message, Turn
from chat.querysets import remember_related
from chat.representation import final_fields
from chat.types import AnswerDraft
from project.database.rows import insert_into, json_of, record_of
from project.events.services import emit

_ENDED = (
    "status", "error_code", "error_message", "answer", "route", "cache", "model",
    "prompt_version", "is_partial", "prompt_tokens", "completion_tokens", "cost", "timings",
    "trace", "finished_at", "lease_owner", "lease_until", "last_seq",
)  # fmt: skip
"""The fields of a turn that its end changes."""


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
    turn = claim.turn
    _fill(turn, draft, ending, last_seq)
    turn.answer, citations = None, []
    if draft.text and ending.status != TurnStatus.FAILED:
        turn.answer = Message(
            conversation_id=turn.conversation_id,
            parent_id=turn.question_id,
            role=MessageRole.ASSISTANT,
            content=draft.text,
        )
        turn.answer.answered_by = turn
        citations = _citations(turn, draft)
    _store(claim, turn, citations)
    if draft.arms:
        _note_arms(turn, draft)
    _announce(turn)
    return final_fields(turn)


@functools.cache
def _statement() -> str:
    """Return the statement that stores a turn's end: all of it, or nothing where it is not held.

    A node that was deleted meanwhile is left empty; it returns whether the turn was held, and the
    numbers of the citations of such nodes.
    """
    citation, ended = insert_into(Citation), _ended()
    cited = ", ".join(
        "(SELECT node.id FROM knowledge_node AS node WHERE node.id = new.cited_id)"
        if each.column == "node_id"
        else f'new."{each.column}"'
        for each in citation.fields
    )
    changes = ", ".join(f'"{each.column}" = new."{each.column}"' for each in ended)
    return f"""
WITH held AS (
    SELECT id AS held_id FROM chat_turn
    WHERE id = %s AND lease_owner = %s AND status = 'running' FOR UPDATE
), said AS (
    {insert_into(Message).statement_of_many}, held RETURNING conversation_id
), touched AS (
    UPDATE chat_conversation SET updated_at = statement_timestamp()
    FROM said WHERE chat_conversation.id = said.conversation_id
), cited AS (
    {citation.into} SELECT {cited} FROM {record_of(citation.fields)}, held
    RETURNING index, node_id
), ended AS (
    UPDATE chat_turn SET {changes} FROM held, {record_of(ended)}
    WHERE chat_turn.id = held_id RETURNING held_id
)
SELECT EXISTS (SELECT FROM ended), ARRAY(SELECT index FROM cited WHERE node_id IS NULL)
"""  # noqa: S608 - names of our own columns


def _ended() -> list[Any]:
    return [Turn._meta.get_field(each) for each in _ENDED]


def _store(claim: Claim, turn: Turn, citations: list[Citation]) -> None:
    """Write it all in one statement. Raises LeaseLost."""
    said: list[models.Model] = [turn.answer] if turn.answer is not None else []
    with connection.cursor() as cursor:
        cursor.execute(
            _statement(),
            [
                claim.turn_id,
                claim.owner,
                insert_into(Message).json(said),
                insert_into(Citation).json(citations),
                json_of([turn], _ended()),
            ],
        )
        is_held, gone = cursor.fetchone()
    if not is_held:
        raise LeaseLost
    for each in citations:
        if each.index in gone:
            each.node_id = None
    remember_related(turn, citations=citations)


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
    return [
        Citation(
            turn=turn,
            index=each.index,
            node_id=each.node,
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
