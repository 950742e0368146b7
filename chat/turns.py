"""The life of a turn's row: claimed, kept by a lease, finished once.

A claim has an owner name of its own (agent, then a random part): every later write names it, so
that an agent which lost its lease changes nothing. Times are the database's: agents' clocks may
differ.
"""

import datetime
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from chat.choices import MessageRole, TurnRoute, TurnStatus
from chat.dispatching.replies import has_set_answer
from chat.experiments.planning import plan_of, with_lineup
from chat.models import ArmTurn, Citation, Conversation, ExperimentArm, Message, Turn
from chat.querysets import remember_related
from chat.representation import final_fields
from chat.states import state_of
from chat.summaries import summary_of
from chat.types import AnswerDraft, PastMessage, TurnRequest
from knowledge.languages import detect_language
from knowledge.models import Node
from project.events.services import emit
from project.inference.routing import chat_endpoints

MAX_ATTEMPTS = 3
UNCLAIMED_AFTER = datetime.timedelta(seconds=1)


class LeaseLost(Exception):
    """The turn is somebody else's now, or gone."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A turn that this agent holds. `known_seq` and `is_retry`: see `TurnLog.open`."""

    owner: str
    conversation_id: uuid.UUID
    request: TurnRequest
    attempts: int
    known_seq: int
    is_stopped: bool
    queued_ms: int

    @property
    def turn_id(self) -> uuid.UUID:
        """The turn."""
        return self.request.turn_id

    @property
    def is_retry(self) -> bool:
        """Whether an agent has died on it."""
        return self.attempts > 1


def lease_length() -> datetime.timedelta:
    """Return how long a claim holds without renewal."""
    return datetime.timedelta(seconds=settings.ACERVO_TURN_LEASE)


def turn_claim(turn_id: uuid.UUID, *, agent: str) -> Claim | None:
    """Take a turn for `agent`; None when it is not to be had (yet).

    One statement decides: two agents cannot both see its row change, and the unique constraint on
    running turns keeps two turns of a conversation apart.
    """
    owner = f"{agent}/{secrets.token_hex(4)}"
    rows = Turn.objects.claimable().filter(pk=turn_id)
    try:
        with transaction.atomic():
            taken = rows.update(
                status=TurnStatus.RUNNING,
                attempts=F("attempts") + 1,
                lease_owner=owner,
                lease_until=Now() + lease_length(),
                started_at=Coalesce(F("started_at"), Now()),
            )
    except IntegrityError:
        return None
    return _claim_of(turn_id, owner) if taken else None


def _claim_of(turn_id: uuid.UUID, owner: str) -> Claim | None:
    turn = (
        Turn.objects.select_related("question", "conversation", "conversation__user")
        .filter(pk=turn_id, lease_owner=owner)
        .first()
    )
    if turn is None:
        return None
    conversation, user = turn.conversation, turn.conversation.user
    tier, plan = plan_of(user.pk, conversation.space_id, conversation.model_tier)
    endpoints = chat_endpoints(tier, first=plan.endpoint_id)
    plan = with_lineup(plan, endpoints, tier)
    started = turn.started_at or turn.created_at
    branch = Message.objects.branch_before(turn.question) if turn.question.parent_id else []
    request = TurnRequest(
        turn_id=turn.pk,
        user=user,
        space_id=conversation.space_id,
        session=str(conversation.pk),
        question=turn.question.content,
        history=_history(branch),
        tier=tier,
        route=_route(turn.message_class, has_model=bool(endpoints)),
        model=endpoints[0].model_name if endpoints else "",
        language=user.language or _language_of(turn.question.content),
        trace_id=turn.trace_id,
        state=state_of(turn),
        marked_words=tuple(turn.trace.get("guard", {}).get("words", ())),
        is_again=Turn.objects.filter(question=turn.question_id).exclude(pk=turn.pk).exists(),
        summary=summary.text if (summary := summary_of(branch)) is not None else "",
        plan=plan,
    )
    return Claim(
        owner=owner,
        conversation_id=conversation.pk,
        request=request,
        attempts=turn.attempts,
        known_seq=turn.last_seq,
        is_stopped=turn.stop_requested_at is not None,
        queued_ms=max(0, int((started - turn.created_at).total_seconds() * 1000)),
    )


def _route(message_class: str, *, has_model: bool) -> TurnRoute:
    """Return who will be asked first."""
    if has_set_answer(message_class):
        return TurnRoute.BRIEF
    return TurnRoute.AI if has_model else TurnRoute.EXTRACTIVE


def _language_of(question: str) -> str:
    """Return the language to speak to somebody who chose none: the question's, if there is one."""
    spoken = detect_language(question)
    return spoken if spoken in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def _history(branch: Sequence[Message]) -> tuple[PastMessage, ...]:
    return tuple(
        PastMessage("assistant" if each.role == MessageRole.ASSISTANT else "user", each.content)
        for each in branch
    )


def turns_waiting(limit: int) -> list[uuid.UUID]:
    """Return turns that should have been taken by now: lost events, dead agents. Oldest first."""
    late = Q(status=TurnStatus.RUNNING) | Q(created_at__lt=Now() - UNCLAIMED_AFTER)
    rows = Turn.objects.claimable().filter(late).order_by("created_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def turn_next(conversation_id: uuid.UUID) -> uuid.UUID | None:
    """Return the turn of a conversation whose turn it is; it may be taken if none is running."""
    rows = Turn.objects.filter(conversation_id=conversation_id, status=TurnStatus.QUEUED)
    return rows.order_by("created_at", "pk").values_list("pk", flat=True).first()


def leases_renew(owners: Iterable[str]) -> dict[str, bool]:
    """Prolong the leases of these claims; return those still held, and whether to stop each."""
    rows = Turn.objects.filter(lease_owner__in=list(owners), status=TurnStatus.RUNNING)
    rows.update(lease_until=Now() + lease_length())
    return {
        owner: stop_requested_at is not None
        for owner, stop_requested_at in rows.values_list("lease_owner", "stop_requested_at")
    }


def turn_hand_back(claim: Claim, *, last_seq: int, is_counted: bool) -> None:
    """Put a turn back in the queue, for another agent; `is_counted`: as a failed attempt."""
    Turn.objects.filter(
        pk=claim.turn_id, lease_owner=claim.owner, status=TurnStatus.RUNNING
    ).update(
        status=TurnStatus.QUEUED,
        lease_owner="",
        lease_until=None,
        attempts=F("attempts") - (0 if is_counted else 1),
        last_seq=last_seq,
    )


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
