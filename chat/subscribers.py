"""What follows from finished turns, feedback, and what is published.

Turns are told of many at once: each handler asks and writes for all of them together.
"""

import threading
import uuid
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import JSONField, Prefetch
from django.db.models.expressions import RawSQL
from django.utils import timezone, translation
from kombu.exceptions import OperationalError

from chat import tasks
from chat.answer_cache.keeping import answers_keep
from chat.answer_cache.sampling import sample_compare
from chat.choices import FINAL_STATUSES, GapStatus, TurnRoute
from chat.gaps import gaps_of
from chat.models import Citation, KnowledgeGap, Turn
from chat.states import state_of
from chat.summaries import summaries_due
from knowledge.relating.refreshing import relating_mark
from memory.services import episodes_create_from_turns
from memory.types import ToldTurn
from project.events import EventMessage, subscriber, subscriber_of_many
from project.tracing import bind_trace

_OF_TURN = (
    "id", "status", "route", "cache", "message_class", "is_partial", "as_of", "release_id",
    "release_name", "finished_at",
    "conversation__space_id",
    *(
        f"conversation__user__{name}"
        for name in ("is_guest", "is_active", "is_superuser", "remembers", "language")
    ),
    "question__content", "question__created_at", "answer__content",
)  # fmt: skip
"""What the handlers read of a turn, besides what is noted of it."""
# Of the trace only what they read: all of it is some tens of kilobytes, and whoever streams answers
# in this process waits while they are decoded.
_NOTED = """(
    SELECT coalesce(jsonb_object_agg(part.key, part.value), '{}') FROM (
        SELECT key, value FROM jsonb_each(chat_turn.trace)
        WHERE key IN ('cache', 'flags', 'degraded', 'notice')
        UNION ALL
        SELECT 'passages', jsonb_agg(
            jsonb_build_object('node', sent -> 'node', 'version', sent -> 'version'))
        FROM jsonb_array_elements(chat_turn.trace -> 'passages') AS sent
    ) AS part WHERE part.value IS NOT NULL
)"""
log = structlog.get_logger(__name__)
_told = threading.local()


@subscriber_of_many("chat-remember-turn", "chat.turn.completed")
def turns_remember(events: Sequence[EventMessage]) -> None:
    """Make episodes of finished turns, for the memory of their people."""
    episodes_create_from_turns(
        [
            ToldTurn(
                user=turn.conversation.user,
                turn_id=turn.pk,
                session=str(turn.conversation_id),
                question=_question(turn),
                answer=turn.answer.content,
                occurred_at=turn.question.created_at,
                space_id=turn.conversation.space_id,
                trace_id=event.trace_id,
            )
            for event, turn in _turns_of(events)
            if turn.answer is not None and turn.route != TurnRoute.BRIEF
        ]
    )


@subscriber_of_many("chat-keep-answer", "chat.turn.completed")
def turns_keep(events: Sequence[EventMessage]) -> None:
    """Keep the answers for whoever asks the same, as far as they hold for others."""
    turns = [turn for _event, turn in _turns_of(events)]
    for turn in turns:
        sample_compare(turn)
    answers_keep(turns)


@subscriber_of_many("chat-note-gap", "chat.turn.completed", "chat.feedback.given")
def gaps_of_turns(events: Sequence[EventMessage]) -> None:
    """Note what answers, or what somebody thought of them, say about gaps in the knowledge."""
    turns = {turn.pk: turn for _event, turn in _turns_of(events) if turn.status in FINAL_STATUSES}
    gaps_of([*turns.values()])


@subscriber("chat-close-gap", "knowledge.node.published")
def gap_close(event: EventMessage) -> None:
    """Close the gaps that a node was written for."""
    drafted = KnowledgeGap.objects.filter(node=event.subject_id, status=GapStatus.DRAFTED)
    drafted.update(status=GapStatus.CLOSED, decided_at=timezone.now())


@subscriber_of_many("chat-sum-up", "chat.turn.completed")
def turns_sum_up(events: Sequence[EventMessage]) -> None:
    """Have the conversations summed up in which enough was said since the last time.

    A broker that is away fails nothing: the next turn asks again.
    """
    traces = {
        turn.answer_id: event.trace_id
        for event, turn in _turns_of(events)
        if turn.answer_id is not None
    }
    due = summaries_due([*traces])

    def send() -> None:
        try:
            for answer in due:
                with bind_trace(traces[answer]):
                    tasks.conversation_summarise.apply_async((str(answer),), retry=False)
        except (OperationalError, OSError) as error:
            log.warning("summary_not_asked", error=type(error).__name__)

    if due:
        transaction.on_commit(send)


@subscriber_of_many("chat-suggest-relations", "chat.turn.completed")
def turns_relate(events: Sequence[EventMessage]) -> None:
    """Have relations among the nodes that an answer cites looked for: it cites them together.

    The last of them: other processes mark the same nodes, and wait until this one has committed.
    """
    marked: set[uuid.UUID] = set()
    for _event, turn in _turns_of(events):
        nodes = {each.node_id for each in turn.citations.all() if each.node_id is not None}
        if len(nodes) > 1:
            marked |= nodes
    if marked:
        relating_mark(marked)


def _turns_of(events: Sequence[EventMessage]) -> list[tuple[EventMessage, Turn]]:
    """Return the turns that events tell of, but those that were deleted since.

    Read once for all subscribers: they hear of the same events one after another, in one thread,
    which lets go of them after the commit.
    """
    if getattr(_told, "events", None) is not events:
        cited = Citation.objects.only("turn_id", "node_id", "cited_id", "version").order_by()
        rows = (
            Turn.objects.select_related("question", "answer", "conversation__user")
            .only(*_OF_TURN)
            .annotate(noted=RawSQL(_NOTED, [], output_field=JSONField()))  # noqa: S611 - constant
            .prefetch_related(Prefetch("citations", cited))
        )
        ids = {uuid.UUID(event.payload["turn"]) for event in events}
        turns = {turn.pk: turn for turn in rows.filter(pk__in=ids).order_by()}
        for turn in turns.values():
            turn.trace = turn.noted  # nobody saves it
        told = ((event, turns.get(uuid.UUID(event.payload["turn"]))) for event in events)
        _told.turns = [(event, turn) for event, turn in told if turn is not None]
        _told.events = events
        transaction.on_commit(_told.__dict__.clear)
    turns_told: list[tuple[EventMessage, Turn]] = _told.turns
    return turns_told


def _question(turn: Turn) -> str:
    """Return the question with the state of knowledge that it asked: the answer is true of it."""
    state = state_of(turn)
    if state is None:
        return turn.question.content
    with translation.override(turn.conversation.user.language or settings.LANGUAGE_CODE):
        return f"{turn.question.content} ({state.words})"
