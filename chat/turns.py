"""The life of a turn's row: claimed and kept by a lease (`chat.finishing` ends it).

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
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from chat.choices import MessageRole, TurnRoute, TurnStatus
from chat.dispatching.replies import has_set_answer
from chat.experiments.planning import plan_of, with_lineup
from chat.models import Message, Turn
from chat.states import state_of
from chat.summaries import summary_of
from chat.types import PastMessage, TurnRequest
from knowledge.languages import detect_language
from project.inference.routing import chat_endpoints

MAX_ATTEMPTS = 3
UNCLAIMED_AFTER = datetime.timedelta(seconds=1)


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
    others = Turn.objects.filter(question=OuterRef("question")).exclude(pk=OuterRef("pk"))
    turn = (
        Turn.objects.select_related("question", "conversation", "conversation__user")
        .annotate(is_again=Exists(others))
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
        is_again=turn.is_again,
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
