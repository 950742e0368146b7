"""Knowledge gaps: what was asked in vain, put together, and closed by writing."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from chat.choices import GapReason, GapStatus, MessageRole, TurnStatus
from chat.gaps import gap_note, gaps_recount
from chat.models import KnowledgeGap, Message, Turn
from chat.services import conversation_create, feedback_give, gap_decide, gap_draft
from chat.subscribers import gap_close
from knowledge import services
from knowledge.models import Space
from project.accounts.models import User
from project.events import EventMessage
from project.http.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.ACERVO_EMBEDDING = "hashing"


def ended(
    user: User, question: str, space: Space | None, *flags: str, message_class: str = "question"
) -> Turn:
    """Store a question with an answer whose trace has flags, and note what it says."""
    conversation = conversation_create(acting_user=user, space=space.pk if space else None)
    asked = Message.objects.create(
        conversation=conversation, role=MessageRole.USER, content=question
    )
    answer = Message.objects.create(
        conversation=conversation, parent=asked, role=MessageRole.ASSISTANT, content="Well."
    )
    turn = Turn.objects.create(
        conversation=conversation,
        question=asked,
        answer=answer,
        status=TurnStatus.COMPLETED,
        message_class=message_class,
        trace={"flags": list(flags)},
    )
    gap_note(turn.pk)
    return turn


def answer_of(turn: Turn) -> Message:
    assert turn.answer is not None
    return turn.answer


def test_questions_about_one_thing_make_one_gap(owner: User, teammate: User, space: Space) -> None:
    ended(owner, "Where can visitors park their bicycles?", space, "no_passages")
    ended(teammate, "where can visitors park bicycles", space, "no_citations")
    ended(owner, "Who repairs the crane at berth four?", space, "no_passages")
    ended(owner, "When does the ferry leave?", space)  # was answered
    ended(owner, "Tell me a joke", space, "no_passages", message_class="out_of_scope")
    bicycles, crane = KnowledgeGap.objects.order_by("-asked")
    assert (bicycles.asked, bicycles.people, crane.asked) == (2, 2, 1)
    assert {each.reason for each in bicycles.questions.all()} == {
        GapReason.UNANSWERED,
        GapReason.UNCITED,
    }


def test_a_bad_mark_makes_a_gap_and_a_good_one_takes_it_back(owner: User, space: Space) -> None:
    turn = ended(owner, "Where can visitors park?", space)
    feedback_give(acting_user=owner, message=answer_of(turn), value=-1, reason="It has moved.")
    gap_note(turn.pk)
    gap_note(turn.pk)  # told twice
    question = KnowledgeGap.objects.get().questions.get()
    assert (question.reason, question.comment) == (GapReason.BAD, "It has moved.")
    feedback_give(acting_user=owner, message=answer_of(turn), value=1)
    gap_note(turn.pk)
    assert not KnowledgeGap.objects.exists()


def test_a_draft_with_the_questions_closes_it_when_it_is_published(
    owner: User, space: Space
) -> None:
    ended(owner, "Where can visitors park?", space, "no_passages")
    ended(owner, "where can\nvisitors park?", space, "no_passages")
    gap = KnowledgeGap.objects.get()
    node = gap_draft(acting_user=owner, gap=gap)
    assert node.title == "Where can visitors park?"
    assert "- where can visitors park?" in node.content
    with pytest.raises(Conflict):
        gap_draft(acting_user=owner, gap=gap)
    services.node_publish(acting_user=owner, node=node)
    published = EventMessage(
        position=1,
        id=uuid.uuid4(),
        type="knowledge.node.published",
        payload={},
        space_id=space.pk,
        subject_id=node.pk,
        trace_id="",
        created_at=timezone.now(),
    )
    gap_close(published)
    assert KnowledgeGap.objects.get().status == GapStatus.CLOSED
    ended(owner, "Where can visitors park?", space, "no_passages")
    assert KnowledgeGap.objects.filter(status=GapStatus.OPEN).count() == 1  # it did not help


def test_what_was_dismissed_counts_on_and_bothers_nobody(owner: User, space: Space) -> None:
    ended(owner, "What is the meaning of life?", space, "no_passages")
    gap = gap_decide(acting_user=owner, gap=KnowledgeGap.objects.get(), status="dismissed")
    ended(owner, "what is the meaning of life", space, "no_passages")
    gap.refresh_from_db()
    assert (gap.status, gap.asked) == (GapStatus.DISMISSED, 2)
    assert gap_decide(acting_user=owner, gap=gap, status="open").status == GapStatus.OPEN


def test_gaps_are_for_those_who_may_close_them(
    owner: User, stranger: User, space: Space, client: Client
) -> None:
    turn = ended(owner, "Where can visitors park?", None, "no_passages")
    gap = KnowledgeGap.objects.get()
    assert (gap.space, gap.spaces) == (None, [space.pk])
    with pytest.raises(NotFound):
        gap_decide(acting_user=stranger, gap=gap, status="closed")
    for user, status in ((stranger, 302), (owner, 200)):
        User.objects.filter(pk=user.pk).update(is_staff=True)
        client.force_login(User.objects.get(pk=user.pk))
        page = client.get(f"/admin/chat/knowledgegap/{gap.pk}/change/")
        assert page.status_code == (200 if user == owner else page.status_code), status
        assert (b"Where can visitors park?" in page.content) is (user == owner)
    shown: Any = client.get("/admin/chat/knowledgegap/")
    assert b"Where can visitors park?" in shown.content
    assert owner.username.encode() not in page.content.split(b"What was asked")[1]
    drafted = client.post(f"/admin/chat/knowledgegap/{gap.pk}/draft/", {"space": str(space.pk)})
    assert drafted.status_code == 302
    assert "/admin/knowledge/node/" in drafted["Location"]
    turn.conversation.delete()
    assert gaps_recount() == 1
    assert KnowledgeGap.objects.get().asked == 0  # drafted: its node knows it


def test_nothing_is_noted_of_a_turn_that_is_gone(owner: User) -> None:
    gap_note(uuid.uuid4())
    assert not KnowledgeGap.objects.exists()
