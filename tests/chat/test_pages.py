"""The chat page and its pieces, as the browser gets them."""

import datetime
import uuid

import pytest
from django.test import Client
from django.utils import timezone

from chat.choices import MessageRole, TurnStatus
from chat.models import Citation, Conversation, Feedback, Message, Turn
from chat.suggestions import questions_in, suggestions_for
from knowledge.models import Space
from project.accounts.models import User


def ask(
    conversation: Conversation,
    question: str,
    answer: str | None = "An answer.",
    status: TurnStatus = TurnStatus.COMPLETED,
    parent: Message | None = None,
    **turn: object,
) -> Turn:
    """Store a question with its answering under `parent`."""
    asked = Message.objects.create(
        conversation=conversation, role=MessageRole.USER, content=question, parent=parent
    )
    return answered(asked, answer, status, **turn)


def answered(
    question: Message, answer: str | None, status: TurnStatus = TurnStatus.COMPLETED, **turn: object
) -> Turn:
    said = None
    if answer is not None:
        said = Message.objects.create(
            conversation=question.conversation,
            role=MessageRole.ASSISTANT,
            content=answer,
            parent=question,
        )
    return Turn.objects.create(
        conversation=question.conversation, question=question, answer=said, status=status, **turn
    )


@pytest.fixture
def conversation(owner: User) -> Conversation:
    return Conversation.objects.create(user=owner, title="Tides")


@pytest.fixture
def reader(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def test_a_visitor_is_sent_to_sign_in_and_back(client: Client, db: None) -> None:
    response = client.get("/")
    assert response.status_code == 302
    assert response.headers["Location"] == "/sign-in/?next=/"


def test_an_empty_chat_suggests_the_questions_of_visible_spaces(
    reader: Client, space: Space
) -> None:
    space.suggested_questions = ["When is high water?"]
    space.save()
    Space.objects.create(name="Hidden", slug="hidden", suggested_questions=["What is secret?"])
    page = reader.get("/").content.decode()
    assert "When is high water?" in page
    assert "What is secret?" not in page


def test_the_page_runs_nothing_that_the_security_policy_forbids(
    reader: Client, conversation: Conversation
) -> None:
    ask(conversation, "When?", "At *noon*. <script>alert(1)</script>")
    response = reader.get(conversation.get_absolute_url())
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = response.content.decode()
    assert "<em>noon</em>" in page
    assert "<script>alert" not in page
    assert " style=" not in page
    assert " onclick=" not in page


def test_a_conversation_of_somebody_else_does_not_exist(
    client: Client, stranger: User, conversation: Conversation
) -> None:
    turn = ask(conversation, "When?")
    client.force_login(stranger)
    page = conversation.get_absolute_url()
    for address in (page, f"{page}earlier/", f"{page}turns/{turn.pk}/"):
        assert client.get(address).status_code == 404
    assert "Tides" not in client.get("/c/").content.decode()


def test_an_answer_shows_its_citations_and_what_was_thought_of_it(
    reader: Client, owner: User, conversation: Conversation
) -> None:
    turn = ask(conversation, "When?", "At noon. [1]")
    Citation.objects.create(
        cited_id=uuid.uuid4(),
        turn=turn,
        index=1,
        node=None,
        version=3,
        chunk_id=uuid.uuid4(),
        title="Tide table",
        snippet="High water is at noon.",
        start=0,
        end=22,
        page=4,
    )
    assert turn.answer is not None
    Feedback.objects.create(message=turn.answer, user=owner, value=-1)
    page = reader.get(conversation.get_absolute_url()).content.decode()
    assert 'data-citation="1"' in page
    assert "Tide table" in page
    assert "Version 3" in page
    assert "page 4" in page
    assert 'data-feedback="-1" aria-pressed="true"' in page
    assert 'data-feedback="1" aria-pressed="false"' in page


@pytest.mark.parametrize(
    ("status", "answer", "extra", "sentence"),
    [
        (TurnStatus.FAILED, None, {"error_message": "No model."}, "There is no answer."),
        (TurnStatus.FAILED, "Half", {"error_message": "No model."}, "The answer broke off."),
        (TurnStatus.STOPPED, "Half", {}, "You stopped this answer."),
        (TurnStatus.COMPLETED, "Half", {"is_partial": True}, "this answer is incomplete"),
        (TurnStatus.COMPLETED, "All", {"trace": {"notice": "It rained."}}, "It rained."),
    ],
)
def test_an_answer_says_how_it_came_to_be(
    reader: Client,
    conversation: Conversation,
    status: TurnStatus,
    answer: str | None,
    extra: dict[str, object],
    sentence: str,
) -> None:
    turn = ask(conversation, "When?", answer, status, **extra)
    piece = reader.get(f"{conversation.get_absolute_url()}turns/{turn.pk}/").content.decode()
    assert sentence in piece


def test_an_unfinished_turn_leaves_a_place_that_can_be_resumed(
    reader: Client, conversation: Conversation
) -> None:
    turn = ask(conversation, "When?", None, TurnStatus.RUNNING)
    page = reader.get(conversation.get_absolute_url()).content.decode()
    assert f'data-turn="{turn.pk}" data-status="running"' in page


def test_an_answer_that_is_made_again_takes_the_place_of_the_old_one_while_it_runs(
    reader: Client, conversation: Conversation
) -> None:
    first = ask(conversation, "When?", "The first answer.")
    answered(first.question, None, TurnStatus.RUNNING)
    page = reader.get(conversation.get_absolute_url()).content.decode()
    assert "The first answer." not in page
    assert 'data-status="running"' in page


def test_the_newest_version_is_shown_and_the_others_can_be_reached(
    reader: Client, conversation: Conversation
) -> None:
    first = ask(conversation, "When?", "The first answer.")
    answered(first.question, "The second answer.")
    address = conversation.get_absolute_url()
    page = reader.get(address).content.decode()
    assert "The second answer." in page
    assert "The first answer." not in page
    assert f"?leaf={first.answer_id}" in page
    older = reader.get(address, {"leaf": str(first.answer_id)}).content.decode()
    assert "The first answer." in older
    assert "The second answer." not in older


def test_a_question_that_nobody_answered_shows_why_even_when_another_follows(
    reader: Client, conversation: Conversation
) -> None:
    failed = ask(conversation, "When?", None, TurnStatus.FAILED, error_message="No model.")
    ask(conversation, "And now?", "At noon.", parent=failed.question)
    page = reader.get(conversation.get_absolute_url()).content.decode()
    assert page.index("No model.") < page.index("And now?") < page.index("At noon.")


def test_a_long_conversation_comes_in_parts(reader: Client, conversation: Conversation) -> None:
    parent = None
    for number in range(30):
        turn = ask(conversation, f"Question {number};", parent=parent)
        parent = turn.answer
    page = reader.get(conversation.get_absolute_url())
    assert "Question 29;" in page.content.decode()
    assert "Question 4;" not in page.content.decode()
    earlier = page.context["thread"].earlier
    assert str(earlier) in page.content.decode()
    part = reader.get(f"{conversation.get_absolute_url()}earlier/", {"before": str(earlier)})
    text = part.content.decode()
    assert "Question 0;" in text
    assert "Question 4;" in text
    assert "Question 5;" not in text


def test_a_conversation_page_costs_the_same_number_of_queries_however_long_it_is(
    reader: Client, conversation: Conversation, django_assert_max_num_queries: object
) -> None:
    parent = None
    for number in range(20):
        parent = ask(conversation, f"Question {number};", parent=parent).answer
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        reader.get(conversation.get_absolute_url())


def test_conversations_are_listed_by_day_and_found_by_their_words(
    reader: Client, owner: User, conversation: Conversation
) -> None:
    ask(conversation, "When is high water?")
    old = Conversation.objects.create(user=owner, title="Lighthouse")
    ask(old, "Who keeps the lamp?")
    moment = timezone.now() - datetime.timedelta(days=1)
    Conversation.objects.filter(pk=old.pk).update(updated_at=moment)
    Conversation.objects.create(user=owner, title="Never asked anything")
    listed = reader.get("/c/").content.decode()
    assert listed.index("Today") < listed.index("Tides") < listed.index("Yesterday")
    assert listed.index("Yesterday") < listed.index("Lighthouse")
    assert "Never asked" not in listed
    found = reader.get("/c/", {"q": "lamp WHO"}).content.decode()
    assert "Lighthouse" in found
    assert "Tides" not in found


def test_a_long_list_goes_on_where_it_stopped(reader: Client, owner: User) -> None:
    for number in range(55):
        ask(Conversation.objects.create(user=owner, title=f"Number {number};"), "Hello?")
    first = reader.get("/c/")
    mark = first.context["listing"].after
    assert mark
    second = reader.get("/c/", {"after": mark})
    titles = [
        entry.conversation.title
        for response in (first, second)
        for day in response.context["listing"].days
        for entry in day.entries
    ]
    assert len(titles) == len(set(titles)) == 55
    assert second.context["listing"].after == ""


@pytest.mark.parametrize("address", ["/c/?after=nonsense", "/c/?current=1", "/?leaf=x"])
def test_damaged_addresses_are_taken_as_absent(reader: Client, address: str) -> None:
    assert reader.get(address).status_code == 200


def test_suggestions_come_in_the_readers_language() -> None:
    by_language = {"en": ["When?"], "pt-br": ["Quando?"]}
    assert questions_in(by_language, "pt-br") == ["Quando?"]
    assert questions_in(by_language, "pt") == ["Quando?"]
    assert questions_in(by_language, "fr") == ["When?"]
    assert questions_in({"pt": ["Quando?"]}, "pt-br") == ["Quando?"]
    assert questions_in(["When?", 3, "  "], "pt-br") == ["When?"]
    assert questions_in("nonsense", "en") == []


def test_suggestions_take_turns_between_spaces() -> None:
    spaces = [
        Space(name="A", suggested_questions=["a1", "a2"]),
        Space(name="B", suggested_questions=["b1"]),
    ]
    assert [each.text for each in suggestions_for(spaces, "en")] == ["a1", "b1", "a2"]


@pytest.mark.parametrize("before", ["", "?before=", "?before=zzz"])
def test_what_comes_before_no_message_is_not_there(
    client: Client, owner: User, before: str
) -> None:
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    conversation = Conversation.objects.create(user=owner)
    assert client.get(f"/c/{conversation.pk}/earlier/{before}").status_code == 404
