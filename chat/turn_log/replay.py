"""Telling a finished turn from its row, for readers whose log is not whole any more."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now

from chat.choices import FINAL_STATUSES
from chat.cold import warm
from chat.models import Turn
from chat.rendering import answer_blocks
from chat.representation import citation_body, final_fields
from chat.turn_log.entries import LoggedEvent, encode

_FRESH = datetime.timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class TurnState:
    """Where a turn stands. `is_fresh`: it ended moments ago, its log may still be completed."""

    is_final: bool
    last_seq: int
    is_fresh: bool


QUEUED = TurnState(is_final=False, last_seq=0, is_fresh=False)


def turn_state(turn_id: uuid.UUID) -> TurnState | None:
    """Return where the turn stands; None when it is gone."""
    row = (
        Turn.objects.filter(pk=turn_id)
        .annotate(now=Now())
        .values_list("status", "last_seq", "finished_at", "now")
        .first()
    )
    if row is None:
        return None
    status, last_seq, finished_at, now = row
    is_fresh = finished_at is not None and now - finished_at < _FRESH
    return TurnState(status in FINAL_STATUSES, last_seq, is_fresh)


def synthesise(turn_id: uuid.UUID, after: int) -> list[LoggedEvent]:
    """Return the stored outcome of a finished turn as events numbered from `after` + 1.

    The turn's `last_seq` is raised to the last number given out: a reader cut off in the middle
    of these comes back with a number of theirs, and must be told again, not turned away.
    """
    turn = (
        Turn.objects.filter(pk=turn_id)
        .select_related("answer", "conversation", "question")
        .prefetch_related("citations")
        .first()
    )
    if turn is None:
        return []
    if turn.conversation.cold_since is not None:
        warm(turn.conversation_id)
        return synthesise(turn_id, after)
    fields = [*_answer_fields(turn, after), final_fields(turn)]
    events = [encode(turn.pk, after + n, each) for n, each in enumerate(fields, start=1)]
    last = events[-1].seq
    Turn.objects.filter(pk=turn.pk, last_seq__lt=last).update(last_seq=last)
    return events


def _answer_fields(turn: Turn, after: int) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    if after:
        fields.append({"type": "answer.reset", "reason": "replayed"})
    if turn.route:
        fields.append({"type": "turn.started", "route": turn.route, "model": turn.model})
    if turn.answer is None:
        return fields
    citations = [citation_body(each) for each in turn.citations.all()]
    fields += [{"type": "answer.citation", **each} for each in citations]
    for number, (text, html) in enumerate(answer_blocks(turn, turn.answer.content)):
        fields.append({"type": "answer.delta", "text": text, "block": number})
        fields.append({"type": "answer.block", "block": number, "html": html})
    return fields
