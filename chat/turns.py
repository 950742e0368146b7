"""The life of a turn's row between its claim (`chat.claiming`) and its end (`chat.finishing`)."""

import datetime
import uuid
from collections.abc import Iterable

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from chat.choices import TurnStatus
from chat.claiming import Claim
from chat.models import Turn
from project.database.prepared import prepared_rows

MAX_ATTEMPTS = 3
UNCLAIMED_AFTER = datetime.timedelta(seconds=1)
_NEXT = """
SELECT id FROM chat_turn WHERE conversation_id = %s AND status = 'queued'
ORDER BY created_at, id LIMIT 1
"""


def lease_length() -> datetime.timedelta:
    """Return how long a claim holds without renewal."""
    return datetime.timedelta(seconds=settings.ACERVO_TURN_LEASE)


def turns_waiting(limit: int) -> list[uuid.UUID]:
    """Return turns that should have been taken by now: lost events, dead agents. Oldest first."""
    late = Q(status=TurnStatus.RUNNING) | Q(created_at__lt=Now() - UNCLAIMED_AFTER)
    rows = Turn.objects.claimable().filter(late).order_by("created_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def turn_next(conversation_id: uuid.UUID) -> uuid.UUID | None:
    """Return the turn of a conversation whose turn it is; it may be taken if none is running."""
    rows = prepared_rows(_NEXT, [conversation_id])
    return rows[0][0] if rows else None


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
