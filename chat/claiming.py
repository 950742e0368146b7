"""Turns claimed for an agent, with all that answering them has to know: one statement a batch.

A claim has an owner name of its own (agent, then a random part): every later write names it, so
that an agent which lost its lease changes nothing. Times are the database's: agents' clocks may
differ.
"""

import json
import secrets
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from chat.choices import MessageRole, TurnRoute
from chat.dispatching.replies import has_set_answer
from chat.experiments.planning import IS_PLANNED, plan_of, with_lineup
from chat.models import Conversation, Message, Turn
from chat.querysets import CLAIMABLE, HISTORY_LIMIT, branch_to
from chat.states import state_of
from chat.summaries import summary_of
from chat.types import AnswerPlan, PastMessage, TurnRequest
from knowledge.languages import detect_language
from project.accounts.models import User
from project.database.prepared import prepared_rows
from project.database.reading import Reading
from project.inference.budgets import has_budget_of
from project.inference.routing import STATE_OF_MODELS, chat_models, in_order
from project.inference.types import ModelsInUse

_TURN, _QUESTION = Reading(Turn, "taken"), Reading(Message, "question")
_CONVERSATION, _USER = Reading(Conversation, "conversation"), Reading(User, '"user"')
_READ: tuple[Reading[Any], ...] = (_TURN, _QUESTION, _CONVERSATION, _USER)
# Whether one is to be had is decided by the UPDATE: two agents cannot both see its row change, and
# the unique constraint on running turns keeps two turns of a conversation apart.
_CLAIM = f"""
WITH taken AS (
    UPDATE chat_turn
    SET status = 'running', attempts = attempts + 1, lease_owner = given.owner,
        lease_until = statement_timestamp() + make_interval(secs => %s),
        started_at = coalesce(started_at, statement_timestamp())
    FROM unnest(%s::uuid[], %s::text[]) AS given (id, owner)
    WHERE chat_turn.id = given.id AND ({CLAIMABLE})
    RETURNING chat_turn.*
)
SELECT {", ".join(each.columns for each in _READ)},
    EXISTS (SELECT FROM chat_turn AS other
            WHERE other.question_id = taken.question_id AND other.id <> taken.id),
    CASE WHEN question.parent_id IS NOT NULL THEN (
        SELECT json_agg(json_build_array(said.id, said.parent_id, said.role, said.content))
        FROM (SELECT id, parent_id, role, content FROM chat_message
              WHERE conversation_id = taken.conversation_id
              ORDER BY created_at DESC LIMIT {HISTORY_LIMIT}) AS said)::text
    END,
    EXISTS (SELECT FROM chat_conversationsummary AS summary
            WHERE summary.conversation_id = taken.conversation_id),
    {IS_PLANNED},
    {has_budget_of("conversation.space_id")},
    {STATE_OF_MODELS}
FROM taken
    JOIN chat_message AS question ON question.id = taken.question_id
    JOIN chat_conversation AS conversation ON conversation.id = taken.conversation_id
    JOIN accounts_user AS "user" ON "user".id = conversation.user_id
"""  # noqa: S608 - names of our own columns, and constants


@dataclass(frozen=True, slots=True)
class Claim:
    """A turn that this agent holds. `turn` is its row as it was claimed, with its conversation.

    `known_seq` and `is_retry`: see `TurnLog.open`.
    """

    owner: str
    turn: Turn
    request: TurnRequest
    queued_ms: int

    @property
    def turn_id(self) -> uuid.UUID:
        """The turn."""
        return self.turn.pk

    @property
    def conversation_id(self) -> uuid.UUID:
        """Its conversation."""
        return self.turn.conversation_id

    @property
    def attempts(self) -> int:
        """How many agents have had it, this one included."""
        return self.turn.attempts

    @property
    def known_seq(self) -> int:
        """The last number that its log is known to have."""
        return self.turn.last_seq

    @property
    def is_stopped(self) -> bool:
        """Whether it is to be stopped before it has begun."""
        return self.turn.stop_requested_at is not None

    @property
    def is_retry(self) -> bool:
        """Whether an agent has died on it."""
        return self.attempts > 1


@dataclass(frozen=True, slots=True)
class _Past:
    """A message that was said before."""

    pk: uuid.UUID
    parent_id: uuid.UUID | None
    role: str
    content: str


def turn_claim(turn_id: uuid.UUID, *, agent: str) -> Claim | None:
    """Take a turn for `agent`; None when it is not to be had (yet)."""
    return next(iter(turns_claim([turn_id], agent=agent)), None)


def turns_claim(turn_ids: Sequence[uuid.UUID], *, agent: str) -> list[Claim]:
    """Take those of these turns for `agent` that are to be had, in their order."""
    if not turn_ids:
        return []
    lease = settings.ACERVO_TURN_LEASE
    owners = [f"{agent}/{secrets.token_hex(4)}" for _turn in turn_ids]
    try:
        rows = prepared_rows(_CLAIM, [lease, list(turn_ids), owners], is_text=True)
    except IntegrityError:
        # A turn of one of these conversations was claimed at this moment.
        each_alone = turn_ids if len(turn_ids) > 1 else ()
        return [claim for each in each_alone for claim in turns_claim([each], agent=agent)]
    claims = {claim.turn_id: claim for claim in map(_claim_of, rows)}
    return [claims[each] for each in dict.fromkeys(turn_ids) if each in claims]


def _claim_of(values: Sequence[Any]) -> Claim:
    turn, question, conversation, user = _rows_of(iter(values))
    is_again, said, is_summed, is_planned, has_budget, state_of_models = values[-6:]
    conversation.user, turn.conversation, turn.question = user, conversation, question
    models = chat_models(state_of_models)
    tier, plan = conversation.model_tier, None
    if is_planned:
        tier, plan = plan_of(user.pk, conversation.space_id, tier)
    plan = plan or AnswerPlan(tier_by="conversation" if tier else "")
    endpoints = in_order(models, tier, first=plan.endpoint_id)
    branch = branch_to(question.parent_id, map(_past, json.loads(said or "[]")))
    summary = summary_of(branch) if is_summed else None
    started = turn.started_at or turn.created_at
    request = TurnRequest(
        turn_id=turn.pk,
        user=user,
        space_id=conversation.space_id,
        session=str(conversation.pk),
        question=question.content,
        history=_history(branch),
        tier=tier,
        route=_route(turn.message_class, has_model=bool(endpoints)),
        model=endpoints[0].model_name if endpoints else "",
        language=user.language or _language_of(question.content),
        trace_id=turn.trace_id,
        state=state_of(turn),
        marked_words=tuple(turn.trace.get("guard", {}).get("words", ())),
        is_again=is_again,
        summary=summary.text if summary is not None else "",
        plan=with_lineup(plan, endpoints, tier),
        models=ModelsInUse(models, has_budget=has_budget),
    )
    queued = (started - turn.created_at).total_seconds()
    return Claim(turn.lease_owner, turn, request, queued_ms=max(0, int(queued * 1000)))


def _rows_of(values: Iterator[Any]) -> Iterator[Any]:
    return (each.row([next(values) for _column in range(each.width)]) for each in _READ)


def _past(said: list[Any]) -> _Past:
    pk, parent, role, content = said
    return _Past(uuid.UUID(pk), uuid.UUID(parent) if parent else None, role, content)


def _route(message_class: str, *, has_model: bool) -> TurnRoute:
    """Return who will be asked first."""
    if has_set_answer(message_class):
        return TurnRoute.BRIEF
    return TurnRoute.AI if has_model else TurnRoute.EXTRACTIVE


def _language_of(question: str) -> str:
    """Return the language to speak to somebody who chose none: the question's, if there is one."""
    spoken = detect_language(question)
    return spoken if spoken in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def _history(branch: Sequence[_Past]) -> tuple[PastMessage, ...]:
    return tuple(
        PastMessage("assistant" if each.role == MessageRole.ASSISTANT else "user", each.content)
        for each in branch
    )
