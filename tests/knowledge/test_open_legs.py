"""Searches without filters: one prepared statement, one plan, and what others would find."""

from typing import Any

import pytest
from django.db import connection

from knowledge import planning
from knowledge.choices import NodeStatus
from knowledge.indexing import prepare_nodes, swap
from knowledge.models import Node, Space
from knowledge.retrieval import _legs, search
from knowledge.retrieval._open_legs import open_legs
from knowledge.retrieval._shelves import Statement
from knowledge.types import SearchRequest
from project.accounts.models import User

pytestmark = pytest.mark.django_db

TEXTS = {
    "Tides": "High water comes twice a day and lifts every boat in the basin.",
    "Fees": "A berth costs 12 euros a night. Pay for the boat at the harbour office.",
    "Fire": "Ring the bell, leave the pier, and meet at the lighthouse.",
}


@pytest.fixture(autouse=True)
def nodes(space: Space) -> list[Node]:
    rows = [
        Node(space=space, title=title, content=text, status=NodeStatus.PUBLISHED, checksum="x")
        for title, text in TEXTS.items()
    ]
    made = Node.objects.bulk_create(rows)
    swap(prepare_nodes(made))
    return made


def found(user: User, query: str, **filters: Any) -> list[tuple[str, Any]]:
    answer = search(SearchRequest(query, **filters), user=user, fresh=True)
    return [(each.title, pytest.approx(each.score, abs=1e-5)) for each in answer.results]


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "vector", "graph"])
def test_they_find_what_a_filter_that_keeps_everything_leaves(owner: User, mode: Any) -> None:
    for query in ("What does a night for my boat cost?", "tide", "nothing of the kind"):
        everything = found(owner, query, mode=mode)

        assert everything == found(owner, query, mode=mode, kinds=("article",))


def test_questions_share_a_prepared_statement(owner: User) -> None:
    for query in ("boat in the basin", "where is the lighthouse", "euros"):
        assert found(owner, query)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'WITH question%'"
        )
        assert cursor.fetchone() == (1,)


def test_what_nobody_may_search_is_not_brought(
    owner: User, stranger: User, nodes: list[Node]
) -> None:
    assert found(stranger, "boat") == []
    Node.objects.filter(pk=nodes[0].pk).update(valid_until="2001-01-01T00:00Z")

    assert {title for title, _score in found(owner, "boat in the basin")} == {"Fees", "Fire"}


def test_the_plan_joins_no_tables_whatever_the_planner_believes(
    admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[Statement] = []

    def noting(*args: Any, **kwargs: Any) -> Statement:
        statements.append(open_legs(*args, **kwargs))
        return statements[-1]

    monkeypatch.setattr(_legs, "open_legs", noting)
    found(admin_user, "boat in the basin")  # whose gate asks for no groups, which are few
    explained = Statement(["EXPLAIN ", *statements[0].parts], statements[0].parameters)
    plan = "\n".join(row[0] for row in explained.run_prepared())

    joins = [line for line in plan.splitlines() if " Join" in line and "Nested Loop" not in line]
    assert "Nested Loop" in plan
    assert joins == []


def test_the_planner_is_told_of_many_passages_and_not_too_often(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "_last", float("-inf"))
    told: list[str] = []
    tell = planning.planner_tell

    def noting() -> None:
        told.append("told")
        tell()

    monkeypatch.setattr(planning, "planner_tell", noting)

    for count in (planning.MUCH - 1, planning.MUCH, planning.MUCH):
        planning.passages_arrived(count)

    assert told == ["told"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT most_common_vals::text FROM pg_stats "
            "WHERE tablename = 'knowledge_chunk' AND attname = 'space_id'"
        )
        assert str(space.pk) in cursor.fetchone()[0]
