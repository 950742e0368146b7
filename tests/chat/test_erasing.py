"""What is left of an erased text in answers that cited it."""

import uuid
from collections.abc import Callable

import pytest

from chat.models import Citation
from chat.services import Sent
from knowledge.models import Node, Space
from knowledge.services import node_create, node_update, versions_erase
from project.accounts.models import User

pytestmark = pytest.mark.django_db


def cite(sent: Sent, node: Node, index: int, version: int) -> Citation:
    return Citation.objects.create(
        turn=sent.turn,
        index=index,
        node=node,
        cited_id=node.pk,
        version=version,
        chunk_id=uuid.uuid4(),
        title="Tides",
        snippet=f"Quote of {version}.",
        start=0,
        end=4,
    )


def test_quotes_of_erased_versions_are_emptied_and_others_stay(
    ask: Callable[..., Sent], owner: User, space: Space
) -> None:
    node = node_create(acting_user=owner, space=space, title="Tides", content="One.")
    node = node_update(acting_user=owner, node=node, content="Two.")
    sent = ask()
    for version in (1, 2):
        cite(sent, node, version, version)

    def quotes() -> list[str]:
        return list(Citation.objects.order_by("index").values_list("snippet", flat=True))

    versions_erase(acting_user=owner, space=space, node_id=node.pk, versions=[1], reason="Order")
    assert quotes() == ["", "Quote of 2."]
    versions_erase(acting_user=owner, space=space, node_id=node.pk, reason="Order")
    assert quotes() == ["", ""]
    assert set(Citation.objects.values_list("node", "cited_id")) == {(None, node.pk)}
