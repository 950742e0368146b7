"""What follows from finished turns, told of many at once."""

import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.choices import MessageRole, TurnStatus
from chat.models import Citation, GapQuestion, KnowledgeGap, Message, Turn
from chat.services import conversation_create
from knowledge.models import Node, RelatingState, Space
from knowledge.services import node_create
from memory.models import Episode
from project.accounts.models import User
from project.events.delivery import deliver_many
from project.events.models import Event, EventReceipt
from project.events.services import emit
from project.tracing import bind_trace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def nodes(owner: User, space: Space) -> list[Node]:
    return [node_create(acting_user=owner, space=space, title=f"N{n}") for n in range(3)]


def ended(user: User, question: str, *flags: str, cites: list[Node] | None = None) -> int:
    """Store an answered question under a trace id of its own; return its event's position."""
    conversation = conversation_create(acting_user=user, space=None)
    said = {"conversation": conversation}
    asked = Message.objects.create(**said, role=MessageRole.USER, content=question)
    answer = Message.objects.create(
        **said, parent=asked, role=MessageRole.ASSISTANT, content="It is."
    )
    turn = Turn.objects.create(
        **said,
        question=asked,
        answer=answer,
        status=TurnStatus.COMPLETED,
        trace={"flags": list(flags)},
        finished_at=timezone.now(),
    )
    Citation.objects.bulk_create(
        Citation(
            turn=turn, index=index, node=node, cited_id=node.pk, version=1, chunk_id=uuid.uuid4(),
            start=0, end=1,
        )
        for index, node in enumerate(cites or (), 1)
    )  # fmt: skip
    with bind_trace(f"trace-of-{turn.pk}"), transaction.atomic():
        return emit("chat.turn.completed", {"turn": str(turn.pk)}, subject_id=turn.pk).position


def test_turns_that_end_together_are_followed_up_with_a_few_statements(
    owner: User, teammate: User, nodes: list[Node]
) -> None:
    RelatingState.objects.update(due_at=None)
    positions = [
        ended(user, f"Is berth {number} free?", cites=nodes[:2])
        for number in range(4)
        for user in (owner, teammate)
    ]
    deliver_many(positions[:1])  # what is read once a process
    with CaptureQueriesContext(connection) as asked:
        deliver_many(positions)
    assert len(asked) <= 2 * 8  # two a turn, for six subscribers
    deliver_many(positions)
    assert Episode.objects.count() == 8
    for told in Event.objects.filter(type="memory.episode.created"):
        episode = Episode.objects.get(pk=told.subject_id)
        assert told.trace_id == episode.trace_id == f"trace-of-{episode.turn_id}"
    due = RelatingState.objects.exclude(due_at=None).values_list("node", flat=True)
    assert set(due) == {node.pk for node in nodes[:2]}
    assert EventReceipt.objects.filter(event__in=positions).count() == 8 * 5


def test_a_turn_that_cannot_be_followed_up_keeps_no_other_from_it(
    owner: User, teammate: User
) -> None:
    first = ended(owner, "Where do visitors park their bicycles?", "no_passages")
    empty = ended(owner, " ", "no_passages")  # nothing to remember: memory refuses it
    other = ended(teammate, "where do visitors park bicycles", "no_citations")
    good = ended(teammate, "When does the ferry leave?")
    deliver_many([first, empty, other, good])
    assert Episode.objects.count() == 3
    assert set(GapQuestion.objects.values_list("text", flat=True)) == {
        "Where do visitors park their bicycles?", " ", "where do visitors park bicycles",
    }  # fmt: skip
    bicycles = KnowledgeGap.objects.order_by("-asked")[0]
    assert (bicycles.asked, bicycles.people) == (2, 2)
    (left,) = Event.objects.filter(settled_at=None)
    assert left.position == empty
    assert left.error.startswith("chat-remember-turn: Invalid")
    assert EventReceipt.objects.filter(event=empty).count() == 4
