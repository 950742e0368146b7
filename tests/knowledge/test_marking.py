"""The words of a question, marked in what it found."""

import pytest
from django.test import Client

from knowledge.choices import NodeStatus
from knowledge.indexing import index_node
from knowledge.marking import marked, terms_asked
from knowledge.models import Space
from knowledge.services import node_create
from project.accounts.models import User


@pytest.mark.parametrize(
    ("question", "text", "language", "words"),
    [
        ("cancelled sailings", "The sailing was cancelled.", "en", ["sailing", "cancelled"]),
        ("the ferry", "The ferry sails.", "en", ["ferry"]),
        ("emergencia", "Plano de emergência", "pt-br", ["emergência"]),
        ("ferry", "No boat <b>here</b>.", "en", []),
    ],
)
def test_forms_of_the_words_are_marked_and_nothing_is_lost(
    question: str, text: str, language: str, words: list[str]
) -> None:
    parts = marked(text, terms_asked([question], language), language)
    assert [part.text for part in parts if part.is_marked] == words
    assert "".join(part.text for part in parts) == text


@pytest.mark.django_db
def test_the_page_marks_words_and_says_where_there_are_none(
    client: Client, owner: User, space: Space
) -> None:
    node = node_create(
        acting_user=owner,
        space=space,
        title="Ferry <i>",
        content="The ferry leaves at noon.",
        status=NodeStatus.PUBLISHED,
    )
    assert index_node(node.pk)
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    page = client.get("/knowledge/", {"q": "ferries"}).content.decode()
    assert "<mark>Ferry</mark> &lt;i&gt;" in page
    assert "The <mark>ferry</mark> leaves" in page
    assert "No text has these words" not in page
    far = client.get("/knowledge/", {"q": "zzzxqw"}).content.decode()
    assert 'class="result"' in far
    assert "No text has these words" in far
