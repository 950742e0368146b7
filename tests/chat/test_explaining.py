"""Why this answer, and what may be asked next."""

import uuid

import pytest
from django.test import Client

from chat.choices import CacheOutcome
from chat.follow_ups import follow_ups
from chat.models import Citation, Conversation, Turn
from knowledge.models import Node, Space
from knowledge.services import node_create
from project.accounts.models import User
from tests.chat.test_pages import ask

TIDES = "# Tides\n\nA year ahead.\n\n## High water\n\nAt noon.\n\n## Moorings\n\nTwelve euros.\n"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return node_create(
        acting_user=owner, space=space, title="Tide table", content=TIDES, status="published"
    )


@pytest.fixture
def turn(owner: User, node: Node) -> Turn:
    chunk, hidden = uuid.uuid4(), uuid.uuid4()
    trace = {
        "query": "tides noon",
        "passages": [
            {"node": str(node.pk), "chunk": str(chunk), "title": "Tide table", "version": 1,
             "score": 0.8125, "signals": {"vector": {"rank": 2}}},
            {"node": str(hidden), "chunk": str(hidden), "title": "A hidden title", "score": 0.5},
        ],
        "memories": [{"id": "1", "score": 0.4}],
        "cache": {"question": "What another person asked", "similarity": 0.934},
        "context": {"budget": 4000, "parts": {"passages": 900, "history": 100}},
        "flags": ["partial"],
        "verification": {"share": 0.667},
    }  # fmt: skip
    made = ask(
        Conversation.objects.create(user=owner),
        "When?",
        "At noon [1].",
        trace=trace,
        cache=CacheOutcome.SEMANTIC,
        timings={"queued": 10, "retrieve": 40, "first_token": 100, "total": 250},
        prompt_tokens=1200,
        model="stub",
    )
    start = TIDES.index("At noon")
    Citation.objects.create(
        turn=made, index=1, node=node, cited_id=node.pk, version=1, chunk_id=chunk,
        title=node.title, snippet="At noon.", start=start, end=start + 8,
    )  # fmt: skip
    return made


def why(user: User, turn: Turn) -> str | None:
    client = Client()
    client.force_login(user)
    response = client.get(f"{turn.conversation.get_absolute_url()}turns/{turn.pk}/why/")
    return response.content.decode() if response.status_code == 200 else None


def test_it_shows_stages_sources_cache_tokens_and_context(owner: User, turn: Turn) -> None:
    text = " ".join(str(why(owner, turn)).split())
    for shown in (
        "tides noon",
        "Score 0.813",
        "vector.rank",
        "Cited as",
        "1,200 sent, 0 written",
        "Likeness 0.93",
        "1,000 of 4,000 tokens",
        "Recalling and retrieving",
        "It is incomplete.",
        "67 %",
    ):
        assert shown in text, shown


def test_it_tells_nothing_of_hidden_texts_and_of_what_others_asked(
    owner: User, teammate: User, turn: Turn
) -> None:
    text = str(why(owner, turn))
    assert "A hidden title" not in text
    assert "1 more that you may not read any more." in text
    assert "another person" not in text
    assert why(teammate, turn) is None


def test_a_text_that_became_closed_is_not_named(owner: User, turn: Turn, space: Space) -> None:
    owner.groups.clear()
    assert "Tide table" not in str(why(owner, turn))


def test_what_may_be_asked_next_is_near_what_was_cited(
    owner: User, stranger: User, turn: Turn
) -> None:
    citations = list(turn.citations.all())
    asked = follow_ups(citations, owner, "When?")
    assert asked == ["What does “Tide table” say about “Moorings”?"]
    assert follow_ups(citations, stranger, "When?") == []
    client = Client()
    client.force_login(owner)
    assert "about “Moorings”?" in client.get(turn.conversation.get_absolute_url()).content.decode()
