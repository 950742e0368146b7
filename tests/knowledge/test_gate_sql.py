"""The gates of search are made once, and say what the querysets say."""

import datetime
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from knowledge.models import Node, Space
from knowledge.retrieval._gate import nodes_gate, spaces_gate

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)

pytestmark = pytest.mark.django_db


def test_the_gates_are_those_of_the_querysets_for_every_kind_of_reader(
    owner: Any, stranger: Any, admin_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes_gate(owner, [])  # made at another time, for another reader
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    stranger.is_active = False
    wanted = [uuid.uuid4(), uuid.uuid4()]

    for user in (owner, stranger, admin_user, AnonymousUser()):
        spaces = Space.objects.visible_to(user).order_by().values("pk")
        nodes = Node.objects.searchable_by(user).order_by().values("pk")
        sql, parameters = nodes.query.sql_with_params()
        # A condition of its own behind all others: the gate is one conjunction.
        narrowed = nodes.filter(space__in=wanted).query.sql_with_params()[0]

        assert spaces_gate(user) == spaces.query.sql_with_params()
        assert nodes_gate(user, wanted) == (
            f'{sql} AND "knowledge_node"."space_id" = ANY(%s)',
            (*parameters, wanted),
        )
        assert sql.endswith(")")
        assert narrowed.startswith(sql.removesuffix(")"))
