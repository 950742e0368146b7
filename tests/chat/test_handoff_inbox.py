"""The inbox of operators in the admin."""

import uuid

import pytest
from django.utils.html import strip_tags

from chat.models import Conversation, Message, Turn
from chat.services import handoff_answer, handoff_assign, handoff_request
from knowledge.choices import NodeStatus
from knowledge.indexing import index_node
from knowledge.models import Chunk, GoldenQuestion, Proposal, Space
from knowledge.services import node_create
from project.accounts.choices import Role
from project.http.errors import Invalid
from tests.conftest import grant
from tests.support.admin_client import signed_in

pytestmark = pytest.mark.django_db
INBOX = "/admin/chat/handoff/"


@pytest.fixture
def desk(teammate):
    teammate.first_name = "Ana"
    teammate.save()
    return signed_in(teammate)


@pytest.fixture
def handoff(desk, conversation):
    return handoff_request(
        acting_user=conversation.user, conversation_id=conversation.pk, reason="My ticket is lost"
    ).handoff


@pytest.fixture
def node(owner, space, settings):
    settings.ACERVO_EMBEDDING = "hashing"
    made = node_create(
        acting_user=owner,
        space=space,
        title="Lost tickets",
        content="A lost ticket is printed again at the counter.",
        status=NodeStatus.PUBLISHED,
    )
    index_node(made.pk)
    return made


def test_the_list_shows_who_waits_and_an_empty_one_says_so(desk, conversation):
    assert "Nobody waits" in desk.get(INBOX).content.decode()
    assert _badge(desk) == ""
    handoff_request(acting_user=conversation.user, conversation_id=conversation.pk, reason="Lost")
    page = desk.get(INBOX).content.decode()
    assert "Lost" in page
    assert "less than a minute" in page
    assert conversation.user.username in page
    assert "Lost" in desk.get(f"{INBOX}list/?show=waiting").content.decode()
    assert "Lost" not in desk.get(f"{INBOX}list/?show=mine").content.decode()
    assert _badge(desk) == "1"


def _badge(desk):
    """Return the number that the page puts beside the inbox in the navigation."""
    piece = desk.get(f"{INBOX}list/?show=mine").content.decode()
    badge = piece.partition("<template data-badge>")[2].partition("</template>")[0]
    return strip_tags(badge).strip()


def test_staff_who_edit_nothing_there_see_no_inbox_and_no_conversation(handoff, stranger):
    other = signed_in(stranger)
    assert other.get(INBOX).status_code == 404
    elsewhere = Space.objects.create(name="Else", slug="else")
    grant(elsewhere, stranger, Role.MANAGER)
    assert "My ticket" not in other.get(INBOX).content.decode()
    for path in ("change/", "search/?q=lost", f"said/{uuid.uuid4()}/"):
        assert other.get(f"{INBOX}{handoff.pk}/{path}").status_code == 404
    assert other.post(f"{INBOX}{handoff.pk}/act/", {"step": "assign"}).status_code == 404


def test_a_conversation_is_taken_put_back_and_released_with_buttons(desk, handoff, teammate):
    page = f"{INBOX}{handoff.pk}/change/"
    assert "Assign to me" in desk.get(page).content.decode()
    desk.post(f"{INBOX}{handoff.pk}/act/", {"step": "assign"})
    handoff.refresh_from_db()
    assert (handoff.status, handoff.operator) == ("active", teammate)
    shown = desk.get(page).content.decode()
    assert "data-composer" in shown
    assert "Release to the AI" in shown
    desk.post(f"{INBOX}{handoff.pk}/act/", {"step": "requeue"})
    answer = desk.post(f"{INBOX}{handoff.pk}/act/", {"step": "release"}, follow=True)
    assert "Acervo answers this conversation again" in answer.content.decode()
    handoff.refresh_from_db()
    assert handoff.status == "released"
    assert "ended yet" not in desk.get(f"{INBOX}?show=ended").content.decode()


def test_who_comes_second_is_told_and_may_take_over(desk, handoff, admin_user):
    handoff_assign(acting_user=admin_user, handoff_id=handoff.pk)
    page = desk.post(f"{INBOX}{handoff.pk}/act/", {"step": "assign"}, follow=True)
    assert "admin has taken this conversation already" in page.content.decode()
    assert "Take over" in page.content.decode()
    desk.post(f"{INBOX}{handoff.pk}/act/", {"step": "assign", "take_over": "1"})
    handoff.refresh_from_db()
    assert handoff.operator_name == "Ana"


def test_written_answers_are_such_as_both_may_read(desk, handoff, node, owner, stranger):
    found = desk.get(f"{INBOX}{handoff.pk}/search/?q=lost ticket").content.decode()
    assert "printed again at the counter" in found
    Conversation.objects.filter(pk=handoff.conversation_id).update(user=stranger)
    hidden = desk.get(f"{INBOX}{handoff.pk}/search/?q=lost ticket").content.decode()
    assert "counter" not in hidden
    handoff_assign(acting_user=owner, handoff_id=handoff.pk)
    with pytest.raises(Invalid) as refused:
        handoff_answer(
            acting_user=owner,
            handoff_id=handoff.pk,
            content="See [1]",
            client_message_id="1",
            citations=[Chunk.objects.get(node=node).pk],
        )
    assert refused.value.code == "passage_gone"


def test_an_answer_becomes_a_node_and_a_golden_question_with_one_click_each(
    desk, handoff, node, teammate, ask
):
    ask("What if I lost my ticket?")
    ask("talk to a person")
    handoff_assign(acting_user=teammate, handoff_id=handoff.pk)
    message = handoff_answer(
        acting_user=teammate,
        handoff_id=handoff.pk,
        content="It is printed again [1].",
        client_message_id="1",
        citations=[Chunk.objects.get(node=node).pk],
    )
    page = desk.get(f"{INBOX}{handoff.pk}/change/").content.decode()
    assert 'class="citation"' in page
    keep = f"{INBOX}{handoff.pk}/keep/{message.pk}/"
    first, second = (desk.post(keep, {"as": "node"}, follow=True) for _ in range(2))
    assert "Proposed as a new node" in first.content.decode()
    assert "It is proposed already" in second.content.decode()
    proposal = Proposal.objects.get()
    assert proposal.title == "What if I lost my ticket?"
    change = proposal.changes.get()
    assert change.fields["content"] == "It is printed again [[Lost tickets]]."
    desk.post(keep, {"as": "golden"})
    golden = GoldenQuestion.objects.get()
    assert golden.question == "What if I lost my ticket?"
    assert [each.node for each in golden.targets.all()] == [node]


def test_the_trace_beside_names_only_what_the_operator_may_read(desk, handoff, node, owner, ask):
    closed = Space.objects.create(name="Closed", slug="closed", visibility="members")
    grant(closed, owner, Role.MANAGER)
    secret = node_create(acting_user=owner, space=closed, title="Salaries", content="Secret.")
    sent = ask("How was it?")
    answer = Message.objects.create(
        conversation=sent.message.conversation, parent=sent.message, role="assistant", content="So"
    )
    rows = [
        {"node": str(each.pk), "title": each.title, "version": 1, "score": 0.5, "chunk": "x"}
        for each in (node, secret)
    ]
    Turn.objects.filter(pk=sent.turn.pk).update(
        answer=answer, route="ai", trace={"passages": rows, "memories": [{"id": "m"}]}
    )
    page = desk.get(f"{INBOX}{handoff.pk}/change/").content.decode()
    assert "Lost tickets" in page
    assert "Salaries" not in page
    assert "one passage that you may not read" in page
