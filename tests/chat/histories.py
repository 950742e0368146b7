"""Conversations that were had: trees of messages with turns, citations and feedback."""

import datetime
import random
import uuid

from django.utils import timezone

from chat.choices import MessageRole, TurnRoute, TurnStatus
from chat.models import Citation, Conversation, Feedback, Message, Turn
from knowledge.models import Node
from project.accounts.models import User


def ask(
    conversation: Conversation, parent: Message | None, text: str, *, ago: float = 0.0
) -> Message:
    """Store a question, `ago` days old."""
    made = Message.objects.create(
        conversation=conversation, parent=parent, role=MessageRole.USER, content=text
    )
    return _aged(made, ago)


def answer(
    question: Message,
    text: str,
    *,
    node: Node | None = None,
    status: str = TurnStatus.COMPLETED,
    ago: float = 0.0,
) -> Message | None:
    """Store a turn of a question; with an answer that cites `node` when it is completed."""
    said = None
    if status == TurnStatus.COMPLETED:
        said = _aged(
            Message.objects.create(
                conversation=question.conversation,
                parent=question,
                role=MessageRole.ASSISTANT,
                content=text,
            ),
            ago,
        )
    turn = Turn.objects.create(
        conversation=question.conversation,
        question=question,
        answer=said,
        status=status,
        route=TurnRoute.AI,
        trace={
            "notice": "Ünïcode “notice”",
            "passages": [{"node": str(node.pk), "score": 0.1 + 0.2}] if node else [],
            "context": {"budget": 4000, "parts": {"question": 12}},
            "verification": {"sentences": [], "supported": 1},
        },
        timings={"total": 1234.5678901234567},
    )
    if node is not None:
        for index in (1, 2):
            Citation.objects.create(
                turn=turn, index=index, node=node, cited_id=node.pk, version=1,
                chunk_id=uuid.uuid4(), title=node.title, snippet=f"quote {index}", start=0, end=4,
            )  # fmt: skip
    return said


def grown(
    conversation: Conversation, chance: random.Random, steps: int, *, node: Node | None = None
) -> None:
    """Let a tree grow at random: new questions, edits, answers once more, failures, opinions."""
    for _ in range(steps):
        write(conversation, chance, node=node)


def write(conversation: Conversation, chance: random.Random, *, node: Node | None = None) -> str:
    """Do one random thing to a conversation; return what it was."""
    messages = list(conversation.messages.order_by("created_at", "id"))
    questions = [each for each in messages if each.role == MessageRole.USER]
    answers = [each for each in messages if each.role == MessageRole.ASSISTANT]
    what = chance.choice(["ask", "ask", "answer", "answer", "again", "fail", "opinion"])
    text = f"{what} {chance.random()} [1] café\n\n- **{len(messages)}**"
    if what == "ask" or not questions:
        ask(conversation, chance.choice([*answers, None]), text)
    elif what in ("answer", "again"):
        answer(chance.choice(questions), text, node=chance.choice([node, None]))
    elif what == "fail":
        answer(chance.choice(questions), "", status=TurnStatus.FAILED)
    elif answers:
        Feedback.objects.update_or_create(
            message=chance.choice(answers),
            user=conversation.user,
            defaults={"value": chance.choice([1, -1])},
        )
    return what


def put_back(conversation: Conversation, days: float) -> None:
    """Let a conversation be untouched for some days."""
    then = timezone.now() - datetime.timedelta(days=days)
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=then)


def talk_of(user: User, **fields: object) -> Conversation:
    """Start a conversation."""
    return Conversation.objects.create(user=user, title="Tides", **fields)


def _aged(message: Message, days: float) -> Message:
    if days:
        message.created_at = timezone.now() - datetime.timedelta(days=days)
        message.save(update_fields=["created_at"])
    return message
