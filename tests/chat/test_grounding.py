"""What an answer is made from is found by few statements, and by the rights of this moment."""

import uuid
from typing import Any

import pytest
from django.db import connection

from chat.answering.grounding import recall_memories, retrieve
from chat.choices import TurnRoute
from chat.types import TurnRequest
from knowledge.models import Node, Space
from memory.services import episode_create
from project.accounts.models import User
from tests.knowledge.test_time_travel import OLD, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def ferry(owner: User, space: Space) -> Node:
    return make(owner, space, "Ferry", OLD)


def request_of(user: User, session: str = "") -> TurnRequest:
    return TurnRequest(
        turn_id=uuid.uuid4(),
        user=user,
        space_id=None,
        session=session or str(uuid.uuid4()),
        question="When does the ferry cross?",
        history=(),
        tier="",
        route=TurnRoute.AI,
        model="",
        language="en",
        trace_id="",
    )


def statements_of(act: Any) -> list[str]:
    asked: list[str] = []

    def note(execute: Any, sql: Any, parameters: Any, many: Any, context: Any) -> Any:
        asked.append(str(sql))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        act()
    return asked


def test_passages_are_found_by_few_statements(owner: User, ferry: Node) -> None:
    """The spaces with profile and generations, the counts, the legs, vectors, relations, texts.

    And whether anything is attached. A search of its own has one more: the state of the database
    that all of them see.
    """
    request = request_of(owner)
    found = []
    asked = statements_of(lambda: found.extend(retrieve(request, request.question).passages))
    assert {each.node for each in found} == {ferry.pk}
    assert len(asked) <= 7


def test_of_whom_nothing_is_remembered_one_statement_says_so(owner: User, stranger: User) -> None:
    episode_create(acting_user=owner, session="before", content="The ferry is mine.")
    asked = statements_of(lambda: recall_memories(request_of(stranger), "ferry"))
    assert len(asked) == 1


def test_what_was_said_in_a_space_that_is_closed_since_is_not_recalled(
    owner: User, teammate: User, space: Space
) -> None:
    for place, content in ((space, "In the harbour."), (None, "Anywhere.")):
        episode_create(
            acting_user=teammate,
            session="before",
            content=f"The ferry sails. {content}",
            space=place,
        )

    def recalled() -> set[str]:
        found = recall_memories(request_of(teammate), "When does the ferry sail?")
        return {each.content.rpartition("sails. ")[2] for each in found}

    assert recalled() == {"In the harbour.", "Anywhere."}
    teammate.groups.clear()
    assert recalled() == {"Anywhere."}
    assert {
        each.session for each in recall_memories(request_of(teammate, "before"), "ferry")
    } == set()
