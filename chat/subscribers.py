"""What follows from finished turns."""

from chat.models import Turn
from memory.services import episode_create_from_turn
from project.events import EventMessage, subscriber


@subscriber("chat-remember-turn", "chat.turn.completed")
def turn_remember(event: EventMessage) -> None:
    """Make an episode of a finished turn, for the memory of its person."""
    turn = (
        Turn.objects.select_related(
            "question", "answer", "conversation__user", "conversation__space"
        )
        .filter(pk=event.payload["turn"])
        .first()
    )
    if turn is None or turn.answer is None:
        return  # deleted since
    episode_create_from_turn(
        user=turn.conversation.user,
        turn_id=turn.pk,
        session=str(turn.conversation_id),
        question=turn.question.content,
        answer=turn.answer.content,
        occurred_at=turn.question.created_at,
        space=turn.conversation.space,
    )
