"""What follows from finished turns, feedback, and what is published."""

import threading

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from kombu.exceptions import OperationalError

from chat import tasks
from chat.answer_cache.keeping import answer_keep
from chat.answer_cache.sampling import sample_compare
from chat.choices import FINAL_STATUSES, GapStatus, TurnRoute
from chat.gaps import gap_of
from chat.models import Citation, KnowledgeGap, Turn
from chat.states import state_of
from chat.summaries import summary_is_due
from knowledge.relating.refreshing import relating_mark
from memory.services import episode_create_from_turn
from project.events import EventMessage, subscriber

log = structlog.get_logger(__name__)
_told = threading.local()


@subscriber("chat-remember-turn", "chat.turn.completed")
def turn_remember(event: EventMessage) -> None:
    """Make an episode of a finished turn, for the memory of its person."""
    turn = _turn_of(event)
    if turn is None or turn.answer is None or turn.route == TurnRoute.BRIEF:
        return  # deleted since, or nothing worth remembering
    episode_create_from_turn(
        user=turn.conversation.user,
        turn_id=turn.pk,
        session=str(turn.conversation_id),
        question=_question(turn),
        answer=turn.answer.content,
        occurred_at=turn.question.created_at,
        space=turn.conversation.space,
    )


@subscriber("chat-keep-answer", "chat.turn.completed")
def turn_keep(event: EventMessage) -> None:
    """Keep the answer for whoever asks the same, if it is one that holds for others."""
    turn = _turn_of(event)
    if turn is not None:
        sample_compare(turn)
        answer_keep(turn)


@subscriber("chat-note-gap", "chat.turn.completed", "chat.feedback.given")
def gap_of_turn(event: EventMessage) -> None:
    """Note what an answer, or what somebody thought of it, says about gaps in the knowledge."""
    turn = _turn_of(event)
    if turn is not None and turn.status in FINAL_STATUSES:
        gap_of(turn)


@subscriber("chat-close-gap", "knowledge.node.published")
def gap_close(event: EventMessage) -> None:
    """Close the gaps that a node was written for."""
    drafted = KnowledgeGap.objects.filter(node=event.subject_id, status=GapStatus.DRAFTED)
    drafted.update(status=GapStatus.CLOSED, decided_at=timezone.now())


@subscriber("chat-sum-up", "chat.turn.completed")
def turn_sum_up(event: EventMessage) -> None:
    """Have the conversation summed up once enough was said since the last time.

    A broker that is away fails nothing: the next turn asks again.
    """
    turn = _turn_of(event)
    answer = turn.answer if turn is not None else None
    if answer is None or not summary_is_due(answer):
        return

    def send() -> None:
        try:
            tasks.conversation_summarise.apply_async((str(answer.pk),), retry=False)
        except (OperationalError, OSError) as error:
            log.warning("summary_not_asked", error=type(error).__name__)

    transaction.on_commit(send)


@subscriber("chat-suggest-relations", "chat.turn.completed")
def turn_relate(event: EventMessage) -> None:
    """Have relations among the nodes that an answer cites looked for: it cites them together."""
    rows = Citation.objects.filter(turn=event.payload["turn"]).exclude(node=None)
    nodes = set(rows.order_by().values_list("node", flat=True))
    if len(nodes) > 1:
        relating_mark(nodes)


def _turn_of(event: EventMessage) -> Turn | None:
    """Return the turn that an event tells of; None when it was deleted since.

    Read once for all subscribers: they hear of an event one after another, in one thread.
    """
    if getattr(_told, "event", None) is not event:
        related = ("question", "answer", "conversation__user", "conversation__space")
        rows = Turn.objects.select_related(*related).filter(pk=event.payload["turn"])
        _told.turn, _told.event = rows.first(), event
    turn: Turn | None = _told.turn
    return turn


def _question(turn: Turn) -> str:
    """Return the question with the state of knowledge that it asked: the answer is true of it."""
    state = state_of(turn)
    if state is None:
        return turn.question.content
    with translation.override(turn.conversation.user.language or settings.LANGUAGE_CODE):
        return f"{turn.question.content} ({state.words})"
